//! astrid-transaction: most of astrid through a pooler in transaction mode, and MLflow on a server of its own. The pooler of
//! these tests keeps sessions; that clients would bear one that does not is seen by what they prepare.

use super::astrid::{API, MLFLOW, MLFLOW_SCHEMA, PREFECT, WORKER};
use super::stack::{Service, Stack};
use super::{BUDGET, WORKLOADS, granted, held, in_readme, over};
use crate::back::Back;
use crate::pooler::Limit;
use crate::release::{Release, turn};

const POOLED: [Service; 3] = [API, PREFECT, WORKER];
const DIRECT: [Service; 1] = [MLFLOW];
const POOLER: Limit = Limit::Transaction(200);
/// A stock PostgreSQL.
const SERVER: Limit = Limit::Server(97);
/// Prefect's LISTEN connection, which is outside its pools and needs a session besides, prepares its one heartbeat.
const LISTENING: usize = 1;

#[tokio::test(flavor = "multi_thread")]
async fn astrid_transaction_has_two_budgets() {
    let node = &*turn().await;
    let _release = Release::install(node, "pooled-operator", &[]);
    let back = Back::start().await;
    let pooled = Stack::new(node, &back, "astrid", &POOLED).await;
    let direct = pooled.beside(&DIRECT).await;
    pooled.secret("database-transaction", &[("api", "postgresql", ""), ("prefect", "postgresql+asyncpg", "")]);
    direct.secret("mlflow-database", &[("url", "postgresql+psycopg2", MLFLOW_SCHEMA)]);

    pooled.apply("astrid-transaction", WORKLOADS).await;
    pooled.ready().await;
    direct.ready().await;
    let prepared = pooled.prepared("prefect").await;
    assert!(prepared > LISTENING, "Prefect's pools prepare nothing, and its switches are for nothing");

    // What they lack behind the pooler is not connections: 38 of 200. Whether 97 are enough for MLflow depends on how evenly
    // its four workers share requests: 124 are possible.
    let (refused, pooled_without) = pooled.as_written(POOLER, (0, 21)).await;
    pooled_without.say("as written, pooled");
    assert_eq!(refused, 0, "somebody was refused");
    let (refused, direct_without) = direct.as_written(SERVER, (0, 21)).await;
    direct_without.say(&format!("{refused} refused as written, on a server of its own"));

    pooled.apply("astrid-transaction", BUDGET).await;
    granted(&pooled, "supabase", [("api", 6), ("prefect", 31), ("worker", 1)]).await;
    granted(&pooled, "mlflow", [("mlflow", 44)]).await;
    pooled.restart().await;
    held(&pooled, "supabase", 38).await;
    held(&pooled, "mlflow", 44).await;
    direct.ready().await;
    switched(&pooled, &direct).await;
    pooled.limit(POOLER);
    direct.limit(SERVER);
    let seen = pooled.under_load("pooled").await;
    seen.is_well("pooled");
    pooled.until_done("pooled").await;
    assert_eq!((seen.of("api"), seen.of("worker")), (vec![6], vec![1]), "what is granted is not what is opened");
    assert!(seen.peak() <= 38, "{:?}", seen.pool.all);
    let without = over(20, pooled_without.peak());
    in_readme(&format!("| `astrid-transaction`, pooler | 200 | 0 | {without} | at most 38 | 38 |"));

    let seen = direct.under_load("direct").await;
    seen.is_well("direct");
    assert!(seen.peak() <= 44, "{:?}", seen.pool.all);
    let without = over(20, direct_without.peak());
    in_readme(&format!("| `astrid-transaction`, MLflow's server | 97 | | {without} | at most 44 | 44 |"));
}

/// Pods begin with what transaction mode asks of their clients: no statement outlives its transaction.
async fn switched(pooled: &Stack<'_>, direct: &Stack<'_>) {
    for (stack, service, most) in
        [(pooled, "prefect", LISTENING), (pooled, "api", 0), (pooled, "worker", 0), (direct, "mlflow", 0)]
    {
        let prepared = stack.prepared(service).await;
        assert!(prepared <= most, "{service} prepares {prepared} statements that outlive their transaction");
    }
}
