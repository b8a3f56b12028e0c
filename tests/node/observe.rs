//! `mode: observe` can do nothing but look and tell.

use dbbudget::api::DatabaseBudget;

use crate::release::{Release, turn};
use crate::things::{budget, budget_is};
use crate::world::World;

/// What it may do beside reading: status, events, and its own Lease.
const MAY: [(&str, &[&str]); 5] = [
    ("databasebudgets.dbbudget.dev/status", &["patch"]),
    ("databaseclaims.dbbudget.dev/status", &["patch"]),
    ("events.events.k8s.io", &["create", "patch"]),
    ("leases.coordination.k8s.io", &["create", "get", "list", "update", "watch"]),
    // What every account may ask about itself.
    ("self", &["create"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_and_tells_and_may_do_nothing_else() {
    let node = &*turn().await;
    let release = Release::install(node, "watching", &["mode=observe"]);
    let world = World::on(&node.cluster, "watched").await;
    let asks = budget("db", "", &[]).replace("enforcement: Observe", "enforcement: Inject");
    world.apply(&asks).await;
    world
        .until("db", "it is told that nothing is injected", |b: &DatabaseBudget| budget_is(b, "Injected", "NotActive"))
        .await;

    for namespace in ["watching", "kube-system"] {
        let list = ["auth", "can-i", "--list", "--no-headers", "--as", &release.user(), "-n", namespace];
        let (out, _) = node.cluster.kubectl(&list).expect("an answer");
        let rules: Vec<(&str, Vec<&str>)> = out.lines().filter_map(rule).collect();
        assert!(rules.iter().any(|(resource, _)| *resource == "pods"), "{out}");
        for (resource, verbs) in &rules {
            let known =
                MAY.iter().find(|(name, _)| resource.starts_with(name)).map_or(&["list", "watch"][..], |(_, v)| v);
            let beyond: Vec<_> = verbs.iter().filter(|verb| !known.contains(verb)).collect();
            assert!(beyond.is_empty(), "{resource}: {beyond:?} in {namespace}\n{out}");
            assert!(!resource.contains("secrets") && !resource.contains("webhook"), "{resource}");
        }
    }
    for kind in ["mutatingwebhookconfigurations", "validatingadmissionpolicies"] {
        let (out, _) = node.cluster.kubectl(&["get", kind, "-o", "name"]).expect("an answer");
        assert!(!out.contains("dbbudget"), "{out}");
    }
}

/// A line of `kubectl auth can-i --list`: resource and verbs. Lines about URLs begin with blanks.
fn rule(line: &str) -> Option<(&str, Vec<&str>)> {
    let resource = line.split_whitespace().next().filter(|_| !line.starts_with(' '))?;
    let verbs = line.rsplit_once('[')?.1.trim_end_matches(']');
    Some((resource, verbs.split_whitespace().collect()))
}
