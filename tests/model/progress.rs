//! That somebody is always served in the end: from every state that can be reached, however badly things went, what is
//! bound to happen can lead to one where everybody who can be granted is granted, and nothing is kept of pods that are
//! gone. In temporal logic: AG EF. It is checked on the whole graph, backwards from the good states, as a search for
//! "eventually" that meets its own path proves nothing.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use dbbudget::budget::ledger::queue::{self, SurgeRoom};
use dbbudget::budget::ledger::{Entry, Ledger, Phase};
use stateright::Model;

use crate::controller::{Step, asks};
use crate::explored::{Event, Explored};
use crate::timeless::NOW;
use crate::world::{AS_WRITTEN, Object, World, uid};

/// Pods, one bit each.
type Pods = u8;

/// Every state, and who leads to it by what is bound to happen.
pub struct Graph {
    states: Vec<State>,
    /// Pairs of a state and one that it is bound to be able to lead to.
    edges: Vec<(u32, u32)>,
    pub depth: usize,
}

/// What is kept of a state.
struct State {
    /// Who would be granted once everything that is gone has left the ledger.
    due: Pods,
    /// Who does not wait any more; nothing while something is kept of a pod that is gone.
    served: Option<Pods>,
    /// The state that led here first, and by which of its events.
    from: (u32, u32),
}

/// What happens in any case, sooner or later. Neither users nor misfortunes nor a lost node's return are.
fn is_bound_to_happen(event: &Event) -> bool {
    match event {
        Event::Controller(_, step) => !matches!(step, Step::Crash),
        Event::Store(_) | Event::Stop(_) | Event::Report(_) | Event::Finalise(_) | Event::Collect(_) => true,
        _ => matches!(event, Event::Tick | Event::Gate | Event::Deliver(_)),
    }
}

/// Pods that would be granted, by the queue's own rules, if the ledger knew nothing but what is there and stays.
fn due(world: &World) -> Pods {
    let mut entries = std::collections::BTreeMap::new();
    let (mut executed, mut asking) = (0, Vec::new());
    for (i, pod) in world.pods.iter().enumerate() {
        let (gated, stays) = match pod.object {
            Object::None | Object::Gone => continue,
            Object::Admitted { gated } => (gated, true),
            Object::Here(here) => (here.gated, !here.deleting),
        };
        let known = world.ledger.entries().get(&uid(i)).cloned();
        if stays && (!gated || known.is_some()) {
            let written = u32::from(pod.values.unwrap_or(AS_WRITTEN));
            entries.insert(uid(i), known.unwrap_or(Entry { connections: written, ..Entry::default() }));
            executed |= u8::from(gated) << i;
        } else if stays {
            let pinned = if pod.here().is_some() { pod.pinned } else { world.budget.share };
            asking.push(asks(uid(i), pinned.into()));
        }
    }
    let ledger = Ledger::stored(Phase::Leasing, World::bounds(world.budget), entries, [].into());
    let answers = queue::answer(&ledger, asking, SurgeRoom::default());
    let granted = answers.into_iter().filter(|(_, answer)| matches!(answer, queue::Answer::Granted(_)));
    let granted: Vec<_> = granted.map(|(asked, _)| asked.uid).collect();
    (0..world.pods.len()).filter(|i| granted.contains(&uid(*i))).fold(executed, |due, i| due | 1 << i)
}

fn served(world: &World) -> Option<Pods> {
    let mut served = 0;
    for (i, pod) in world.pods.iter().enumerate() {
        match pod.object {
            Object::Gone if world.ledger.knows(&uid(i)) => return None,
            Object::Gone => served |= 1 << i,
            Object::Here(here) => served |= u8::from(here.deleting || !here.gated) << i,
            Object::None | Object::Admitted { .. } => {}
        }
    }
    Some(served)
}

impl Graph {
    /// Explores everything, breadth first.
    pub fn of(model: &Explored) -> Self {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let mut graph = Self { states: Vec::new(), edges: Vec::new(), depth: 0 };
        let mut known: HashMap<u64, u32> = HashMap::new();
        let mut next = Vec::new();
        let world = begin(model);
        known.insert(hasher.hash_one(&world), graph.add(&world, (0, 0)));
        next.push(world);
        while !next.is_empty() {
            graph.depth += 1;
            let first = graph.states.len() - next.len();
            for (world, id) in std::mem::take(&mut next).into_iter().zip((first..).map(number)) {
                for (event, after, nth) in follow(model, &world) {
                    let after_id = *known.entry(hasher.hash_one(&after)).or_insert_with(|| {
                        let id = graph.add(&after, (id, nth));
                        next.push(after);
                        id
                    });
                    if is_bound_to_happen(&event) && after_id != id {
                        graph.edges.push((after_id, id));
                    }
                }
            }
        }
        graph.edges.sort_unstable();
        graph
    }

    fn add(&mut self, world: &World, from: (u32, u32)) -> u32 {
        self.states.push(State { due: due(world), served: served(world), from });
        number(self.states.len() - 1)
    }

    pub fn states(&self) -> usize {
        self.states.len()
    }

    /// In how many of them somebody is due who waits.
    pub fn due(&self) -> usize {
        self.states.iter().filter(|state| state.due != 0).count()
    }

    /// The first state from which nothing leads to where it should.
    pub fn stuck(&self) -> Option<usize> {
        let all: std::collections::BTreeSet<_> = self.states.iter().map(|state| state.due).collect();
        let stuck = all.into_iter().filter_map(|due| {
            let good = self.leading_to(|state| state.served.is_some_and(|served| served & due == due));
            (0..self.states.len()).find(|i| self.states[*i].due == due && !good[*i])
        });
        stuck.min()
    }

    /// Which states can lead to one of these.
    fn leading_to(&self, goal: impl Fn(&State) -> bool) -> Vec<bool> {
        let mut good: Vec<bool> = self.states.iter().map(goal).collect();
        let mut open: Vec<u32> = (0..self.states.len()).filter(|i| good[*i]).map(number).collect();
        while let Some(to) = open.pop() {
            let begin = self.edges.partition_point(|(after, _)| *after < to);
            for (_, from) in self.edges[begin..].iter().take_while(|(after, _)| *after == to) {
                if !std::mem::replace(&mut good[*from as usize], true) {
                    open.push(*from);
                }
            }
        }
        good
    }

    /// What happened before a state, and the state.
    pub fn story(&self, model: &Explored, state: usize) -> String {
        let mut path = Vec::new();
        let mut at = number(state);
        while at != 0 {
            let (from, nth) = self.states[at as usize].from;
            path.push(nth);
            at = from;
        }
        let (mut world, mut story) = (begin(model), Vec::new());
        for nth in path.into_iter().rev() {
            let Some((event, after, _)) = follow(model, &world).into_iter().find(|(.., n)| *n == nth) else { break };
            story.push(format!("{event:?}"));
            world = after;
        }
        format!("{}\n{world:#?}", story.join("\n"))
    }
}

fn number(id: usize) -> u32 {
    u32::try_from(id).expect("fewer states than would fit into memory")
}

/// Where everything begins: long after the webhook and the node did.
fn begin(model: &Explored) -> World {
    World { now: NOW, ..model.init_states().remove(0) }.timeless()
}

/// What may happen next, numbered.
fn follow(model: &Explored, world: &World) -> Vec<(Event, World, u32)> {
    let mut events = Vec::new();
    model.actions(world, &mut events);
    let after = events.into_iter().zip(0..).filter_map(|(event, nth)| {
        let after = model.next_state(world, event.clone())?.timeless();
        Some((event, after, nth))
    });
    after.collect()
}
