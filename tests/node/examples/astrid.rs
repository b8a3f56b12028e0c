//! astrid: an API, MLflow, Prefect and a worker on one session pool.

use dbbudget::api::DatabaseBudget;
use kube::ResourceExt;

use super::seen::Seen;
use super::stack::{Service, Stack};
use super::{BUDGET, WORKLOADS, granted, held, in_readme, over};
use crate::back::Back;
use crate::clients::{self, Load};
use crate::pooler::Limit;
use crate::release::{Release, turn};
use crate::things::{budget_is, condition, status};

pub const API: Service = Service { name: "api", load: clients::WEB, tables: &["gate"] };
pub const WORKER: Service = Service { name: "worker", load: Load::Tasks("app.tasks"), tables: &["gate"] };
pub const PREFECT: Service = Service { name: "prefect", load: clients::PREFECT, tables: &["flow", "flow_run"] };
pub const MLFLOW: Service =
    Service { name: "mlflow", load: clients::MLFLOW, tables: &["mlflow.experiments", "mlflow.registered_models"] };
/// MLflow's tables are apart from Prefect's, as both keep the state of their migrations under one name.
pub const MLFLOW_SCHEMA: &str = "?options=-csearch_path%3Dmlflow";

const SERVICES: [Service; 4] = [API, MLFLOW, PREFECT, WORKER];
const CAP: Limit = Limit::Session(15);

#[tokio::test(flavor = "multi_thread")]
async fn astrid_fits_with_one_worker_each() {
    let node = &*turn().await;
    let _release = Release::install(node, "astrid-operator", &["extraArgs={--adopt-after=2}"]);
    let back = Back::start().await;
    let stack = Stack::new(node, &back, "astrid", &SERVICES).await;
    stack.secret(
        "database",
        &[
            ("api", "postgresql", ""),
            ("mlflow", "postgresql+psycopg2", MLFLOW_SCHEMA),
            ("prefect", "postgresql+asyncpg", ""),
        ],
    );

    stack.apply("astrid", WORKLOADS).await;
    stack.ready().await;
    let (refused, without) = stack.as_written(CAP, (21, 41)).await;
    println!("astrid as written: {refused} refused");
    without.say("and asked for");
    let (refused, without) = (over(20, refused), over(40, without.peak()));
    stack.apply("astrid", BUDGET).await;
    let infeasible = |b: &DatabaseBudget| budget_is(b, "WithinCapacity", "Infeasible");
    let seen = stack.world.until("supabase", "it cannot fit, and that is said", infeasible).await;
    let said = condition(&status(&seen).conditions, "WithinCapacity").expect("there").message.clone();
    println!("{said}");
    for way_out in [
        "replace pods in place (maxSurge 0, maxUnavailable 1)",
        "run 1 process in astrid/mlflow",
        "endpoint: Transaction",
    ] {
        assert!(said.contains(way_out), "{way_out:?} is not among the ways out: {said}");
    }

    stack.apply("astrid-fits", &[WORKLOADS, BUDGET].concat()).await;
    granted(&stack, "supabase", [("api", 1), ("mlflow", 8), ("prefect", 3), ("worker", 1)]).await;
    stack.restart().await;
    let fits = within(&stack, "astrid-fits", 1, 8).await;
    attributed(&stack, &fits).await;
    in_readme(&format!("| `astrid`, `astrid-fits` | 15 | {refused} | {without} | at most 13 | 13 |"));

    stack.apply("astrid-jobs-off", &[WORKLOADS, BUDGET].concat()).await;
    granted(&stack, "supabase", [("api", 3), ("mlflow", 6), ("prefect", 3), ("worker", 1)]).await;
    stack.limit(CAP);
    stack.restart().await;
    println!("astrid in a rollout: {:?}", stack.back.pooler.pool(&stack.database).all);
    within(&stack, "astrid-jobs-off", 3, 6).await;
}

/// At rest and under load nobody is refused and all work is done; the API and the worker open what they are granted. MLflow
/// and Prefect open connections outside their pools when they see fit: their grants are upper bounds.
async fn within(stack: &Stack<'_>, example: &str, api: usize, mlflow: usize) -> Seen {
    held(stack, "supabase", 13).await;
    stack.limit(CAP);
    println!("{example} at rest: {:?}", stack.back.pooler.pool(&stack.database).all);
    let seen = stack.under_load(example).await;
    seen.is_well(example);
    stack.until_done(example).await;
    assert_eq!((seen.of("api"), seen.of("worker")), (vec![api], vec![1]), "{example}: granted is not opened");
    for (name, granted) in [("mlflow", mlflow), ("prefect", 3)] {
        let opened = seen.of(name)[0];
        assert!((1..=granted).contains(&opened), "{example}: {name} opened {opened} of {granted} granted");
    }
    assert!(seen.peak() <= 13, "{example}: {:?}", seen.pool.all);
    seen
}

/// Where a client lets a variable name its connections, each has the name of its pod.
async fn attributed(stack: &Stack<'_>, seen: &Seen) {
    for name in ["mlflow", "prefect"] {
        let pod = stack.pods(name).await[0].name_any();
        let named = seen.pool.by_name.get(&pod).map(|tally| tally.peak);
        assert_eq!(named, Some(seen.of(name)[0]), "{pod}, by name and by address: {:#?}", seen.pool);
    }
}
