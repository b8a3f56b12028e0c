//! The command line.

use clap::{Parser, Subcommand};

use crate::commands::{clients, explain, plan, release, render, reserve, run, top};

/// Keeps many Kubernetes workloads under one database's connection cap.
#[derive(Debug, Parser)]
#[command(name = "dbbudget", version, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Exit status: 0 well (plan, render: it fits), 1 plan, render: it does not fit, others: failed, 2 bad input or usage."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what manifests need and get, before anything runs. No cluster needed
    Plan(plan::Args),
    /// Write the shares into manifests: GitOps without a webhook. As `dbbudget-fn` a KRM function
    Render(render::Args),
    /// Watch a cluster and keep the status of its budgets and claims true
    Run(run::Args),
    /// Show who holds which connections, and who waits; on a terminal as it changes
    Top(top::Args),
    /// Explain why a pod waits and what frees it, or what it was granted
    Explain(explain::Args),
    /// Keep connections for a while: for a migration, or for people
    Reserve(reserve::Args),
    /// Take dbbudget's hands off a cluster: let pods go that wait, remove the webhook and the ledgers
    Release(release::Args),
    /// Show what each client software really opens and obeys
    Clients {
        /// A client or server program: everything that is known of it
        name: Option<String>,
        /// How to print
        #[arg(short, long, value_enum, default_value_t)]
        output: clients::Format,
    },
    /// Print the custom resource definitions as YAML
    Crds {
        /// Write one file per kind into this folder instead
        #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
        write: Option<std::path::PathBuf>,
    },
    /// Print a completion script: `source <(dbbudget completion bash)`
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}
