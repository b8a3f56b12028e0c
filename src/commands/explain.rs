//! `dbbudget explain pod`: why a pod waits, and what frees it; what it was granted, and by whom; or why it has nothing.

pub mod account;
mod around;
mod text;
mod waiting;

use std::io::{self, Write};

use clap::{Subcommand, ValueEnum};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use thiserror::Error;

use super::reach::{Reach, ReachError, failed};
use crate::cluster::view::item::RawPod;
use crate::cluster::view::locate::everywhere;
use crate::cluster::view::sources::Source;
use crate::controller::leases::facts::now;
use account::explain;
pub use around::Around;
pub use text::text;

/// A name that is less like another than this is no mistake of typing.
const LIKE: f64 = 0.8;
/// Names that are shown where one was mistyped.
const NAMED: usize = 3;

/// Options of `dbbudget explain`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What is explained
    #[command(subcommand)]
    pub what: What,
}

/// What is explained.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// Why a pod waits and what frees it, what it was granted, or why it has nothing
    #[command(alias = "pods", alias = "po")]
    Pod(PodArgs),
}

/// Which pod, and how it is shown.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 explained, whatever the answer; 1 no such pod, or the cluster does not answer; 2 usage."
)]
pub struct PodArgs {
    /// Its name
    pub name: String,
    /// Its namespace. Default: the context's
    #[arg(long, short, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// How to print
    #[arg(long, short, value_enum, default_value_t)]
    pub output: Format,
    /// Where, and as whom
    #[command(flatten)]
    pub reach: Reach,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// `explain.dbbudget.dev/v1`; within v1 fields are only added
    Json,
}

/// Why nothing is explained.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// The cluster does not answer.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// There is no such pod.
    #[error("no pod {name} in the namespace {namespace}{}", instead(nearest, *others, namespace))]
    NoPod {
        /// What was asked for.
        name: String,
        /// Where.
        namespace: String,
        /// Names that are like it.
        nearest: Vec<String>,
        /// How many pods there are.
        others: usize,
    },
    /// Nobody takes the output.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

fn instead(nearest: &[String], others: usize, namespace: &str) -> String {
    match (nearest, others) {
        ([], 0) => "; it has none at all. Say -n where the pod is in another one".to_owned(),
        ([], n) => format!(", which has {n} others: kubectl -n {namespace} get pods"),
        (names, _) => format!("; did you mean {}?", names.join(", ")),
    }
}

/// Explains.
///
/// # Errors
/// When there is no such pod, when the cluster does not answer, or nobody takes the output.
pub async fn run(args: &Args, out: &mut dyn Write) -> Result<(), ExplainError> {
    let What::Pod(args) = &args.what;
    let reached = args.reach.connect().await?;
    let namespace = args.namespace.clone().unwrap_or(reached.namespace);
    let raw = read(&reached.client, &namespace, &args.name).await?;
    let around = around::gather(&reached.client, &namespace, &raw).await?;
    let explained = explain(&raw, &around, now());
    match args.output {
        Format::Text => out.write_all(text(&explained, now()).as_bytes())?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &explained).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

async fn read(client: &Client, namespace: &str, name: &str) -> Result<RawPod, ExplainError> {
    let resource = everywhere(&Source::Pods);
    let none = |nearest, others| ExplainError::NoPod {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        nearest,
        others,
    };
    let Some(resource) = resource else { return Err(none(Vec::new(), 0)) };
    let api: Api<RawPod> = Api::namespaced_with(client.clone(), namespace, &resource);
    let what = format!("cannot read the pod {namespace}/{name}");
    if let Some(pod) = api.get_opt(name).await.map_err(failed(what))? {
        return Ok(pod);
    }
    let what = format!("no pod {name} in the namespace {namespace}, and its pods cannot be listed");
    let listed = api.list_metadata(&ListParams::default()).await.map_err(failed(what))?;
    let names: Vec<String> = listed.items.iter().map(ResourceExt::name_any).collect();
    Err(none(nearest(&names, name), names.len()))
}

/// The names that are most like one.
fn nearest(names: &[String], wanted: &str) -> Vec<String> {
    let likeness = names.iter().map(|name| (strsim::jaro_winkler(wanted, name), name));
    let mut alike: Vec<(f64, &String)> = likeness.filter(|(likeness, _)| *likeness > LIKE).collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0));
    alike.into_iter().take(NAMED).map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_mistyped_is_found() {
        let names: Vec<String> = ["api-7d9c-x2x", "api-7d9c-b4q", "worker-0"].map(str::to_owned).into();
        assert_eq!(nearest(&names, "api-7d9c-x2y"), ["api-7d9c-x2x", "api-7d9c-b4q"]);
        assert!(nearest(&names, "zookeeper").is_empty());
        assert_eq!(instead(&[], 0, "shop"), "; it has none at all. Say -n where the pod is in another one");
        assert_eq!(instead(&["a".into()], 3, "shop"), "; did you mean a?");
    }
}
