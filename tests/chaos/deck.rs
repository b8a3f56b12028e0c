//! What is done, and in which order. The seed alone decides: a run that is repeated does the same, though the cluster may
//! answer faster or slower.

use std::time::Duration;

/// Something that happens. Numbers are drawn with it; which pod the n-th one is depends on those that are there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// `kubectl rollout restart`.
    Rollout(Workload),
    /// Somebody, or an autoscaler by /scale, asks for as many pods.
    Scale(Workload, u32),
    Autoscale(Workload, u32),
    /// The eviction API, for as many pods of a workload.
    Evict(Workload, usize),
    /// The real node is cordoned, all its pods are evicted, and it is uncordoned.
    Drain,
    /// `kubectl delete pod --force`.
    ForceDelete(Workload, usize),
    /// Runs of a `CronJob` that overlap.
    Runs(u32),
    /// The database takes fewer or more.
    Capacity(u32),
    RestartApiServer,
    /// SIGKILL, and back after a while.
    Kill(usize, Duration),
    /// SIGSTOP for longer than the election's Lease lasts.
    Freeze(usize),
    /// No replica is there: nobody answers the webhook.
    Away(Duration),
}

/// What pods belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// A Deployment whose pods stop slowly.
    Api,
    /// A Deployment that comes first.
    Web,
    /// A `StatefulSet`.
    Queue,
    /// A Deployment on fake nodes, with a budget of its own.
    Crowd,
}

impl Workload {
    pub const ALL: [Self; 4] = [Self::Api, Self::Web, Self::Queue, Self::Crowd];

    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Web => "web",
            Self::Queue => "queue",
            Self::Crowd => "crowd",
        }
    }

    /// Pods at rest, and in the largest burst.
    pub fn pods(self) -> (u32, u32) {
        match self {
            Self::Api => (3, 9),
            Self::Web => (2, 5),
            Self::Queue => (2, 4),
            Self::Crowd => (8, 60),
        }
    }
}

/// How often each kind is in the deck.
const KINDS: [(Kind, usize); 12] = [
    (Kind::Rollout, 12),
    (Kind::Scale, 6),
    (Kind::Autoscale, 6),
    (Kind::Evict, 6),
    (Kind::Drain, 2),
    (Kind::ForceDelete, 1),
    (Kind::Runs, 6),
    (Kind::Capacity, 5),
    (Kind::RestartApiServer, 1),
    (Kind::Kill, 2),
    (Kind::Freeze, 1),
    (Kind::Away, 1),
];

#[derive(Clone, Copy)]
enum Kind {
    Rollout,
    Scale,
    Autoscale,
    Evict,
    Drain,
    ForceDelete,
    Runs,
    Capacity,
    RestartApiServer,
    Kill,
    Freeze,
    Away,
}

/// Every kind comes up once, and then as often as it is in the deck before any comes up again.
pub struct Deck {
    dice: Dice,
    cards: Vec<Kind>,
}

impl Deck {
    pub fn new(seed: u64) -> Self {
        let mut deck = Self { dice: Dice(seed), cards: Vec::new() };
        deck.shuffle(KINDS.iter().map(|(kind, _)| *kind).collect());
        deck
    }

    fn shuffle(&mut self, mut cards: Vec<Kind>) {
        for last in (1..cards.len()).rev() {
            cards.swap(last, self.dice.index(last + 1));
        }
        self.cards = cards;
    }

    /// The next action, and how long to wait after it.
    pub fn deal(&mut self) -> (Action, Duration) {
        if self.cards.is_empty() {
            self.shuffle(KINDS.iter().flat_map(|(kind, times)| vec![*kind; *times]).collect());
        }
        let kind = self.cards.pop().expect("just filled");
        let action = self.dice.action(kind);
        (action, Duration::from_millis(200 + self.dice.below(1_600)))
    }
}

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn small(&mut self, bound: u32) -> u32 {
        u32::try_from(self.below(bound.into())).expect("small")
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).expect("small")
    }

    fn workload(&mut self) -> Workload {
        Workload::ALL[self.index(4)]
    }

    fn replicas(&mut self, workload: Workload) -> u32 {
        1 + self.small(workload.pods().1)
    }

    fn seconds(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_secs(least + self.below(most - least + 1))
    }

    fn action(&mut self, kind: Kind) -> Action {
        let workload = self.workload();
        match kind {
            Kind::Rollout => Action::Rollout(workload),
            Kind::Scale => Action::Scale(workload, self.replicas(workload)),
            Kind::Autoscale => Action::Autoscale(workload, self.replicas(workload)),
            Kind::Evict => Action::Evict(workload, 1 + self.index(3)),
            Kind::Drain => Action::Drain,
            Kind::ForceDelete => Action::ForceDelete(workload, 1 + self.index(2)),
            Kind::Runs => Action::Runs(1 + self.small(3)),
            Kind::Capacity => Action::Capacity([14, 16, 20, 24][self.index(4)]),
            Kind::RestartApiServer => Action::RestartApiServer,
            Kind::Kill => Action::Kill(self.index(2), self.seconds(1, 6)),
            Kind::Freeze => Action::Freeze(self.index(2)),
            Kind::Away => Action::Away(self.seconds(5, 10)),
        }
    }
}

#[test]
fn the_same_seed_deals_the_same() {
    let dealt = |seed| {
        let mut deck = Deck::new(seed);
        (0..100).map(|_| deck.deal()).collect::<Vec<_>>()
    };
    assert_eq!(dealt(7), dealt(7));
    assert_ne!(dealt(7), dealt(8));
}
