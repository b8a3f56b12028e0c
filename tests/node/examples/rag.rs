//! rag-backend: one pod fits as it is written, and two in a rollout do not.

use super::stack::{Service, Stack};
use super::{BUDGET, WORKLOADS, granted, held, in_readme, over};
use crate::back::Back;
use crate::clients::WEB;
use crate::load::ask;
use crate::pooler::Limit;
use crate::release::{Release, turn};

const SERVICES: [Service; 1] = [Service { name: "rag-backend", load: WEB, tables: &["gate"] }];
const CAP: Limit = Limit::Session(15);

#[tokio::test(flavor = "multi_thread")]
async fn rag_backend_has_room_for_its_rollouts() {
    let node = &*turn().await;
    let _release = Release::install(node, "rag-operator", &[]);
    let back = Back::start().await;
    let stack = Stack::new(node, &back, "rag", &SERVICES).await;
    stack.secret("database", &[("url", "postgresql", "")]);

    stack.apply("rag-backend", WORKLOADS).await;
    stack.ready().await;
    let (refused, without) = stack.as_written_through_a_rollout(CAP, (101, 30)).await;
    without.say("as written");
    let refused = over(100, refused);

    stack.apply("rag-backend", BUDGET).await;
    granted(&stack, "supabase", [("rag-backend", 5)]).await;
    stack.restart().await;
    stack.limit(CAP);
    let with = stack.under_load("sized").await;
    with.is_well("rag-backend");
    assert_eq!(with.of("rag-backend"), [5], "what is granted is not what is opened");
    held(&stack, "supabase", 5).await;
    let pool = ask(&stack.host("rag-backend").await, ("GET", "/health/db-pool", "")).await.expect("an answer");
    let numbers = r#"{"pool_size":5,"max_overflow":0,"pool_timeout":30,"pool_recycle":1800}"#;
    assert!(pool.ends_with(numbers), "the application runs with {pool}");

    let rollout = stack.rolled_under_load(CAP).await;
    println!("rag-backend in a rollout: {rollout:?}");
    in_readme(&format!(
        "| `rag-backend`, in a rollout | 15 | {refused} | {} | {} | 10 |",
        without.peak(),
        rollout.peak
    ));
}
