//! Series of a budget that come and go: workloads have them, and conditions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::api::parse::Name;

/// The labels of each budget's series, so that those that went are removed.
#[derive(Debug)]
pub struct Series<L> {
    shown: Mutex<BTreeMap<Name, BTreeSet<L>>>,
}

impl<L> Default for Series<L> {
    fn default() -> Self {
        Self { shown: Mutex::default() }
    }
}

impl<L: Clone + Ord> Series<L> {
    /// Takes those that a budget has now, and answers which ones it has no longer.
    pub fn replace(&self, name: &Name, now: &BTreeSet<L>) -> Vec<L> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let before = if now.is_empty() { shown.remove(name) } else { shown.insert(name.clone(), now.clone()) };
        before.unwrap_or_default().difference(now).cloned().collect()
    }
}
