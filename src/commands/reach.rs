//! How a command reaches a cluster: as kubectl does.

use std::path::PathBuf;

use kube::config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use thiserror::Error;

use crate::api::parse::Name;
use crate::cluster::view::follow::with_causes;

/// Which cluster, and as whom.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct Reach {
    /// Kubeconfig to use. Default: KUBECONFIG, `~/.kube/config`, or within a pod its account
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig. Default: its current one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// User to act as, where you may
    #[arg(long = "as", value_name = "USER")]
    pub impersonate: Option<String>,
}

/// Why a cluster did not answer, or not as it should.
#[derive(Debug, Error)]
pub enum ReachError {
    /// No cluster to ask.
    #[error("found no cluster: {}; set KUBECONFIG, or run in a pod with a service account", with_causes(.0))]
    NoCluster(InferConfigError),
    /// The kubeconfig that was named is not one.
    #[error("the kubeconfig cannot be used: {}", with_causes(.0))]
    Kubeconfig(KubeconfigError),
    /// The cluster's address or credentials cannot be used.
    #[error("cannot connect to the cluster: {}", with_causes(.0))]
    Client(kube::Error),
    /// The three kinds are not there.
    #[error(
        "this cluster has no {what}: dbbudget's definitions are not installed (helm install, or kubectl apply -f crds)"
    )]
    NotInstalled {
        /// What was asked for.
        what: String,
    },
    /// A request failed.
    #[error("{what}: {}", said(source))]
    Request {
        /// What was tried, as "cannot read …".
        what: String,
        /// What the API server says.
        source: kube::Error,
    },
}

/// A cluster that can be asked.
pub struct Reached {
    /// Asks it.
    pub client: Client,
    /// The namespace of the context.
    pub namespace: String,
}

impl Reach {
    /// Finds the cluster. Nothing is asked yet.
    ///
    /// # Errors
    /// When there is none, or its address or credentials cannot be used.
    pub async fn connect(&self) -> Result<Reached, ReachError> {
        // An error says that it has been chosen before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = self.config().await?;
        if let Some(user) = &self.impersonate {
            config.auth_info.impersonate = Some(user.clone());
        }
        // A write that is sent again later rests on old facts.
        config.default_retry = false;
        let namespace = config.default_namespace.clone();
        Ok(Reached { client: Client::try_from(config).map_err(ReachError::Client)?, namespace })
    }

    async fn config(&self) -> Result<Config, ReachError> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        match (&self.kubeconfig, &self.context) {
            (None, None) => Config::infer().await.map_err(ReachError::NoCluster),
            (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(ReachError::Kubeconfig),
            (Some(file), _) => {
                let kubeconfig = Kubeconfig::read_from(file).map_err(ReachError::Kubeconfig)?;
                Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(ReachError::Kubeconfig)
            }
        }
    }
}

/// What the API server says, or why it says nothing.
fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => with_causes(other),
    }
}

/// What failed, for people. `what`: what was tried, as "cannot read …".
pub fn failed(what: impl Into<String>) -> impl FnOnce(kube::Error) -> ReachError {
    let what = what.into();
    move |source| match source {
        // The answer where a whole kind is missing; of a single object it names that.
        kube::Error::Api(status) if status.code == 404 && status.details.as_ref().is_none_or(|d| d.name.is_empty()) => {
            ReachError::NotInstalled { what: what.trim_start_matches("cannot read ").to_owned() }
        }
        source => ReachError::Request { what, source },
    }
}

/// Reads `NAMESPACE/NAME`.
///
/// # Errors
/// When it is not of that form.
pub fn named(text: &str) -> Result<Name, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Name::new(namespace, name))
        }
        _ => Err("expected NAMESPACE/NAME, such as dbbudget/dbbudget".into()),
    }
}
