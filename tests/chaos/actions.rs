//! How each action is done. What the API server refuses, or the webhook for it, is counted and not repeated.

use std::time::Duration;

use dbbudget::api::DatabaseBudget;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, EvictParams, Patch, PatchParams, PostParams};
use kube::{Api, Resource};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::deck::{Action, Workload};
use crate::objects::{CAPACITY, DATABASE, task};

type Done = Result<(), kube::Error>;

impl Bench<'_> {
    /// Does it.
    pub async fn act(&mut self, action: Action) {
        let (kind, disturbed) = about(action);
        self.done.push(format!("{:>6.1} s  {action:?}", self.seconds()));
        *self.counts.entry(kind).or_default() += 1;
        self.progress.disturbed(&disturbed);
        if let Err(error) = self.try_to(action).await {
            self.failed += 1;
            self.done.push(format!("          {error}"));
        }
    }

    async fn try_to(&mut self, action: Action) -> Done {
        match action {
            Action::Rollout(workload) => {
                let at = json!({"kubectl.kubernetes.io/restartedAt": format!("{:.3}", self.seconds())});
                self.patch(workload, &json!({"spec": {"template": {"metadata": {"annotations": at}}}}), false).await
            }
            Action::Scale(workload, replicas) => {
                self.patch(workload, &json!({"spec": {"replicas": replicas}}), false).await
            }
            Action::Autoscale(workload, replicas) => {
                self.patch(workload, &json!({"spec": {"replicas": replicas}}), true).await
            }
            Action::Evict(workload, count) => self.evict(&self.pods_of(workload), count).await,
            Action::Drain => self.drain().await,
            Action::ForceDelete(workload, count) => self.force_delete(&self.pods_of(workload), count).await,
            Action::Runs(count) => self.run_tasks(count).await,
            Action::Capacity(capacity) => self.set_capacity(capacity).await,
            Action::RestartApiServer => {
                // Controllers wait up to five minutes for what they had asked of an API server that was killed.
                let restart = |name| self.cluster.control(&["restart", name]);
                tokio::task::block_in_place(|| ["apiserver", "controller-manager"].into_iter().for_each(restart));
                Ok(())
            }
            Action::Kill(number, back) => {
                self.replicas.kill(number, back);
                Ok(())
            }
            Action::Freeze(number) => {
                self.replicas.freeze(number);
                Ok(())
            }
            Action::Away(back) => {
                (0..2).for_each(|number| self.replicas.kill(number, back));
                Ok(())
            }
        }
    }

    async fn patch(&self, workload: Workload, patch: &Value, by_scale: bool) -> Done {
        match workload {
            Workload::Queue => patched::<StatefulSet>(&self.world.api(), workload, patch, by_scale).await,
            _ => patched::<Deployment>(&self.world.api(), workload, patch, by_scale).await,
        }
    }

    async fn evict(&self, pods: &[String], count: usize) -> Done {
        let api: Api<Pod> = self.world.api();
        for pod in pods.iter().take(count) {
            api.evict(pod, &EvictParams::default()).await.map(drop).or_else(gone_is_fine)?;
        }
        Ok(())
    }

    async fn drain(&mut self) -> Done {
        let nodes: Api<Node> = Api::all(self.world.client.clone());
        nodes.cordon("node-1").await?;
        for workload in [Workload::Api, Workload::Web, Workload::Queue] {
            self.evict(&self.pods_of(workload), usize::MAX).await?;
        }
        self.wait(Duration::from_secs(4)).await;
        nodes.uncordon("node-1").await.map(drop)
    }

    async fn force_delete(&self, pods: &[String], count: usize) -> Done {
        let api: Api<Pod> = self.world.api();
        for pod in pods.iter().rev().take(count) {
            api.delete(pod, &DeleteParams::default().grace_period(0)).await.map(drop).or_else(gone_is_fine)?;
        }
        Ok(())
    }

    /// As the controller of `CronJobs` makes them, when their time comes again before they are done.
    async fn run_tasks(&mut self, count: u32) -> Done {
        let owner = self.world.api::<CronJob>().get("task").await?.controller_owner_ref(&()).expect("it is stored");
        let job = json!({"metadata": {"generateName": "task-", "ownerReferences": [owner]}, "spec": task(&self.at)});
        let job: Job = serde_json::from_value(job).expect("a Job");
        for _ in 0..count {
            self.world.api::<Job>().create(&PostParams::default(), &job).await?;
        }
        Ok(())
    }

    async fn set_capacity(&mut self, capacity: u32) -> Done {
        let (before, patch) = (self.capacity, json!({"spec": {"capacity": {"static": {"maxConnections": capacity}}}}));
        self.capacity = self.capacity.max(capacity);
        self.follow_capacity(); // more is there before it is said
        let api: Api<DatabaseBudget> = self.world.api();
        let patched = api.patch(DATABASE, &PatchParams::default(), &Patch::Merge(&patch)).await;
        self.capacity = if patched.is_ok() { capacity } else { before };
        patched.map(drop)
    }

    /// Brings everything back to what it was at first.
    pub async fn calm(&mut self) {
        let all = Workload::ALL.map(|workload| Action::Scale(workload, workload.pods().0));
        for action in all.into_iter().chain([Action::Capacity(CAPACITY)]) {
            let mut tries = 0;
            while let Err(error) = self.try_to(action).await {
                tries += 1;
                assert!(tries < 60, "{action:?} is not possible: {error}");
                self.wait(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn patched<K>(api: &Api<K>, workload: Workload, patch: &Value, by_scale: bool) -> Done
where
    K: Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let (name, params, patch) = (workload.name(), PatchParams::default(), Patch::Merge(patch));
    if by_scale {
        return api.patch_scale(name, &params, &patch).await.map(drop);
    }
    api.patch(name, &params, &patch).await.map(drop)
}

fn gone_is_fine(error: kube::Error) -> Done {
    match error {
        kube::Error::Api(status) if status.code == 404 => Ok(()),
        other => Err(other),
    }
}

/// What it is called in a report, and whose rollouts it begins anew.
fn about(action: Action) -> (&'static str, Vec<Workload>) {
    match action {
        Action::Rollout(workload) => ("rollouts", vec![workload]),
        Action::Scale(workload, _) => ("scalings", vec![workload]),
        Action::Autoscale(workload, _) => ("autoscalings", vec![workload]),
        Action::Evict(workload, _) => ("evictions", vec![workload]),
        Action::Drain => ("drains", Workload::ALL.to_vec()),
        Action::ForceDelete(workload, _) => ("force deletes", vec![workload]),
        Action::Runs(_) => ("CronJob runs", Vec::new()),
        Action::Capacity(_) => ("capacity changes", Vec::new()),
        Action::RestartApiServer => ("restarts of the API server", Workload::ALL.to_vec()),
        Action::Kill(..) => ("operator kills", Vec::new()),
        Action::Freeze(_) => ("operator freezes", Vec::new()),
        Action::Away(_) => ("outages of all operators", Vec::new()),
    }
}
