//! Two budgets, one of which is outside of the other: two controllers, each with its own idea of the borrower's spec and of
//! both ledgers, as old as they like.

use dbbudget::budget::claim::Source;
use dbbudget::budget::connections::Connections;
use dbbudget::budget::ledger::ended::{Answer, PodSeen, Verdict, judge};
use dbbudget::budget::ledger::lending::{Borrower, Says, Spec};
use dbbudget::budget::ledger::{Bounds, Entry, Ledger, Moment, Phase, Uid};
use stateright::{Model, Property};

/// What the borrower holds, or may grant, is never more than its lender records.
pub const RECORDED: &str = "the borrower has no more than is recorded";
/// No grant takes the lender's ledger above what there is.
pub const FITS: &str = "what is lent fits";
/// What its spec wants, change by change.
const WANTS: [u32; 3] = [2, 4, 2];
/// What the lender has to give, and what its own pod and each of the borrower's take.
const THERE_IS: u64 = 5;
const OF_LENDER: u32 = 2;
const OF_BORROWER: u32 = 2;
const PODS: u32 = 2;
const NOW: Moment = Moment(0);

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The borrower takes what its spec wants at once.
    NotAsked,
    /// The lender gives away what the spec no longer wants at once.
    NotWaited,
    /// Keys do not tell for which spec something is recorded.
    NoSpec,
}

/// What is explored.
#[derive(Clone)]
pub struct Lending {
    pub mistake: Option<Mistake>,
    /// Writes of each ledger at most.
    pub writes: u8,
}

/// A ledger, and its version.
type Stored = (u8, Ledger);

/// What a controller knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sight {
    spec: usize,
    lender: Stored,
    borrower: Stored,
}

/// All there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Both {
    spec: usize,
    lender: Stored,
    borrower: Stored,
    /// Pods that have ended: the lender's, and the borrower's.
    ended: [bool; PODS as usize + 1],
    controllers: [Sight; 2],
    too_much: bool,
}

/// One thing that happens; of the controller with this number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    Change,
    End(usize),
    See(usize),
    ReadLender(usize),
    ReadBorrower(usize),
    Lend(usize),
    GrantOwn(usize),
    Follow(usize),
    Grant(usize, u32),
    Remove(usize, usize),
}

fn uid(pod: usize) -> Uid {
    format!("pod-{pod}").into()
}

const fn bounds(spec: usize, n: u64) -> Bounds {
    Bounds { allocatable: Connections::new(n), reserve: Connections::ZERO, generation: spec as i64 + 1 }
}

fn most(ledger: &Ledger) -> Connections {
    ledger.held(Source::Allocatable).max(ledger.bound(Source::Allocatable))
}

impl Sight {
    fn wants(&self) -> u32 {
        WANTS[self.spec]
    }

    fn generation(&self, mistake: Option<Mistake>) -> i64 {
        if mistake == Some(Mistake::NoSpec) { 1 } else { bounds(self.spec, 0).generation }
    }

    fn known(&self, mistake: Option<Mistake>) -> Borrower {
        let follows = self.borrower.1.bounds().generation >= bounds(self.spec, 0).generation;
        let number = |n: Connections| u32::try_from(n.bounded().expect("it is bounded")).expect("a few");
        let ledger = if mistake == Some(Mistake::NotWaited) { &Ledger::default() } else { &self.borrower.1 };
        Borrower {
            name: "pool".into(),
            spec: Spec { uid: "u".into(), created: NOW, generation: self.generation(mistake) },
            wants: self.wants(),
            says: Says::Spec,
            holds: number(ledger.held(Source::Allocatable)),
            most: number(most(ledger)),
            follows: follows || mistake == Some(Mistake::NotWaited),
            is_kept: true,
        }
    }

    /// What the borrower may grant by what this one knows.
    fn lends(&self, mistake: Option<Mistake>) -> Bounds {
        let wanted = bounds(self.spec, self.wants().into());
        if mistake == Some(Mistake::NotAsked) {
            return wanted;
        }
        let asked = Bounds { generation: self.generation(mistake), ..wanted };
        let lends = self.lender.1.lends("pool", "u", self.wants().into(), asked, self.borrower.1.bounds());
        Bounds { generation: wanted.generation, ..lends }
    }
}

fn granted(ledger: &Ledger, pod: usize, connections: u32, generation: i64) -> Option<Ledger> {
    let mut next = ledger.clone();
    next.grant(uid(pod), Entry { connections, ..Entry::default() }, generation).ok()?;
    Some(next)
}

impl Both {
    /// A write on condition that nobody else wrote. Whoever is refused reads again.
    fn write(&mut self, n: usize, is_lender: bool, next: &Ledger) -> Option<()> {
        let (stored, known) = match is_lender {
            true => (&mut self.lender, &mut self.controllers[n].lender),
            false => (&mut self.borrower, &mut self.controllers[n].borrower),
        };
        if *next == known.1 || known.0 != stored.0 {
            return None;
        }
        *stored = (stored.0 + 1, next.clone());
        *known = stored.clone();
        Some(())
    }

