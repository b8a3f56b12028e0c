//! saas-free-tier: shares follow the replicas, and overlays change what the database takes.

use dbbudget::api::DatabaseBudget;

use super::stack::{Service, Stack};
use super::{BUDGET, WORKLOADS, granted, held, in_readme, over};
use crate::back::Back;
use crate::clients::Load;
use crate::pooler::Limit;
use crate::release::{Release, turn};
use crate::things::status;

const SERVICES: [Service; 1] = [Service {
    name: "api",
    load: Load::Http { port: 8000, ready: "/health", requests: &[("GET", "/async", "")] },
    tables: &["gate"],
}];
const CAP: Limit = Limit::Session(15);

#[tokio::test(flavor = "multi_thread")]
async fn saas_free_tier_never_opens_more_than_15() {
    let node = &*turn().await;
    let _release = Release::install(node, "saas-operator", &[]);
    let back = Back::start().await;
    let stack = Stack::new(node, &back, "saas", &SERVICES).await;
    stack.secret("database", &[("url", "postgresql", "")]);

    // One instance takes all there is, and nobody is refused while it is never replaced.
    let one = written(&stack, "saas-free-tier", (0, 15)).await;
    assert_eq!((one.0, one.1), (0, 15), "refused, and opened");
    let three = written(&stack, "saas-free-tier-x3", (101, 45)).await;
    let refused = over(100, three.0);

    let with = sized(&stack, "saas-free-tier", CAP, (1, 7)).await;
    in_readme(&format!("| `saas-free-tier` ×1 | 15 | {} | {} | {with} | 7 |", one.0, one.1));
    sized(&stack, "saas-free-tier-x2", CAP, (2, 5)).await;
    let with = sized(&stack, "saas-free-tier-x3", CAP, (3, 3)).await;
    println!("saas-free-tier-x3 in a rollout: {:?}", stack.rolled_under_load(CAP).await);
    in_readme(&format!("| `saas-free-tier` ×3 | 15 | {refused} | {} | {with} | 9 |", three.1));
    // What the other overlays change: the pool's size, the numbers in the template, the endpoint.
    sized(&stack, "saas-free-tier-larger-pool", Limit::Session(30), (3, 7)).await;
    published(&stack, "saas-free-tier-development", 15, 5).await;
    published(&stack, "saas-free-tier-high-traffic", 200, 30).await;
}

/// Applies an overlay without its budget, and answers how many were refused, and opened where nobody is.
async fn written(stack: &Stack<'_>, example: &str, least: (usize, usize)) -> (usize, usize) {
    stack.apply(example, WORKLOADS).await;
    stack.ready().await;
    let (refused, without) = stack.as_written(CAP, least).await;
    without.say(example);
    (refused, without.peak())
}

/// Applies an overlay with its budget, and waits until that counts as it should.
async fn published(stack: &Stack<'_>, example: &str, hard: i64, share: i64) {
    stack.apply(example, &[WORKLOADS, BUDGET].concat()).await;
    let capacity = |b: &DatabaseBudget| status(b).capacity.is_some_and(|capacity| capacity.hard == hard);
    stack.world.until("supabase", &format!("{example} is what it counts"), capacity).await;
    granted(stack, "supabase", [("api", share)]).await;
}

/// Applies an overlay with its budget, and answers how many sessions its new pods have at most.
async fn sized(stack: &Stack<'_>, example: &str, cap: Limit, (replicas, share): (usize, i64)) -> usize {
    let (hard, pods) = (i64::try_from(cap.number()).expect("few"), i64::try_from(replicas).expect("few"));
    published(stack, example, hard, share).await;
    stack.restart().await;
    held(stack, "supabase", pods * share).await;
    stack.limit(cap);
    let seen = stack.under_load(example).await;
    seen.is_well(example);
    let share = usize::try_from(share).expect("positive");
    assert_eq!(seen.of("api"), vec![share; replicas], "{example}: what is granted is not what is opened");
    assert!(seen.peak() <= cap.number(), "{example}: {:?}", seen.pool.all);
    seen.peak()
}
