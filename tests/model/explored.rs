//! What may happen next, and what must hold whatever happens.

use dbbudget::budget::claim::Source;
use dbbudget::budget::ledger::{Ledger, Origin, Phase};
use stateright::{Model, Property};

use crate::controller::{Controller, Mistake, Step, View, current};
use crate::world::{AS_WRITTEN, Budget, Container, Here, Message, Misfortunes, Node, Object, Pod, TICK, World, uid};

/// No write that grants takes the ledger above what it records.
pub const FITS: &str = "every grant fits";
/// What containers can hold is never more than the ledger's sum.
pub const COUNTED: &str = "every container is counted for what it may hold";

/// What is explored.
#[derive(Clone)]
pub struct Explored {
    pub mistake: Option<Mistake>,
    pub controllers: usize,
    pub pods: usize,
    /// What becomes of the last pod, once it is granted, is left to the others.
    pub last_waits: bool,
    /// How many of them a user may create before the webhook gates; nothing: it gates, and the ledger grants.
    pub early: Option<usize>,
    pub budget: Budget,
    /// What the budget is changed to.
    pub changed: Budget,
    pub left: Misfortunes,
    /// Writes of the ledger at most.
    pub writes: u8,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    Create(usize),
    Store(usize),
    Bind(usize),
    Start(usize),
    Stop(usize),
    Report(usize),
    Finalise(usize),
    Delete(usize),
    Force(usize),
    CutOff,
    Collect(usize),
    Return,
    Tick,
    Gate,
    ChangeBudget,
    Deliver(Message),
    Lose(Message),
    Controller(usize, Step),
}

impl Model for Explored {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        let begun = self.early.is_none() || self.mistake == Some(Mistake::BornLeasing);
        let phase = if begun { Phase::Leasing } else { Phase::Adopting };
        let bounds = World::bounds(self.budget);
        vec![World {
            now: 0,
            budget: self.budget,
            ledger: Ledger::stored(phase, bounds, [].into(), [].into()),
            version: 0,
            gating: self.early.is_none().then_some(0),
            pods: vec![Pod::default(); self.pods],
            node: Node::Up { since: 0 },
            controllers: vec![Controller::new(self.pods); self.controllers],
            network: Vec::new(),
            left: self.left,
            granted_too_much: false,
        }]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        let up = matches!(world.node, Node::Up { .. });
        for (i, pod) in world.pods.iter().enumerate() {
            self.of_pod(world, i, pod, up, events);
        }
        events.extend(world.gating.is_none().then_some(Event::Gate));
        events.extend((!up).then_some(Event::Return));
        events.extend((up && world.left.lost_nodes > 0).then_some(Event::CutOff));
        events.extend((world.left.budget_changes > 0).then_some(Event::ChangeBudget));
        events.extend(world.may_tick().then_some(Event::Tick));
        events.extend(world.network.iter().cloned().map(Event::Deliver));
        if world.left.lost_messages > 0 {
            events.extend(world.network.iter().cloned().map(Event::Lose));
        }
        for (n, controller) in world.controllers.iter().enumerate() {
            events.extend(controller.steps(world).into_iter().map(|step| Event::Controller(n, step)));
        }
    }

    fn next_state(&self, before: &World, event: Event) -> Option<World> {
        let mut world = before.clone();
        match event {
            Event::Deliver(message) => self.deliver(&mut world, &message),
            Event::Lose(message) => {
                world.left.lost_messages -= 1;
                world.network.retain(|other| *other != message);
            }
            Event::Controller(n, step) => self.step(&mut world, n, step)?,
            event => happen(&mut world, &event, self.changed),
        }
        (world != *before).then_some(world)
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.version <= self.writes
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(FITS, |_, world: &World| !world.granted_too_much),
            Property::always(COUNTED, |_, world: &World| world.counts_what_runs()),
            Property::sometimes("a pod starts with its grant", |_, world: &World| {
                world.pods.iter().any(|pod| pod.values.is_some() && pod.holds() > 0)
            }),
        ]
    }
}

impl Explored {
    fn of_pod(&self, world: &World, i: usize, pod: &Pod, up: bool, events: &mut Vec<Event>) {
        let runs = pod.holds() > 0;
        if self.last_waits && i + 1 == self.pods && pod.here().is_some() {
            return;
        }
        let mut may = |so: bool, event: Event| events.extend(so.then_some(event));
        match pod.object {
            Object::None => may(self.early.is_some_and(|n| i < n) || world.gating.is_some(), Event::Create(i)),
            Object::Admitted { .. } => may(true, Event::Store(i)),
            Object::Here(here) => {
                may(!here.gated && !here.bound && !here.deleting, Event::Bind(i));
                may(up && here.bound && !here.deleting && pod.container == Container::NotStarted, Event::Start(i));
                may(up && here.deleting && runs, Event::Stop(i));
                let stopped = pod.container != Container::NotStarted || here.deleting;
                may(up && here.bound && stopped && !runs && !here.reported, Event::Report(i));
                may(here.deleting && (!here.bound || up && here.reported), Event::Finalise(i));
                may(!here.deleting && world.left.deletions > 0, Event::Delete(i));
                may(world.left.forced > 0, Event::Force(i));
                may(!up && here.bound, Event::Collect(i));
            }
            // A kubelet may have begun to start it, and kills it when it hears.
            Object::Gone => {
                let bound = pod.last.is_some_and(|last| last.bound && last.running && !last.collected);
                may(up && bound && pod.container == Container::NotStarted && pod.gone_at == world.now, Event::Start(i));
                may(up && runs, Event::Stop(i));
            }
        }
    }