    fn step(&mut self, n: usize, event: &Event, mistake: Option<Mistake>) -> Option<()> {
        let sight = self.controllers[n].clone();
        let (lender, borrower) = (&sight.lender.1, &sight.borrower.1);
        let generation = bounds(sight.spec, 0).generation;
        match event {
            Event::Lend(_) => {
                let mut next = lender.clone();
                let known = sight.known(mistake);
                next.lend(&known, "shop", (Some(1), Connections::ZERO), NOW);
                let grants = next.lent() > lender.lent().max(known.holds.into());
                let done = self.write(n, true, &next);
                self.too_much |=
                    done.is_some() && grants && next.held(Source::Allocatable) > next.bound(Source::Allocatable);
                done
            }
            Event::GrantOwn(_) => {
                let next = granted(lender, 0, OF_LENDER, 1)?;
                let done = self.write(n, true, &next);
                self.too_much |= done.is_some() && next.held(Source::Allocatable) > next.bound(Source::Allocatable);
                done
            }
            Event::Follow(_) => {
                let mut next = borrower.clone();
                next.rebound(sight.lends(mistake));
                self.write(n, false, &next)
            }
            Event::Grant(_, pod) => self.write(n, false, &granted(borrower, *pod as usize, OF_BORROWER, generation)?),
            Event::Remove(_, pod) => {
                let clean = PodSeen { last: true, ..PodSeen::default() };
                let Verdict::Ended(ended) = judge(&uid(*pod), &Answer::NotFound, Some(clean)) else { return None };
                let mut next = if *pod == 0 { lender.clone() } else { borrower.clone() };
                next.remove(&ended);
                self.write(n, *pod == 0, &next)
            }
            _ => None,
        }
    }
}

impl Model for Lending {
    type State = Both;
    type Action = Event;

    fn init_states(&self) -> Vec<Both> {
        let of = |n: u64| Ledger::stored(Phase::Leasing, bounds(0, n), [].into(), [].into());
        let (mut lender, borrower) = ((0, of(THERE_IS)), (0, of(WANTS[0].into())));
        let sight = Sight { spec: 0, lender: lender.clone(), borrower: borrower.clone() };
        lender.1.lend(&sight.known(None), "shop", (Some(1), Connections::ZERO), NOW);
        let sight = Sight { lender: lender.clone(), ..sight };
        let controllers = [sight.clone(), sight];
        vec![Both { spec: 0, lender, borrower, ended: [false; 3], controllers, too_much: false }]
    }

    fn actions(&self, both: &Both, events: &mut Vec<Event>) {
        events.extend((both.spec + 1 < WANTS.len()).then_some(Event::Change));
        for (pod, ended) in both.ended.iter().enumerate() {
            let holder = if pod == 0 { &both.lender } else { &both.borrower };
            if holder.1.knows(&uid(pod)) {
                let next = |n| if *ended { Event::Remove(n, pod) } else { Event::End(pod) };
                events.extend([next(0), next(1)]);
            }
        }
        for n in 0..2 {
            let own = [Event::See(n), Event::ReadLender(n), Event::ReadBorrower(n)];
            events.extend(own.into_iter().chain([Event::Lend(n), Event::GrantOwn(n), Event::Follow(n)]));
            events.extend((1..=PODS).map(|pod| Event::Grant(n, pod)));
        }
    }

    fn next_state(&self, before: &Both, event: Event) -> Option<Both> {
        let mut both = before.clone();
        match event {
            Event::Change => both.spec += 1,
            Event::End(pod) => both.ended[pod] = true,
            Event::See(n) => both.controllers[n].spec = (both.controllers[n].spec + 1).min(both.spec),
            Event::ReadLender(n) => both.controllers[n].lender = both.lender.clone(),
            Event::ReadBorrower(n) => both.controllers[n].borrower = both.borrower.clone(),
            Event::Grant(_, pod) if both.ended[pod as usize] => return None,
            Event::GrantOwn(_) if both.ended[0] => return None,
            Event::Lend(n) | Event::GrantOwn(n) | Event::Follow(n) | Event::Grant(n, _) | Event::Remove(n, _) => {
                both.step(n, &event, self.mistake)?;
            }
        }
        (both != *before).then_some(both)
    }

    fn within_boundary(&self, both: &Both) -> bool {
        both.lender.0.max(both.borrower.0) <= self.writes
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(RECORDED, |_, both: &Both| most(&both.borrower.1) <= both.lender.1.lent()),
            Property::always(FITS, |_, both: &Both| !both.too_much),
            Property::sometimes("it grows", |_, both: &Both| most(&both.borrower.1) == Connections::new(4)),
            Property::sometimes("it gives back", |_, both: &Both| {
                both.spec == 2 && both.lender.0 > 1 && both.lender.1.lent() == Connections::new(2)
            }),
        ]
    }
}
