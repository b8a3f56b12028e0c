//! ai-dock: two engines in every process, on a server without a pooler.

use dbbudget::api::DatabaseBudget;

use super::stack::{Service, Stack};
use super::{BUDGET, WORKLOADS, granted, held, in_readme, over};
use crate::back::Back;
use crate::clients::Load;
use crate::pooler::Limit;
use crate::release::{Release, turn};
use crate::things::{budget_is, condition, row, status};

const SERVICES: [Service; 2] = [
    Service {
        name: "api",
        load: Load::Http { port: 8000, ready: "/health", requests: &[("GET", "/", ""), ("GET", "/async", "")] },
        tables: &["gate"],
    },
    Service { name: "jobs", load: Load::OfItsOwn, tables: &["gate"] },
];
/// 100, of which 3 are kept for superusers.
const CAP: Limit = Limit::Server(97);

#[tokio::test(flavor = "multi_thread")]
async fn ai_dock_counts_both_engines() {
    let node = &*turn().await;
    let _release = Release::install(node, "dock-operator", &[]);
    let back = Back::start().await;
    let stack = Stack::new(node, &back, "ai-dock", &SERVICES).await;
    stack.secret("database", &[("url", "postgresql", "")]);

    stack.apply("ai-dock", WORKLOADS).await;
    stack.ready().await;
    let (refused, without) = stack.as_written(CAP, (101, 180)).await;
    without.say("as written");
    let refused = over(100, refused);

    // The night it ran out: what two pods and one could hold, and with every rollout.
    stack.apply("ai-dock-emergency", &[WORKLOADS, BUDGET].concat()).await;
    let exceeded = |b: &DatabaseBudget| {
        let wanted = ["api", "jobs"].map(|name| row(b, name).wanted);
        wanted == [Some(600), Some(120)] && status(b).peak == Some(720) && budget_is(b, "WithinCapacity", "Exceeded")
    };
    let seen = stack.world.until("railway", "720 of 92 are said to exceed", exceeded).await;
    println!("{}", condition(&status(&seen).conditions, "WithinCapacity").expect("there").message);

    stack.apply("ai-dock", &[WORKLOADS, BUDGET].concat()).await;
    granted(&stack, "railway", [("api", 22), ("jobs", 12)]).await;
    stack.restart().await;
    stack.limit(CAP);
    let with = stack.under_load("sized").await;
    with.is_well("ai-dock");
    assert_eq!(with.of("api"), [22, 22], "what is granted is not what is opened");
    assert_eq!(with.of("jobs"), [12], "what is granted is not what is opened");
    held(&stack, "railway", 56).await;
    in_readme(&format!("| `ai-dock` | 97 | {refused} | {} | {} | 56 |", without.peak(), with.peak()));
    let rollout = stack.rolled_under_load(CAP).await;
    println!("ai-dock in a rollout: {rollout:?}");
    thresholds(&stack).await;
}

/// Healthy below 70 % of 92, Warning from there, Critical from 90 %: pods that are there keep the shares they were born with.
async fn thresholds(stack: &Stack<'_>) {
    for (name, replicas, reason) in [("api", 2, "Healthy"), ("api", 3, "Warning"), ("jobs", 2, "Critical")] {
        stack.kubectl(&["scale", "deployment", name, &format!("--replicas={replicas}")]);
        let so = |b: &DatabaseBudget| row(b, name).pods == replicas && budget_is(b, "WithinCapacity", reason);
        let seen = stack.world.until("railway", &format!("{replicas} pods of {name} make it {reason}"), so).await;
        println!("{}", condition(&status(&seen).conditions, "WithinCapacity").expect("there").message);
    }
}
