//! What clients connect to: a real PostgreSQL, the pooler in front of it, and a broker of tasks.

use std::net::SocketAddr;
use std::time::Duration;

use tokio_postgres::Client;

use crate::pooler::Pooler;
use crate::postgres::{PASSWORD, Postgres};
use crate::redis::Redis;

/// Where pods reach this machine.
const NODE: &str = "10.87.255.1";
/// Nothing more is opened when nothing was for this long.
pub const QUIET: Duration = Duration::from_millis(1_500);

/// All of it.
pub struct Back {
    pub server: Postgres,
    pub pooler: Pooler,
    pub redis: Redis,
}

impl Back {
    /// Starts it, with a server that takes more sessions than any client here opens.
    pub async fn start() -> Self {
        let server = Postgres::start(&["max_connections=400"]);
        let address = NODE.parse().expect("an address");
        let pooler = Pooler::start(address, SocketAddr::from(([127, 0, 0, 1], server.port))).await;
        Self { server, pooler, redis: Redis::start(NODE) }
    }

    /// A connection past the pooler.
    pub async fn connect(&self, database: &str) -> Client {
        self.server.connect("postgres", database).await.expect("a connection")
    }

    /// Role, password, host, port and database, as in the URL of a client.
    pub fn at(&self, database: &str) -> String {
        format!("postgres:{PASSWORD}@{}/{database}", self.pooler.address)
    }
}
