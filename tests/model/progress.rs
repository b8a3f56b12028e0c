//! That somebody is always served in the end: from every state that can be reached, however badly things went, what is
//! bound to happen can lead to one where everybody who can be granted is granted, and nothing is kept of pods that are
//! gone. In temporal logic: AG EF.

use dbbudget::budget::ledger::queue::{self, SurgeRoom};
use dbbudget::budget::ledger::{Entry, Ledger, Phase};
use stateright::Model;

use crate::controller::{Step, asks};
use crate::explored::{Event, Explored};
use crate::graph::{Graph, Next};
use crate::timeless::NOW;
use crate::world::{AS_WRITTEN, Object, World, uid};

/// Pods, one bit each.
type Pods = u8;

/// What was found.
pub struct Found {
    pub states: usize,
    /// In how many of them somebody is due who waits, or waited.
    pub due: usize,
    pub depth: usize,
    /// The story of the first state from which nothing leads to where it should.
    pub stuck: Option<String>,
}

/// What counts of a state.
struct Note {
    /// Who would be granted once everything that is gone has left the ledger.
    due: Pods,
    /// Who does not wait any more; nothing while something is kept of a pod that is gone.
    served: Option<Pods>,
}

/// Explores all of it.
pub fn explore(model: &Explored) -> Found {
    let follow = |world: &World| follow(model, world);
    let graph = Graph::explore(begin(model), follow, |world| Note { due: due(world), served: served(world) });
    let all: std::collections::BTreeSet<_> = graph.notes.iter().map(|note| note.due).collect();
    let stuck = all.into_iter().filter_map(|due| {
        let good = graph.leading_to(|note| note.served.is_some_and(|served| served & due == due));
        (0..good.len()).find(|i| graph.notes[*i].due == due && !good[*i])
    });
    Found {
        states: graph.notes.len(),
        due: graph.notes.iter().filter(|note| note.due != 0).count(),
        depth: graph.depth,
        stuck: stuck.min().map(|state| graph.story(begin(model), follow, state)),
    }
}

/// Where everything begins: long after the webhook and the node did.
fn begin(model: &Explored) -> World {
    World { now: NOW, ..model.init_states().remove(0) }.timeless()
}

fn follow(model: &Explored, world: &World) -> Vec<Next<World>> {
    let mut events = Vec::new();
    model.actions(world, &mut events);
    let next = events.into_iter().filter_map(|event| {
        let after = model.next_state(world, event.clone())?.timeless();
        Some(Next { bound: is_bound_to_happen(&event), event: format!("{event:?}"), after })
    });
    next.collect()
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
