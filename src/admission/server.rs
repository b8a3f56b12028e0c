//! The webhook over HTTPS, with a limit on everything that a peer could make it wait for or hold.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::timeout;

use super::review::{self, Outcome, Review};
use crate::cluster::certificate::Certificate;
use crate::cluster::view::Shared;
use crate::cluster::webhook::{DEADLINE, JOBS, PODS};
use crate::serve::health::Readiness;
use crate::serve::metrics::Metrics;

/// A review holds one object; the API server takes none that is larger than 3 MiB as JSON, and escapes it no further.
const LARGEST: usize = 4 << 20;
/// Longer than the API server waits, nobody listens.
const READING: Duration = Duration::from_secs(DEADLINE);
/// An API server uses a connection again for 90 s (Go's `IdleConnTimeout`). If this side closed it first, a question might
/// come just then, and its pod would be let in unasked. hyper waits this long for the next question, headers included.
const IDLE: Duration = Duration::from_secs(120);
/// After a signal, requests still come until everybody has heard that this replica is gone.
const LINGER: Duration = Duration::from_secs(5);
/// And those that are under way may end.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the webhook ended without being asked to.
#[derive(Debug, Error)]
pub enum Error {
    /// Whoever makes certificates is gone.
    #[error("the part that makes certificates ended")]
    NoCertificate,
    /// The listener broke.
    #[error(transparent)]
    Listener(#[from] io::Error),
}

/// What answering needs.
#[derive(Clone)]
struct Context {
    shared: Shared,
    metrics: Arc<Metrics>,
}

/// Answers from the first certificate on, until `stop` (which tells whether anybody may still ask); then lets requests
/// out. A new certificate is shown to whoever
/// connects next.
///
/// # Errors
/// When the listener breaks, or certificates end.
pub async fn run(
    listener: TcpListener,
    shared: Shared,
    metrics: Arc<Metrics>,
    ready: Readiness,
    mut certificates: watch::Receiver<Option<Arc<Certificate>>>,
    stop: impl Future<Output = bool>,
) -> Result<(), Error> {
    let pending = ready.waiting_for("the webhook's certificate");
    let first = certificates.wait_for(Option::is_some).await.map_err(|_| Error::NoCertificate)?.clone();
    let first = first.ok_or(Error::NoCertificate)?;
    let tls = RustlsConfig::from_pem(first.chain.clone().into(), first.key.clone().into()).await?;
    let router = Router::new().route(PODS, post(pods)).route(JOBS, post(jobs)).with_state(Context { shared, metrics });
    let handle = Handle::new();
    let mut server = axum_server::from_tcp_rustls(listener, tls.clone())?.handle(handle.clone());
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
    server.http_builder().http2().timer(TokioTimer::new()).keep_alive_interval(Some(Duration::from_secs(20)));
    pending.done();
    let serving = server.serve(router.into_make_service());
    let exchanging = exchange(&tls, certificates);
    let stopping = async {
        if stop.await {
            tokio::time::sleep(LINGER).await;
        }
        handle.graceful_shutdown(Some(DRAIN));
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        outcome = serving => Ok(outcome?),
        never = exchanging => match never {},
        never = stopping => match never {},
    }
}

/// Shows each new certificate. One that cannot be used is not shown; the one before stays.
async fn exchange(tls: &RustlsConfig, mut certificates: watch::Receiver<Option<Arc<Certificate>>>) -> Infallible {
    while certificates.changed().await.is_ok() {
        let Some(new) = certificates.borrow_and_update().clone() else { continue };
        match tls.reload_from_pem(new.chain.clone().into(), new.key.clone().into()).await {
            Ok(()) => tracing::info!("the webhook shows a new certificate"),
            Err(error) => tracing::error!("the new certificate cannot be used, the one before stays: {error}"),
        }
    }
    std::future::pending().await // this replica is stopping, and still answers
}

async fn pods(State(context): State<Context>, body: Body) -> Response {
    let shared = context.shared.clone();
    answer(&context.metrics, "pod", body, |review| review::pod(review, |draws| draws(&shared.read()))).await
}

async fn jobs(State(context): State<Context>, body: Body) -> Response {
    answer(&context.metrics, "job", body, review::job).await
}

async fn answer(
    metrics: &Metrics,
    kind: &'static str,
    body: Body,
    decide: impl FnOnce(Review) -> (Review, Outcome),
) -> Response {
    let bytes = match timeout(READING, to_bytes(body, LARGEST)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return (StatusCode::PAYLOAD_TOO_LARGE, "a review has 4 MiB at most\n").into_response(),
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "the review did not arrive in time\n").into_response(),
    };
    let started = Instant::now();
    let review: Review = match serde_json::from_slice(&bytes) {
        Ok(review) => review,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("no AdmissionReview: {error}\n")).into_response(),
    };
    let (answer, outcome) = decide(review);
    let written = serde_json::to_vec(&answer);
    metrics.reviewed(started.elapsed(), kind, outcome.as_str());
    match written {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Takes the address, so that who is in the way is told before anything runs.
///
/// # Errors
/// When it is taken, or is none of this machine's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

    use super::*;

    /// As an API server asks: over HTTP/1.1, on a connection that was quiet for longer than it waits for an answer.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_that_was_quiet_is_answered_on() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let certificate = Certificate { authorities: chain.clone(), chain, key };
        let (_kept, certificates) = watch::channel(Some(Arc::new(certificate)));
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let (shared, _notices) = Shared::new();
        let (metrics, ready) = (Arc::default(), Readiness::default());
        tokio::spawn(run(listener, shared, metrics, ready, certificates, std::future::pending()));
        let asked = tokio::task::spawn_blocking(move || {
            let mut roots = RootCertStore::empty();
            roots.add(made.cert.der().clone()).unwrap();
            let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
            let name = ServerName::try_from("localhost").unwrap();
            let connection = ClientConnection::new(Arc::new(config), name).unwrap();
            let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
            for quiet in [Duration::ZERO, READING + Duration::from_secs(1)] {
                std::thread::sleep(quiet);
                write!(stream, "POST {PODS} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{{}}").unwrap();
                let mut answer = [0; 1024];
                let read = stream.read(&mut answer).unwrap();
                assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 400"), "no AdmissionReview");
            }
        });
        asked.await.unwrap();
    }
}
