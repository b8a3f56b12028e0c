//! A metrics API of the tests' own, for real autoscalers: `external.metrics.k8s.io`, with one number for everything.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use serde_json::{Value, json};

use crate::cluster::Cluster;

const GROUP_VERSION: &str = "external.metrics.k8s.io/v1beta1";

/// A metric that a test sets.
#[derive(Clone)]
pub struct Metric(Arc<AtomicU32>);

impl Metric {
    /// Serves it, and tells the API server of this cluster where. It ends with the runtime of its test, so that the
    /// cluster is to be of that test alone: nobody can list all kinds of an API server that misses one.
    pub async fn serve(cluster: &Cluster, value: u32) -> Self {
        let metric = Self(Arc::new(AtomicU32::new(value)));
        let _ = rustls::crypto::ring::default_provider().install_default(); // another test may have been first
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket for tokio");
        let port = listener.local_addr().expect("an address").port();
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
        let tls = RustlsConfig::from_pem(certificate.into_bytes(), key.into_bytes()).await.expect("a configuration");
        let routes = Router::new()
            .route(&format!("/apis/{GROUP_VERSION}"), get(resources))
            .route(&format!("/apis/{GROUP_VERSION}/namespaces/{{namespace}}/{{metric}}"), get(values))
            .with_state(metric.clone());
        let server = axum_server::from_tcp_rustls(listener, tls).expect("it listens");
        tokio::spawn(async move { server.serve(routes.into_make_service()).await.expect("served") });
        register(cluster, port);
        metric
    }

    /// Sets it.
    pub fn set(&self, value: u32) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// An `ExternalName` is what the API server resolves itself, so that nobody has to route to a Service.
fn register(cluster: &Cluster, port: u16) {
    let text = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: metrics, namespace: default}}\nspec: {{type: ExternalName, \
         externalName: localhost, ports: [{{port: {port}}}]}}\n---\napiVersion: apiregistration.k8s.io/v1\nkind: \
         APIService\nmetadata: {{name: v1beta1.external.metrics.k8s.io}}\nspec: {{group: external.metrics.k8s.io, version: \
         v1beta1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, service: {{name: metrics, \
         namespace: default, port: {port}}}}}\n"
    );
    let file = cluster.folder().join("metrics.yaml");
    std::fs::write(&file, text).expect("written");
    cluster.kubectl(&["apply", "-f", &file.to_string_lossy()]).expect("registered");
    let available =
        ["wait", "--for=condition=Available", "--timeout=60s", "apiservice/v1beta1.external.metrics.k8s.io"];
    cluster.kubectl(&available).expect("the API server reaches it");
}

fn answer(value: &Value) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, "application/json")], value.to_string())
}

async fn resources() -> impl IntoResponse {
    let load = json!({
        "name": "load", "singularName": "", "namespaced": true, "kind": "ExternalMetricValueList", "verbs": ["get"],
    });
    answer(&json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION, "resources": [load]}))
}

async fn values(State(metric): State<Metric>, Path((_, name)): Path<(String, String)>) -> impl IntoResponse {
    let value = metric.0.load(Ordering::Relaxed).to_string();
    let timestamp = jiff::Timestamp::now().to_string();
    let item = json!({"metricName": name, "metricLabels": {}, "timestamp": timestamp, "value": value});
    answer(&json!({"kind": "ExternalMetricValueList", "apiVersion": GROUP_VERSION, "metadata": {}, "items": [item]}))
}
