//! Who is granted what, in which order, and why others wait.

use super::{Ledger, Moment, Phase, Uid};
use crate::budget::claim::Source;
use crate::budget::connections::Connections;

/// A pod that waits for its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// Which one.
    pub uid: Uid,
    /// What it draws from.
    pub source: Source,
    /// What it holds with its share.
    pub share: u32,
    /// What it holds with the smallest pools that it may be given.
    pub least: u32,
    /// Who comes first.
    pub rank: Rank,
    /// What it may take of the room for surging pods.
    pub surge: Surge,
    /// It takes its share or waits: what is given back to its workload comes in seconds.
    pub patient: bool,
    /// It also draws from another budget, which has no room.
    pub elsewhere: bool,
}

/// What a pod may take of the room for surging pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surge {
    /// Nothing: no other pod ends when this one is Ready.
    No,
    /// Its smallest: its workload has as many granted pods as replicas without it, so that another one ends when it is Ready.
    Smallest,
    /// Its smallest, and the rest of its share beside the room: its workload holds that much less than its replicas' shares,
    /// as earlier pods came in by the room.
    Share,
}

/// Who comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rank {
    /// It replaces a pod that its workload was granted and lost, in a rollout or otherwise. A small one is better than none:
    /// what the lost one held more than its smallest, others may have by now.
    pub replaces: bool,
    /// Its claim's priority.
    pub priority: i32,
    /// It is of its workload's newest revision.
    pub newest: bool,
    /// Since when it waits.
    pub since: Moment,
}

impl Asking {
    fn order(&self) -> impl Ord + use<'_> {
        let Rank { replaces, priority, newest, since } = self.rank;
        (!replaces, std::cmp::Reverse(priority), !newest, since, &self.uid)
    }
}

/// Room that is kept for a surging pod at its smallest, so that rollouts get on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SurgeRoom {
    /// How much; nothing: none is kept.
    pub size: Connections,
    /// What pods have of it that still surge. A pod surges until one that it replaces has left the ledger: if its part
    /// came back earlier, others would take it before there is anything to take.
    pub used: Connections,
}

impl SurgeRoom {
    /// What is kept of it for surging pods to come.
    #[must_use]
    pub const fn kept(self) -> Connections {
        self.size.less(self.used)
    }
}

/// What a pod is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It gets these many.
    Granted(u32),
    /// It waits.
    Waits(Why),
}

/// Why a pod waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The ledger does not grant yet.
    Adopting,
    /// Its share is not known yet.
    NoShareYet,
    /// Nobody knows any more how many connections there are.
    CapacityUnknown,
    /// Others hold too much.
    NoRoom {
        /// What it needs.
        needs: u32,
        /// What it could have now.
        free: Connections,
    },
    /// There is room, which this one waits for.
    Behind(Uid),
    /// Not even an empty ledger would have room.
    Never {
        /// What it needs.
        needs: u32,
        /// What there is for such a pod.
        bound: Connections,
    },
    /// Another budget has no room.
    Elsewhere,
}

/// Answers everybody who asks, in their order. The ledger that is passed has entries, too, for what was granted, is gone, and
/// is about to be created again (a `StatefulSet`'s pod, all of a `Recreate`): whoever waits would take its place meanwhile.
#[must_use]
pub fn answer(ledger: &Ledger, mut asking: Vec<Asking>, room: SurgeRoom) -> Vec<(Asking, Answer)> {
    asking.sort_by(|a, b| a.order().cmp(&b.order()));
    let mut sources = [Source::Allocatable, Source::Reserve].map(|source| Pot::new(ledger, source, room));
    let answers = asking.into_iter().map(|one| {
        let pot = &mut sources[usize::from(one.source == Source::Reserve)];
        let answer = if ledger.phase() == Phase::Adopting { Answer::Waits(Why::Adopting) } else { pot.answer(&one) };
        (one, answer)
    });
    answers.collect()
}

/// What one source has left while the queue is gone through.
struct Pot {
    bound: Connections,
    free: Connections,
    room: SurgeRoom,
    /// The first that waits, and what is left to it.
    head: Option<(Uid, Connections)>,
}

impl Pot {
    fn new(ledger: &Ledger, source: Source, room: SurgeRoom) -> Self {
        let room = if source == Source::Allocatable { room } else { SurgeRoom::default() };
        let free = ledger.bound(source).less(ledger.held(source));
        Self { bound: ledger.bound_of_pods(source), free, room, head: None }
    }

    fn answer(&mut self, one: &Asking) -> Answer {
        let (share, least) = (Connections::from(one.share), Connections::from(one.least));
        let from_room = one.surge != Surge::No && least <= self.room.size;
        let may_shrink = !one.patient && (from_room || one.rank.replaces);
        let needs = if may_shrink { one.least } else { one.share };
        let bound = if from_room { self.bound } else { self.bound.less(self.room.size) };
        if Connections::from(needs) > bound {
            return Answer::Waits(Why::Never { needs, bound }); // and keeps nobody waiting
        }
        let kept = self.room.kept();
        let open = self.free.less(kept);
        let left = self.head.as_ref().map_or(open, |(_, head)| open.less(*head));
        if one.elsewhere {
            self.head.get_or_insert((one.uid.clone(), needs.into()));
            return Answer::Waits(Why::Elsewhere);
        }
        // The room is kept for exactly this, so nobody who waits is delayed by it.
        let of_room = if from_room && least <= kept { least } else { Connections::ZERO };
        let with_room = (left + of_room).min(self.free);
        let (connections, of_room) = if share <= left {
            (one.share, Connections::ZERO)
        } else if one.surge == Surge::Share && share <= with_room {
            (one.share, of_room)
        } else if may_shrink && least <= left {
            (one.least, Connections::ZERO)
        } else if may_shrink && least <= with_room {
            (one.least, of_room)
        } else {
            let why = match &self.head {
                Some((head, _)) if share <= open => Why::Behind(head.clone()),
                _ => Why::NoRoom { needs: one.share, free: open },
            };
            self.head.get_or_insert((one.uid.clone(), needs.into()));
            return Answer::Waits(why);
        };
        self.free = self.free.less(connections.into());
        self.room.used = self.room.used + of_room;
        Answer::Granted(connections)
    }
}

#[cfg(test)]
mod tests;
