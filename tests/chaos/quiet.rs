//! At rest every workload is as it should be, nobody waits, and ledgers, pods and sessions say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use dbbudget::api::DatabaseBudget;
use dbbudget::api::workload::Source;
use kube::ResourceExt;
use kube::api::ListParams;

use crate::bench::Bench;
use crate::deck::Workload;
use crate::judge::Holder;
use crate::objects::{DATABASE, budget_of};
use crate::progress::is_done;
use crate::replay::{Verdict, replay, sum};
use crate::things::status;

/// All is quiet again within this time: the quarantine of a pod that was deleted by force is the longest part of it.
const QUIET: Duration = Duration::from_secs(180);

impl Bench<'_> {
    /// Waits until every workload is as it should be, and the ledgers are what the pods are.
    pub async fn until_quiet(&mut self, when: &str) {
        let end = Instant::now() + QUIET;
        loop {
            self.tick().await;
            let left = self.unrest().await;
            if left.is_empty() {
                return;
            }
            if Instant::now() > end {
                self.wrong.push(format!("not quiet {when}: {}", left.join("; ")));
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// What is not as it should be at rest.
    async fn unrest(&self) -> Vec<String> {
        let mut left = Vec::new();
        for workload in Workload::ALL {
            if !is_done(&self.world, workload).await.unwrap_or(false) {
                left.push(format!("{} is not rolled out", workload.name()));
            }
        }
        let budgets = self.world.api::<DatabaseBudget>().list(&ListParams::default()).await;
        let seen = self.record.seen();
        for budget in budgets.iter().flat_map(|list| &list.items) {
            let (name, status) = (budget.name_any(), status(budget));
            let held = seen.ledgers.get(&name).map(|ledger| i64::from(sum(ledger, Source::Allocatable)));
            if status.held != held || !status.queue.is_empty() {
                left.push(format!(
                    "{name} says that {:?} are held, and its ledger {held:?}; {:?}",
                    status.held, status.queue
                ));
            }
        }
        let pods: BTreeMap<&String, Holder> = seen.pods.iter().map(|(uid, pod)| (uid, Holder::of(pod))).collect();
        left.extend(pods.values().filter(|pod| pod.waits).map(|pod| format!("{} waits", pod.name)));
        for (name, ledger) in &seen.ledgers {
            let of = |pod: &&Holder| budget_of(&pod.app) == Some(name) && pod.may_hold();
            let runs: BTreeSet<&&String> = pods.iter().filter(|(_, pod)| of(pod)).map(|(uid, _)| uid).collect();
            let known = ledger.entries.keys().filter(|uid| !runs.contains(uid));
            left.extend(
                known.map(|uid| format!("{name} has an entry of {}, which does not run", ledger.entries[uid].name)),
            );
            let missing = runs.iter().filter(|uid| !ledger.entries.contains_key(***uid));
            left.extend(missing.map(|uid| format!("{name} has no entry of {}", pods[**uid].name)));
            left.extend(ledger.quarantine.values().map(|kept| format!("{} is in quarantine", kept.entry.name)));
        }
        let granted: i32 =
            pods.values().filter(|p| budget_of(&p.app) == Some(DATABASE) && p.may_hold()).map(|p| p.holds).sum();
        let open = self.pooler.pool("postgres").all.now;
        if usize::try_from(granted + 1) != Ok(open) {
            left.push(format!("{open} sessions are open, of one psql and {granted} granted"));
        }
        left
    }

    /// Ends it, and says what came of it.
    pub async fn end(mut self) {
        self.calm().await;
        self.until_quiet("at the end").await;
        let changes = std::mem::take(&mut self.record.seen().changes);
        let verdict = replay(changes);
        self.report(&verdict);
        let wrong =
            [&self.wrong, &self.progress.wrong, &verdict.wrong].into_iter().flatten().cloned().collect::<Vec<_>>();
        if !wrong.is_empty() {
            let logs = std::env::temp_dir().join(format!("dbbudget-chaos-{}.log", std::process::id()));
            std::fs::write(&logs, self.replicas.logs()).expect("written");
            panic!(
                "{} things are wrong:\n{}\nwhat was done:\n{}\nthe operators' logs are in {}",
                wrong.len(),
                wrong.join("\n"),
                self.done.join("\n"),
                logs.display()
            );
        }
    }

    fn report(&self, verdict: &Verdict) {
        let all = self.pooler.pool("postgres").all;
        println!("{:.0} s, {} actions: {:?}", self.seconds(), self.counts.values().sum::<usize>(), self.counts);
        println!("actions that the API server or the webhook refused: {}", self.failed);
        let Verdict { granted, drains, quarantined, .. } = verdict;
        println!("granted {granted:?}; killed containers counted on {drains}; in quarantine {quarantined}");
        println!("sessions: {} opened, at most {} at once, {} refused", all.opened, all.peak, all.refused);
        println!(
            "at most held by ledger and by pods: {:?}; versions over the capacity: {}",
            verdict.most, verdict.over
        );
        let Verdict { ledger_versions, pod_changes, unjudged, gaps, .. } = verdict;
        println!(
            "judged: {ledger_versions} versions of ledgers, {pod_changes} changes of pods ({unjudged} by the pooler alone)"
        );
        let written =
            self.cluster.audit().into_iter().filter(|line| line["objectRef"]["resource"] == "databaseledgers");
        let written = written.filter(|line| line["responseStatus"]["code"] == 200 && line["verb"] == "update").count();
        println!("ledgers were written {written} times; gaps: {gaps}");
        println!(
            "the longest rollout: {:.0} s; announced as late: {}",
            self.progress.longest.as_secs_f64(),
            self.progress.announced
        );
    }
}
