//! `dbbudget release`: takes dbbudget's hands off a cluster.

use kube::{Api, Client, Config};
use thiserror::Error;

use crate::cluster::webhook;

/// Options of `dbbudget release`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Remove the webhook, so that pods are created as they are written; a running dbbudget would register it again
    #[arg(long, required = true)]
    pub webhook: bool,
    /// Name of its `MutatingWebhookConfiguration`
    #[arg(long, value_name = "NAME", default_value = "dbbudget")]
    pub webhook_name: String,
}

/// Why nothing was released.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// No cluster to work in.
    #[error("found no cluster: {0}; run in a pod with a service account, or set KUBECONFIG")]
    NoCluster(kube::config::InferConfigError),
    /// The API server refused, or was not reached.
    #[error("the MutatingWebhookConfiguration {name} could not be removed: {source}")]
    Webhook {
        /// Its name.
        name: String,
        /// What the API server says.
        source: kube::Error,
    },
}

/// Removes what was asked for. What is gone already is no error.
///
/// # Errors
/// When the cluster is not reached, or refuses.
pub async fn run(args: &Args) -> Result<(), ReleaseError> {
    let name = args.webhook_name.clone();
    let failed = |source| ReleaseError::Webhook { name: name.clone(), source };
    // An error says that it has been chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::infer().await.map_err(ReleaseError::NoCluster)?;
    let client = Client::try_from(config).map_err(failed)?;
    webhook::remove(&Api::all(client), &name).await.map_err(failed)
}
