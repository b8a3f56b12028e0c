//! What the catalogue says of one program that runs application code in processes and threads.

use super::Evidence;
use serde::{Deserialize, Serialize};

/// Where a server program's processes or threads are set, in the order in which they win: arguments, then arguments
/// from the environment, then variables, then the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Setting {
    /// Flags, each with its dashes: `-w`, `--workers`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables that hold a number, the winning one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The number when nothing sets it. Absent, and no `perNodeCpu`: unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<u32>,
    /// It follows the node's CPUs when nothing sets it: `CPUs × this`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_node_cpu: Option<u32>,
    /// What 0 means, where it does not mean none (Puma's `-w 0`: single mode, one process).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_means: Option<u32>,
}

/// A flag whose value changes what the program is: gunicorn's worker class, Celery's pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mode {
    /// The flags that choose it.
    pub args: Vec<String>,
    /// Values, compared by their end, so that `UvicornWorker` meets `uvicorn.workers.UvicornWorker`. Empty: any value that
    /// no mode before this one has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Then it is this many processes, whatever else is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Then this is one process, and the number of processes is that of its threads (Celery's `-P threads`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub processes_are_threads: bool,
    /// Then threads bound nothing: connections are opened by coroutines.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub threads_unbounded: bool,
}

/// A program that runs application code in processes and threads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Server {
    /// Its name here, and the command that starts it.
    pub name: String,
    /// How certain this entry is.
    pub evidence: Evidence,
    /// The version looked at.
    pub version: String,
    /// Where the facts come from.
    pub source: String,
    /// Commands that start it: `gunicorn`, `mlflow server`, `python -m gunicorn`; words after the first must follow in
    /// this order among the first non-flag words.
    pub commands: Vec<String>,
    /// A variable that holds more arguments: `GUNICORN_CMD_ARGS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args_env: Option<String>,
    /// Flags that name a configuration file, which may set anything unseen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<String>,
    /// Its processes.
    pub processes: Setting,
    /// Threads of each process; absent: threads do not bound connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<Setting>,
    /// Values of a flag that change the above; the first that matches counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modes: Vec<Mode>,
    /// `max,min` in one flag (Celery's `--autoscale`): its first number replaces the processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscale: Option<String>,
    /// What one should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