    fn deliver(&self, world: &mut World, message: &Message) {
        world.network.retain(|other| other != message);
        match message {
            Message::Patch { pod, values } => {
                let pod = &mut world.pods[*pod];
                if let Object::Here(here) = &mut pod.object
                    && here.gated
                {
                    here.gated = false;
                    pod.values = Some(*values);
                }
            }
            Message::Write { base, ledger } => {
                if *base != world.version && self.mistake != Some(Mistake::NoCompareAndSwap) {
                    return;
                }
                let (old, new) = (&world.ledger, &**ledger);
                let granted = new.entries().iter().any(|(uid, e)| e.origin == Origin::Granted && !old.knows(uid));
                world.granted_too_much |= granted && new.held(Source::Allocatable) > new.bounds().allocatable;
                for (i, pod) in world.pods.iter_mut().enumerate() {
                    let kept = old.quarantined().get(&uid(i)).filter(|_| !new.knows(&uid(i)));
                    let ran_out = kept.is_some_and(|kept| i64::from(world.now) * TICK >= kept.until.0);
                    pod.given_up |= ran_out && pod.holds() > 0;
                }
                world.ledger = new.clone();
                world.version += 1;
            }
        }
    }

    fn step(&self, world: &mut World, n: usize, step: Step) -> Option<()> {
        let controller = &world.controllers[n];
        match step {
            Step::SeeLedger if self.mistake == Some(Mistake::NotReadAgain) && controller.ledger.is_some() => {
                return None;
            }
            Step::SeeLedger => world.controllers[n].ledger = Some((world.ledger.clone(), world.version)),
            Step::SeeBudget => world.controllers[n].budget = Some(world.budget),
            Step::See(pod) => world.controllers[n].pods[pod] = current(world, pod),
            Step::Crash => {
                world.left.crashes -= 1;
                world.controllers[n] = Controller::new(self.pods);
                // It lists when it begins: of what is gone it hears nothing.
                for pod in 0..self.pods {
                    let listed = current(world, pod);
                    let listed = if matches!(listed, View::Gone(_)) { View::Nothing } else { listed };
                    world.controllers[n].pods[pod] = listed;
                }
            }
            _ if world.network.len() >= 2 => return None,
            step => {
                let message = controller.send(step, world, self.mistake)?;
                if let (Message::Patch { pod, .. }, Some(Mistake::ExecutedOnce)) = (&message, self.mistake) {
                    world.controllers[n].executed.push(*pod);
                }
                if !world.network.contains(&message) {
                    world.network.push(message);
                }
            }
        }
        Some(())
    }
}

/// What happens around dbbudget.
fn happen(world: &mut World, event: &Event, changed: Budget) {
    let now = world.now;
    let mut here = |pod: usize, change: fn(&mut Here)| {
        if let Object::Here(here) = &mut world.pods[pod].object {
            change(here);
        }
    };
    match *event {
        Event::Create(pod) => world.pods[pod].object = Object::Admitted { gated: world.gating.is_some() },
        Event::Store(pod) => {
            let Object::Admitted { gated } = world.pods[pod].object else { return };
            world.pods[pod].object = Object::Here(Here { gated, ..Here::default() });
            world.pods[pod].pinned = world.budget.share;
        }
        Event::Bind(pod) => here(pod, |here| here.bound = true),
        Event::Delete(pod) => {
            here(pod, |here| here.deleting = true);
            world.left.deletions -= 1;
        }
        Event::Report(pod) => here(pod, |here| here.reported = true),
        Event::Start(pod) => {
            let pod = &mut world.pods[pod];
            pod.container = Container::Runs(pod.values.unwrap_or(AS_WRITTEN));
        }
        Event::Stop(pod) => world.pods[pod].container = Container::Stopped,
        Event::Finalise(pod) => world.pods[pod].go(now),
        Event::Force(pod) => {
            world.left.forced -= 1;
            world.pods[pod].go(now);
        }
        Event::Collect(pod) => {
            here(pod, |here| here.collected = true);
            world.pods[pod].go(now);
        }
        Event::CutOff => {
            world.left.lost_nodes -= 1;
            world.node = Node::Lost;
        }
        Event::Return => world.node = Node::Up { since: now },
        Event::Gate => world.gating = Some(now),
        Event::Tick => {
            world.left.ticks -= 1;
            world.now += 1;
        }
        Event::ChangeBudget => {
            world.left.budget_changes -= 1;
            world.budget = changed;
        }
        Event::Deliver(_) | Event::Lose(_) | Event::Controller(..) => {}
    }
}
