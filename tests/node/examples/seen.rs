//! What a deployment opened under load.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::pooler::Pool;

/// What was seen under load.
pub struct Seen {
    pub pool: Pool,
    /// The first line of each answer that is not a 200.
    pub failed: Vec<String>,
    /// The pods of each service.
    pub pods: BTreeMap<&'static str, Vec<IpAddr>>,
}

impl Seen {
    /// The most sessions of all together.
    pub fn peak(&self) -> usize {
        self.pool.all.peak
    }

    /// Says what each service had.
    pub fn say(&self, what: &str) {
        let each = self.pods.keys().map(|service| format!("{service} {:?}", self.of(service))).collect::<Vec<_>>();
        println!("{what}: {} sessions at most, {} refused; {}", self.peak(), self.pool.all.refused, each.join(", "));
    }

    /// The most sessions of each pod of a service.
    pub fn of(&self, service: &str) -> Vec<usize> {
        self.pods[service].iter().map(|pod| self.pool.of(*pod).peak).collect()
    }

    /// Asserts that nobody was refused and every request answered.
    pub fn is_well(&self, what: &str) {
        self.say(what);
        assert_eq!(self.pool.all.refused, 0, "{what}: somebody was refused: {:#?}", self.pool);
        assert!(self.failed.is_empty(), "{what}: {:?}", self.failed);
    }
}
