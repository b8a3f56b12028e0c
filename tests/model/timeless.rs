//! States without a clock and without versions, so that there are finitely many though both only ever grow. What counts of
//! a moment is how long ago it was, up to the longest time that any rule waits for; what counts of a version is whether it
//! is the ledger's. So two states that are made equal here have the same future.

use dbbudget::budget::ledger::{Ledger, Moment};

use crate::world::{Message, Node, TICK, World};

/// What every clock shows: as long as the longest wait.
pub const NOW: u8 = 3;

impl World {
    /// The same with its clock set back, without requests that can change nothing any more, and without what only the
    /// safety properties ask for.
    #[must_use]
    pub fn timeless(mut self) -> Self {
        let late = i64::from(self.now) - i64::from(NOW);
        // Nobody asks how long ago it was that the webhook began to gate or a pod went, but whether it was now; and of a
        // node, whether it was away while a kubelet kills.
        let lately = |tick: u8, ticks: u8| if self.now - tick < ticks { NOW - (self.now - tick) } else { 0 };
        self.gating = self.gating.map(|tick| lately(tick, 1));
        if let Node::Up { since } = &mut self.node {
            *since = lately(*since, 2);
        }
        for pod in &mut self.pods {
            (pod.gone_at, pod.given_up) = (lately(pod.gone_at, 1), false);
        }
        let version = std::mem::replace(&mut self.version, 1);
        self.network.retain(|message| !matches!(message, Message::Write { base, .. } if *base != version));
        self.ledger = set_back(&self.ledger, late);
        for message in &mut self.network {
            if let Message::Write { base, ledger } = message {
                (*base, **ledger) = (1, set_back(ledger, late));
            }
        }
        for (ledger, seen) in self.controllers.iter_mut().filter_map(|c| c.ledger.as_mut()) {
            (*ledger, *seen) = (set_back(ledger, late), u8::from(*seen == version));
        }
        (self.now, self.left.ticks, self.granted_too_much) = (NOW, 1, false);
        self
    }
}

fn set_back(ledger: &Ledger, ticks: i64) -> Ledger {
    let mut quarantine = ledger.quarantined().clone();
    for kept in quarantine.values_mut() {
        for moment in [&mut kept.since, &mut kept.until] {
            *moment = Moment((moment.0 - ticks * TICK).max(0));
        }
    }
    Ledger::stored(ledger.phase(), ledger.bounds(), ledger.entries().clone(), quarantine)
}
