//! What dbbudget tells over HTTP: `/healthz`, `/readyz` and `/metrics`.

pub mod health;
pub mod metrics;

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use health::Readiness;
use metrics::Metrics;

/// Answers until `stop`.
///
/// # Errors
/// When the listener breaks.
pub async fn run(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new()
        // Alive is who answers: a task that ends takes the process with it.
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(readiness)
        .route("/metrics", get(scrape).with_state(metrics));
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let missing = readiness.missing();
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready:\n- {}\n", missing.join("\n- "))).into_response()
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics.encode()).into_response()
}
