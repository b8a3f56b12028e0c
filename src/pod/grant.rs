//! What a waiting pod is granted: limits in the place of the smallest ones that it was born with. They come from what was
//! pinned and from the share alone, so that whoever grants writes the same.

use std::collections::BTreeMap;

use super::keys;
use super::pinned::{Claim, Pinned, PinnedEngine};
use crate::budget::connections::Connections;
use crate::budget::shape::Split;
use crate::catalogue::Quantity;

impl Claim {
    /// The same with the limits that a share gives: `limit` of a container's engine. No limit falls below the smallest.
    #[must_use]
    pub fn with_share(&self, limit: impl Fn(&str, &str) -> Option<u32>) -> Self {
        let mut granted = self.clone();
        for container in &mut granted.containers {
            for engine in container.engines.iter_mut().filter(|engine| !engine.fixed) {
                let smallest = engine.limit.unwrap_or(1);
                engine.limit = Some(limit(&container.name, &engine.name).unwrap_or(smallest).max(smallest));
            }
        }
        granted
    }

    /// What one of its containers holds.
    #[must_use]
    pub fn holds_in(&self, container: &str) -> Connections {
        let only = self.containers.iter().filter(|c| c.name == container).cloned().collect();
        Self { containers: only, ..self.clone() }.holds()
    }

    /// The numbers that its containers read, by annotation.
    fn numbers(&self) -> Vec<(String, u64)> {
        let budget = name_of(&self.budget);
        let key = |container: &str, engine: &str, quantity| keys::annotation(container, budget, engine, quantity);
        let mut numbers = Vec::new();
        for container in &self.containers {
            for engine in &container.engines {
                let Some(limit) = engine.limit.filter(|_| !engine.fixed) else { continue };
                let Split { pool, overflow } = Split::of(limit, engine.overflow_percent);
                let all = [(Quantity::Pool, pool), (Quantity::Overflow, overflow), (Quantity::Limit, limit)];
                numbers.extend(all.map(|(quantity, n)| (key(&container.name, &engine.name, quantity), n.into())));
            }
            let all = self.holds().bounded();
            numbers.extend(all.map(|n| (key(&container.name, "", Quantity::Connections), n)));
        }
        numbers
    }
}

impl Pinned {
    /// The annotations that tell a pod what one budget grants it: `has` says whether it reads one.
    #[must_use]
    pub fn values(&self, has: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
        let Some(first) = self.0.first() else { return BTreeMap::new() };
        let limits = self.0.iter().flat_map(Claim::limits);
        let limits = limits.map(|(.., limit)| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string()));
        let granted = (keys::granted(name_of(&first.budget)), limits.collect::<Vec<_>>().join(","));
        let numbers = self.0.iter().flat_map(Claim::numbers).filter(|(key, _)| has(key));
        numbers.map(|(key, n)| (key, n.to_string())).chain([granted]).collect()
    }

    /// Takes the limits that were granted. Those that are not of this shape change nothing.
    pub(super) fn read_grants(&mut self, annotations: &BTreeMap<String, String>) {
        let awaited: Vec<String> = self.awaited().into_iter().map(str::to_owned).collect();
        for budget in awaited {
            let Some(granted) = annotations.get(&keys::granted(name_of(&budget))) else { continue };
            let limits: Vec<Option<u32>> = granted.split(',').map(|limit| limit.parse().ok()).collect();
            let claims = self.0.iter_mut().filter(|claim| claim.budget == budget);
            let engines = claims.flat_map(|claim| &mut claim.containers).flat_map(|c| &mut c.engines);
            let engines: Vec<&mut PinnedEngine> = engines.collect();
            if limits.len() == engines.len() {
                for (engine, limit) in engines.into_iter().zip(limits).filter(|(engine, _)| !engine.fixed) {
                    engine.smallest = engine.limit;
                    engine.limit = limit.or(engine.limit);
                }
            }
        }
    }
}

/// `supabase` of `astrid/supabase`.
fn name_of(budget: &str) -> &str {
    budget.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: &str = r#"[{"budget":"astrid/supabase","claim":"astrid/api","awaits":true,"containers":[
        {"name":"api","processes":2,"engines":[{"name":"default","count":1,"limit":1,"overflowPercent":40},
        {"name":"audit","count":1,"limit":4,"fixed":true}]}]}]"#;

    fn pinned(granted: Option<&str>) -> Pinned {
        let shape = (keys::SHAPE.to_owned(), SHAPE.to_owned());
        let granted = granted.map(|granted| (keys::granted("supabase"), granted.to_owned()));
        Pinned::read(&[shape].into_iter().chain(granted).collect()).expect("a shape")
    }

    #[test]
    fn a_grant_is_read_back_from_what_is_written() {
        let born = pinned(None);
        assert_eq!(born.holds(), Connections::new(10));
        assert_eq!(born.awaited(), ["astrid/supabase"]);
        let granted = Pinned(born.0.iter().map(|claim| claim.with_share(|_, _| Some(5))).collect());
        assert_eq!(granted.holds(), Connections::new(18));
        let read = "api.dbbudget.dev/supabase.default.pool";
        let values = granted.values(|key| key == read);
        let expected = [(read, "3"), ("dbbudget.dev/granted.supabase", "5,4")];
        assert_eq!(values, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        for read in ["5,4", "5,9"].map(|granted| pinned(Some(granted))) {
            assert_eq!((read.holds(), read.least()), (granted.holds(), born.holds()), "no share sets the second");
        }
        for other in ["", "5", "5,4,3"] {
            assert_eq!(pinned(Some(other)), born, "{other:?}");
        }
    }

    #[test]
    fn no_grant_is_less_than_the_smallest_that_is_safe() {
        let granted = pinned(None).0[0].with_share(|_, _| Some(0));
        assert_eq!(granted.holds(), Connections::new(10));
        assert_eq!(granted.holds_in("api"), granted.holds());
    }
}
