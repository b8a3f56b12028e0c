//! `spec.capacity`: what the database gives, and where that number comes from.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;
use crate::budget::capacity::Endpoint as Limit;

/// What the database gives. Exactly one member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::exactly_one(&["supabase", "static", "postgres"]))]
pub struct Capacity {
    /// A Supabase project: limits from the published tables, by compute size and endpoint; every number can be
    /// overridden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supabase: Option<Supabase>,
    /// Numbers known beforehand: Railway, RDS, a role's or a database's connection limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#static: Option<Static>,
    /// Ask the PostgreSQL server itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Postgres>,
}

/// How one connects to a Supabase project. Each way has its own limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Endpoint {
    /// The pooler's port 5432: at most `poolSize` clients.
    Session,
    /// The pooler's port 6543: at most `maxClients` clients.
    Transaction,
    /// The database itself: `max_connections`.
    Direct,
}

/// A Supabase project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::number_known(Limit::Session, "poolSize"))]
#[x_kube(validation = rules::number_known(Limit::Transaction, "maxClients"))]
#[x_kube(validation = rules::number_known(Limit::Direct, "maxConnections"))]
#[x_kube(validation = rules::platform_leaves_some())]
pub struct Supabase {
    /// The project's compute size: Nano, Micro, Small, Medium, Large, XL, 2XL, 4XL, 8XL, 12XL, 16XL, 24XL or 48XL, in any
    /// case. Any other name, or none, needs the endpoint's number beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    pub compute: Option<String>,
    /// The way workloads connect: Session (pooler, port 5432: poolSize clients), Transaction (pooler, port 6543: maxClients
    /// clients) or Direct (the database itself: maxConnections less 3 for superusers, less platform).
    pub endpoint: Endpoint,
    /// Clients in session mode: the project's "pool size" setting. Default: the table's for the compute size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub pool_size: Option<i32>,
    /// Clients in transaction mode: "max client connections". Default: the table's for the compute size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_clients: Option<i32>,
    /// The database's max_connections, where it was changed or the table has none (24XL, 48XL). Default: the table's for
    /// the compute size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: Option<i32>,
    /// Connections that the platform's own services (Auth, Realtime, Storage, the Data API) hold on the database. Counts
    /// with endpoint Direct only. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub platform: i32,
}

/// Numbers known beforehand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::reserved_below_maximum())]
pub struct Static {
    /// Connections the server takes: max_connections, or the limit of the role or database.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: i32,
    /// Of these, connections the server keeps for superusers and its provider. Default 3, PostgreSQL's
    /// superuser_reserved_connections; 0 where maxConnections is the limit of a role or database.
    #[serde(default = "server_reserved")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub server_reserved: i32,
}

fn server_reserved() -> i32 {
    3
}

/// A PostgreSQL server that is asked for its limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Postgres {
    /// The Secret, in the budget's namespace, that holds the connection URL. dbbudget reads this one only, and needs a Role
    /// that lets it.
    pub secret_key_ref: SecretKeyRef,
    /// Connections expected: used by `dbbudget plan`, which asks no server, and until the server has answered. Default:
    /// unknown until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub expected: Option<i32>,
}

/// One key of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it that holds the connection URL.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}
