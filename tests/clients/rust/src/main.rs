//! What a Rust client opens: many queries at once, on a table that the test has locked, and a word on how they ended.
//! Its one argument is the client.

use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::future::Future;

use deadpool_postgres::{Config, Pool, Runtime};
use serde::Deserialize;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio_postgres::NoTls;

const QUERY: &str = "select count(*) from gate";

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let (client, url) = (env::args().nth(1).unwrap_or_default(), env::var("DATABASE_URL")?);
    match client.as_str() {
        "sqlx" => {
            let options = env::var("DB_POOL_MAX").ok().and_then(|max| max.parse().ok());
            let pool = match options {
                Some(max) => PgPoolOptions::new().max_connections(max).connect_lazy(&url)?,
                None => PgPool::connect_lazy(&url)?,
            };
            hold(move || sqlx_query(pool.clone())).await;
        }
        "deadpool" => {
            let pool = Config { url: Some(url), ..Config::new() }.create_pool(Some(Runtime::Tokio1), NoTls)?;
            hold(move || deadpool_query(pool.clone())).await;
        }
        "deadpool-env" => {
            let pool = from_environment(&url)?;
            hold(move || deadpool_query(pool.clone())).await;
        }
        other => return Err(format!("there is no client {other:?}; expected sqlx, deadpool or deadpool-env").into()),
    }
    Ok(())
}

async fn sqlx_query(pool: PgPool) -> Outcome {
    sqlx::query(QUERY).execute(&pool).await?;
    Ok(())
}

async fn deadpool_query(pool: Pool) -> Outcome {
    pool.get().await?.query(QUERY, &[]).await?;
    Ok(())
}

/// As deadpool-postgres documents it: `PG__POOL__MAX_SIZE` and the like.
fn from_environment(url: &str) -> Outcome<Pool> {
    #[derive(Deserialize)]
    struct Settings {
        pg: Config,
    }
    let source = config::Environment::default().separator("__");
    let settings = config::Config::builder().set_default("pg.url", url)?.add_source(source).build()?;
    let Settings { pg } = settings.try_deserialize()?;
    Ok(pg.create_pool(Some(Runtime::Tokio1), NoTls)?)
}

async fn hold<F>(query: impl Fn() -> F)
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let requests = env::var("REQUESTS").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let running: Vec<_> = (0..requests).map(|_| tokio::spawn(query())).collect();
    let (mut ok, mut errors) = (0, BTreeSet::new());
    for one in running {
        match one.await {
            Ok(Ok(())) => ok += 1,
            Ok(Err(error)) => drop(errors.insert(error.to_string())),
            Err(error) => drop(errors.insert(error.to_string())),
        }
    }
    println!("{}", serde_json::json!({"ok": ok, "failed": requests - ok, "errors": errors}));
    std::future::pending::<()>().await; // stays
}
