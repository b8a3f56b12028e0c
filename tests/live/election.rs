//! The election on a real API server: two candidates, one Lease.

use std::sync::Arc;
use std::time::Duration;

use dbbudget::cluster::lease::{self, Settings, Timing};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Client;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cluster::OwnCluster;
use crate::world::{PATIENCE, World};

const NAME: &str = "election";

/// One that takes part.
struct Candidate {
    leads: watch::Receiver<bool>,
    trouble: watch::Receiver<Option<String>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), lease::Error>>,
}

impl Candidate {
    fn start(client: Client, namespace: &str, identity: &str, duration: Duration) -> Self {
        let (leader, leads) = watch::channel(false);
        let (told, trouble) = watch::channel(None);
        let (stop, stopped) = oneshot::channel::<()>();
        let timing = Timing { duration, margin: duration / 4, ..Timing::default() };
        let settings = Settings { namespace: namespace.into(), name: NAME.into(), identity: identity.into(), timing };
        let told = Arc::new(told);
        let tell = move |trouble| drop(told.send_replace(trouble));
        let run = lease::run(client, settings, leader, tell, async { drop(stopped.await) });
        Self { leads, trouble, stop: Some(stop), task: tokio::spawn(run) }
    }

    async fn until_leads(&mut self, leads: bool) {
        let waited = timeout(PATIENCE, self.leads.wait_for(|now| *now == leads)).await;
        let trouble = self.trouble.borrow().clone();
        waited.unwrap_or_else(|_| panic!("waited in vain to lead: {leads}; trouble: {trouble:?}")).expect("it runs");
    }

    async fn until_no_trouble(&mut self) {
        timeout(PATIENCE, self.trouble.wait_for(Option::is_none)).await.expect("no trouble").expect("it runs");
    }

    fn leads(&self) -> bool {
        *self.leads.borrow()
    }

    async fn end(mut self) {
        drop(self.stop.take());
        self.task.await.expect("no panic").expect("no error");
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref()
}

#[tokio::test]
async fn of_two_one_leads_and_hands_over_at_once() {
    let world = World::new("handover").await;
    // An hour: only a hand-over lets the second lead within this test.
    let start = |who| Candidate::start(world.client.clone(), &world.namespace, who, Duration::from_secs(3600));
    let mut first = start("first");
    first.until_leads(true).await;
    let mut second = start("second");
    second.until_no_trouble().await; // it has read the Lease
    assert!(!second.leads());

    first.end().await;
    second.until_leads(true).await;
    let lease = world.until(NAME, "the second holds it", |l: &Lease| holder(l) == Some("second")).await;
    assert_eq!(lease.spec.expect("a spec").lease_transitions, Some(1));
    second.end().await;
    world.until(NAME, "nobody holds it", |l: &Lease| holder(l).is_none()).await;
}

#[tokio::test]
async fn a_leader_that_vanished_is_replaced_when_its_claim_has_run_out() {
    let world = World::new("expiry").await;
    let start = |who| Candidate::start(world.client.clone(), &world.namespace, who, Duration::from_secs(8));
    let mut first = start("first");
    first.until_leads(true).await;
    let mut second = start("second");
    world.until(NAME, "the first renewed it", |l: &Lease| renewed(l)).await;
    assert!(!second.leads());
    first.task.abort(); // as SIGKILL does
    second.until_leads(true).await;
    second.end().await;
}

/// Whether it was renewed since it was acquired.
fn renewed(lease: &Lease) -> bool {
    lease.spec.as_ref().is_some_and(|s| s.renew_time > s.acquire_time)
}

#[tokio::test]
async fn of_two_that_race_never_both_lead() {
    let world = World::new("race").await;
    let (left, right) = (world.cluster.client().await, world.cluster.client().await);
    for round in 0..20 {
        let api = world.api::<Lease>();
        if round > 0 {
            api.delete(NAME, &DeleteParams::default()).await.expect("deleted");
        }
        // By turns: none, one that was handed over, one whose holder has vanished. All three are claimed in a race.
        let gone = [None, Some(None), Some(Some("gone".to_owned()))][round % 3].clone();
        if let Some(holder_identity) = gone {
            let spec = LeaseSpec { holder_identity, lease_duration_seconds: Some(1), ..LeaseSpec::default() };
            let metadata = ObjectMeta { name: Some(NAME.into()), ..ObjectMeta::default() };
            api.create(&PostParams::default(), &Lease { metadata, spec: Some(spec) }).await.expect("created");
        }
        let start = |client: &Client, who| Candidate::start(client.clone(), &world.namespace, who, 4 * SECOND);
        let (mut a, mut b) = (start(&left, "a"), start(&right, "b"));
        never_both(&mut a, &mut b).await;
        tokio::join!(a.end(), b.end());
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Follows both until one has led through a renewal, by when a second would long have begun.
async fn never_both(a: &mut Candidate, b: &mut Candidate) {
    let race = async {
        let mut led = None;
        loop {
            assert!(!(a.leads() && b.leads()), "both lead");
            if a.leads() || b.leads() {
                led.get_or_insert_with(tokio::time::Instant::now);
            }
            let enough = async {
                match led {
                    Some(since) => tokio::time::sleep_until(since + SECOND / 2).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = a.leads.changed() => {}
                _ = b.leads.changed() => {}
                () = enough => return,
            }
        }
    };
    timeout(PATIENCE, race).await.expect("one of the two leads");
}

#[tokio::test]
async fn a_leader_that_is_cut_off_stops_before_its_claim_runs_out() {
    let cluster = OwnCluster::start();
    let world = World::on(&cluster, "cut-off").await;
    let mut only = Candidate::start(world.client.clone(), &world.namespace, "only", Duration::from_secs(3));
    only.until_leads(true).await;
    cluster.control(&["stop", "--now", "apiserver"]);
    only.until_leads(false).await;
    assert!(only.trouble.borrow().is_some(), "it does not say what is wrong");
    cluster.control(&["start", "apiserver"]);
    only.until_leads(true).await;
    only.until_no_trouble().await;
    only.end().await;
}
