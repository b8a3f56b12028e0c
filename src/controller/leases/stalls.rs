//! What keeps a ledger, or its pods, from being written, as long as it does: for people, who have to mend it.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::api::conditions::{Type, stalled};
use crate::api::parse::Name;
use crate::controller::conditions::{Said, Truth};

/// What is not read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unwritten {
    /// The ledger itself.
    Ledger,
    /// Pods that it granted their connections.
    Pods,
}

/// The reasons, by budget.
#[derive(Debug, Default)]
pub struct Stalls(RwLock<BTreeMap<(Name, Unwritten), String>>);

impl Stalls {
    /// Takes a reason; nothing: there is none any more. Answers whether that is news.
    pub fn note(&self, budget: &Name, what: Unwritten, why: Option<String>) -> bool {
        let key = (budget.clone(), what);
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.get(&key) == why.as_ref() {
            return false;
        }
        match why {
            Some(why) => drop(all.insert(key, why)),
            None => drop(all.remove(&key)),
        }
        true
    }

    /// The same, as a condition.
    #[must_use]
    pub fn of(&self, budget: &Name) -> Option<Said> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let why = |what| all.get(&(budget.clone(), what));
        let (reason, text) = match (why(Unwritten::Ledger), why(Unwritten::Pods)) {
            (Some(why), _) => (stalled::LEDGER_FAILED, format!("Nothing is granted, and nothing comes back: {why}")),
            (None, Some(why)) => {
                (stalled::PODS_FAILED, format!("Pods that were granted their connections wait on: {why}"))
            }
            (None, None) => return None,
        };
        let text = format!("{}. It is tried again and again.", text.trim_end_matches('.'));
        Some(Said::new(Type::Stalled, Truth::True, reason, text))
    }

    /// Forgets all: somebody else writes now.
    pub fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_comes_before_its_pods_and_each_ends_by_itself() {
        let (stalls, shop) = (Stalls::default(), Name::new("shop", "db"));
        let said = || stalls.of(&shop).map(|said| (said.reason, said.message));
        assert_eq!(said(), None);
        assert!(stalls.note(&shop, Unwritten::Pods, Some("grant it patch on pods".into())));
        assert!(!stalls.note(&shop, Unwritten::Pods, Some("grant it patch on pods".into())), "no news");
        let pods =
            "Pods that were granted their connections wait on: grant it patch on pods. It is tried again and again.";
        assert_eq!(said(), Some((stalled::PODS_FAILED, pods.into())));
        stalls.note(&shop, Unwritten::Ledger, Some("it cannot be read.".into()));
        let ledger = "Nothing is granted, and nothing comes back: it cannot be read. It is tried again and again.";
        assert_eq!(said(), Some((stalled::LEDGER_FAILED, ledger.into())));
        assert!(stalls.note(&shop, Unwritten::Ledger, None));
        assert_eq!(said().map(|(reason, _)| reason), Some(stalled::PODS_FAILED));
        assert_eq!(stalls.of(&Name::new("shop", "other")), None);
        stalls.clear();
        assert_eq!(said(), None);
    }
}
