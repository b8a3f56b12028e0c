//! What the database gives, and who takes from it first.

use super::connections::Connections;

/// What is to be had of one database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Connections ordinary clients can open at all.
    pub hard: Connections,
    /// Kept for people, migrations and the platform.
    pub reserve: Connections,
    /// Taken by consumers that are not pods.
    pub outside: Connections,
}

impl Capacity {
    /// What is left for claims: hard − reserve − outside.
    #[must_use]
    pub fn allocatable(&self) -> Connections {
        self.hard.less(self.reserve).less(self.outside)
    }
}

/// How one connects to a Supabase project. Each way has its own limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The shared pooler on 5432: `pool_size` clients, the next one is refused.
    Session,
    /// A pooler on 6543: as many clients as the pooler takes.
    Transaction,
    /// The database itself: `max_connections`.
    Direct,
}

/// One row of Supabase's published tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compute {
    /// Its name in the dashboard.
    pub name: &'static str,
    /// `max_connections` of the database; unpublished for the largest.
    pub max_connections: Option<u32>,
    /// Clients a pooler takes.
    pub max_clients: u32,
    /// Default `pool_size` of every pooler.
    pub pool_size: u32,
}

/// Supabase's compute sizes, smallest first.
///
/// `max_connections` and pooler clients: the project's documentation on compute and disk. `pool_size`: the dashboard's
/// source (`POOLING_OPTIMIZATIONS`), as the documentation publishes none.
pub const SUPABASE: [Compute; 13] = [
    row("Nano", Some(60), 200, 15),
    row("Micro", Some(60), 200, 15),
    row("Small", Some(90), 400, 15),
    row("Medium", Some(120), 600, 15),
    row("Large", Some(160), 800, 20),
    row("XL", Some(240), 1_000, 20),
    row("2XL", Some(380), 1_500, 25),
    row("4XL", Some(480), 3_000, 32),
    row("8XL", Some(490), 6_000, 64),
    row("12XL", Some(500), 9_000, 96),
    row("16XL", Some(500), 12_000, 128),
    row("24XL", None, 18_000, 192),
    row("48XL", None, 36_000, 384),
];

const fn row(name: &'static str, max_connections: Option<u32>, max_clients: u32, pool_size: u32) -> Compute {
    Compute { name, max_connections, max_clients, pool_size }
}

/// `superuser_reserved_connections` on a Supabase database: PostgreSQL's default.
pub const SUPERUSER_RESERVED: u32 = 3;

/// Backends a Supabase pooler may open beyond its `pool_size`: one while a client leaves, and one for `auth_query`.
pub const POOLER_BACKENDS_ON_TOP: u32 = 2;

impl Compute {
    /// The size of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SUPABASE.iter().find(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// The limit of an endpoint, if the tables have it.
    #[must_use]
    pub fn limit(&self, endpoint: Endpoint) -> Option<u32> {
        match endpoint {
            Endpoint::Session => Some(self.pool_size),
            Endpoint::Transaction => Some(self.max_clients),
            Endpoint::Direct => self.max_connections,
        }
    }
}

/// Settings of a PostgreSQL server that bound what one role can open in one database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerLimits {
    /// `max_connections`.
    pub max_connections: u32,
    /// `superuser_reserved_connections` + `reserved_connections` (since 16) + a provider's own.
    pub reserved: u32,
    /// `rolconnlimit` of the role, where it has one.
    pub role: Option<u32>,
    /// `datconnlimit` of the database, where it has one.
    pub database: Option<u32>,
}

impl ServerLimits {
    /// What ordinary clients of that role can open in that database.
    #[must_use]
    pub fn hard(&self) -> Connections {
        let server = self.max_connections.saturating_sub(self.reserved);
        let least = [self.role, self.database].into_iter().flatten().fold(server, u32::min);
        least.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocatable_is_never_negative() {
        let capacity = Capacity { hard: 15u32.into(), reserve: 2u32.into(), outside: 20u32.into() };
        assert_eq!(capacity.allocatable(), Connections::ZERO);
        assert_eq!(Capacity { outside: Connections::ZERO, ..capacity }.allocatable(), Connections::new(13));
    }

    #[test]
    fn the_smallest_limit_of_a_server_counts() {
        // Measured on PostgreSQL 16: max_connections 10, 3 for superusers, 2 reserved: 5 for the rest.
        let server = ServerLimits { max_connections: 10, reserved: 5, role: None, database: None };
        assert_eq!(server.hard(), Connections::new(5));
        assert_eq!(ServerLimits { role: Some(4), database: Some(7), ..server }.hard(), Connections::new(4));
        assert_eq!(ServerLimits { role: Some(0), ..server }.hard(), Connections::ZERO);
        assert_eq!(ServerLimits { max_connections: 2, ..server }.hard(), Connections::ZERO);
    }

    #[test]
    fn the_table_grows_with_the_size() {
        for pair in SUPABASE.windows(2) {
            assert!(pair[0].pool_size <= pair[1].pool_size && pair[0].max_clients <= pair[1].max_clients);
        }
        assert_eq!(Compute::named("micro").and_then(|c| c.limit(Endpoint::Session)), Some(15));
        assert_eq!(Compute::named("24XL").and_then(|c| c.limit(Endpoint::Direct)), None);
    }
}
