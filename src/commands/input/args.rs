//! What `plan` and `render` are told to read.

use std::path::PathBuf;

use crate::api::parse::Name;

/// Manifests, and what they do not say about the cluster.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)] // its name is taken by the arguments around it
pub struct Args {
    /// Manifests: a file, a folder (read recursively) or - for standard input. Repeatable; budgets, claims and workloads
    /// are read together
    #[arg(short = 'f', long = "filename", value_name = "PATH", value_hint = clap::ValueHint::AnyPath, required_unless_present = "kustomize")]
    pub files: Vec<String>,

    /// A kustomization, built with kubectl or kustomize. Repeatable
    #[arg(short = 'k', long = "kustomize", value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub kustomize: Vec<PathBuf>,

    /// Namespace of objects that name none
    #[arg(short, long, value_name = "NS", default_value = "default")]
    pub namespace: String,

    /// Nodes of the cluster: a DaemonSet has a pod on each
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub nodes: Option<u32>,

    /// CPUs of a node: some clients and servers size themselves by them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub node_cpus: Option<u32>,

    /// Connections that a budget's database gives, in place of what the budget says. Repeatable
    #[arg(long = "capacity", value_name = "NS/NAME=N", value_parser = capacity)]
    pub capacities: Vec<(Name, u32)>,
}

fn capacity(text: &str) -> Result<(Name, u32), String> {
    let parts = text.split_once('=').and_then(|(name, n)| Some((name.split_once('/')?, n.parse::<u32>().ok()?)));
    match parts {
        Some(((namespace, name), n)) if (1..=1_000_000).contains(&n) => Ok((Name::new(namespace, name), n)),
        _ => Err("expected NAMESPACE/NAME=N with N from 1 to 1000000, for example astrid/supabase=30".into()),
    }
}
