//! What is heard of nodes, by the Leases that their kubelets renew. They are read while an entry is kept apart
//! for one, and not otherwise.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::decide::GAP;
use crate::budget::ledger::Moment;
use crate::budget::ledger::ended::NodeSeen;
use crate::cluster::write::Writer;

/// A kubelet renews every 10 s.
const PAUSE: Duration = Duration::from_secs(5);

/// What was heard of each node.
#[derive(Debug, Default)]
pub struct Heartbeats(BTreeMap<String, Beat>);

#[derive(Debug)]
struct Beat {
    read: Instant,
    steady: Option<(Moment, Moment)>,
}

impl Heartbeats {
    /// What was heard of a node.
    #[must_use]
    pub fn of(&self, node: &str) -> NodeSeen {
        let steady = self.0.get(node).and_then(|beat| beat.steady);
        steady.map_or(NodeSeen::Silent, |(from, to)| NodeSeen::Steady { from, to })
    }

    /// Reads the Leases of these nodes, and forgets others. One that cannot be read says nothing.
    pub async fn listen<'a>(&mut self, writer: &Writer, nodes: impl IntoIterator<Item = &'a str>) {
        let mut heard = BTreeMap::new();
        for node in nodes {
            let known = self.0.remove(node);
            let beat = match known {
                Some(known) if known.read.elapsed() < PAUSE => known,
                known => {
                    let renewed = writer.node_renewed(node).await.unwrap_or_else(|error| {
                        tracing::warn!("{error}");
                        None
                    });
                    let steady = renewed.map(|at| goes_on(known.and_then(|known| known.steady), at));
                    Beat { read: Instant::now(), steady }
                }
            };
            heard.insert(node.to_owned(), beat);
        }
        self.0 = heard;
    }
}

/// A stretch of renewals, with one more.
fn goes_on(known: Option<(Moment, Moment)>, at: Moment) -> (Moment, Moment) {
    match known {
        Some((from, to)) if at <= to.after(GAP) => (from, at.max(to)),
        _ => (at, at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewals_are_one_stretch_while_there_is_no_gap() {
        let mut known = None;
        for at in [0, 10, 20, 45] {
            known = Some(goes_on(known, Moment(at)));
        }
        assert_eq!(known, Some((Moment(0), Moment(45))));
        assert_eq!(goes_on(known, Moment(71)), (Moment(71), Moment(71)), "it was cut off");
    }
}
