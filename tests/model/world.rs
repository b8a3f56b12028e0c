//! Everything around the ledger, as badly as it may behave: an API server that stores objects, users who create and delete
//! pods, a kubelet that may be cut off, and messages that arrive when they like.

use dbbudget::budget::connections::Connections;
use dbbudget::budget::ledger::ended::{NodeSeen, PodSeen};
use dbbudget::budget::ledger::{Bounds, Ledger, Moment, Phase, Uid};

use crate::controller::Controller;

/// Seconds of one tick of the model's clock: as long as adoption waits.
pub const TICK: i64 = 60;
/// What a pod holds that runs as it is written.
pub const AS_WRITTEN: u8 = 2;

/// A state of everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub now: u8,
    pub budget: Budget,
    pub ledger: Ledger,
    /// The ledger's resource version.
    pub version: u8,
    /// Since when the webhook gates.
    pub gating: Option<u8>,
    pub pods: Vec<Pod>,
    pub node: Node,
    pub controllers: Vec<Controller>,
    /// Requests that have not arrived. They outlive whoever sent them.
    pub network: Vec<Message>,
    /// What can still go wrong.
    pub left: Misfortunes,
    /// A grant was written that does not fit.
    pub granted_too_much: bool,
}

/// A budget as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    pub allocatable: u8,
    /// What a pod of its workload is given that is created now.
    pub share: u8,
    pub generation: u8,
}

/// How often things may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Misfortunes {
    pub crashes: u8,
    pub deletions: u8,
    pub forced: u8,
    pub lost_nodes: u8,
    pub budget_changes: u8,
    pub lost_messages: u8,
    pub ticks: u8,
}

/// A request on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Replace the ledger, if it still has this version.
    Write { base: u8, ledger: Box<Ledger> },
    /// Write the values and remove the gate, if the gate is there.
    Patch { pod: usize, values: u8 },
}

/// A pod: its object, its container, and what its connections are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pod {
    pub object: Object,
    pub container: Container,
    /// What it was born to hold: the share of that time.
    pub pinned: u8,
    /// What the patch wrote.
    pub values: Option<u8>,
    /// The last state of its object, when it is gone.
    pub last: Option<PodSeen>,
    pub gone_at: u8,
    /// Its quarantine ran out while its node was not heard of; from then on nobody counts it.
    pub given_up: bool,
}

/// A pod as the API server stores it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Object {
    #[default]
    None,
    /// The webhook has answered, and it is not stored yet.
    Admitted {
        gated: bool,
    },
    Here(Here),
    Gone,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Here {
    pub gated: bool,
    pub bound: bool,
    pub deleting: bool,
    /// The kubelet has told that its container ended.
    pub reported: bool,
    pub collected: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Container {
    #[default]
    NotStarted,
    Runs(u8),
    Stopped,
}

/// The node of all pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// Its kubelet has renewed its Lease since then.
    Up { since: u8 },
    /// Cut off: what runs there runs on.
    Lost,
}

pub fn uid(pod: usize) -> Uid {
    format!("pod-{pod}").into()
}

impl Here {
    pub fn seen(self, last: bool) -> PodSeen {
        PodSeen {
            terminal: self.reported || self.collected,
            running: self.bound && !self.reported,
            bound: self.bound,
            deleting: self.deleting,
            collected: self.collected,
            last,
        }
    }
}

impl Pod {
    pub fn here(&self) -> Option<Here> {
        if let Object::Here(here) = self.object { Some(here) } else { None }
    }

    pub fn holds(&self) -> u8 {
        if let Container::Runs(n) = self.container { n } else { 0 }
    }

    /// Deletes its object.
    pub fn go(&mut self, now: u8) {
        if let Some(here) = self.here() {
            self.last = Some(here.seen(true));
            (self.object, self.gone_at) = (Object::Gone, now);
        }
    }
}

impl World {
    pub fn moment(&self) -> Moment {
        Moment(i64::from(self.now) * TICK)
    }

    pub fn heard(&self) -> NodeSeen {
        match self.node {
            Node::Up { since } => NodeSeen::Steady { from: Moment(i64::from(since) * TICK), to: self.moment() },
            Node::Lost => NodeSeen::Silent,
        }
    }

    pub fn bounds(budget: Budget) -> Bounds {
        let (allocatable, generation) = (Connections::new(budget.allocatable.into()), budget.generation.into());
        Bounds { allocatable, reserve: Connections::ZERO, generation }
    }

    /// A container that a kubelet is about to kill, as its pod is gone.
    fn is_forgotten(&self, pod: &Pod) -> bool {
        matches!(self.node, Node::Up { .. }) && pod.object == Object::Gone && pod.holds() > 0
    }

    /// Time passes once the API server has stored what it admitted, and the kubelet killed what it heard of a tick ago.
    pub fn may_tick(&self) -> bool {
        let stored = self.pods.iter().all(|p| !matches!(p.object, Object::Admitted { .. }));
        let Node::Up { since } = self.node else { return stored && self.left.ticks > 0 };
        let overdue = |p: &&Pod| self.is_forgotten(p) && p.gone_at.max(since) < self.now;
        stored && self.left.ticks > 0 && !self.pods.iter().any(|p| overdue(&p))
    }

    /// Whether every container that runs is counted for what it may hold, once the ledger grants.
    pub fn counts_what_runs(&self) -> bool {
        let counted = |(i, pod): (usize, &Pod)| {
            let uid = uid(i);
            let entry = self.ledger.entries().get(&uid);
            let entry = entry.or_else(|| self.ledger.quarantined().get(&uid).map(|kept| &kept.entry));
            pod.holds() == 0 || pod.given_up || entry.is_some_and(|e| e.connections >= u32::from(pod.holds()))
        };
        self.ledger.phase() == Phase::Adopting || self.pods.iter().enumerate().all(counted)
    }
}
