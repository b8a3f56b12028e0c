//! Every state that can be reached, and from which of them a good one can be. A search for "eventually" that meets its own
//! path proves nothing, so the whole graph is kept, and gone through backwards from the good states.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

/// Something that may happen in a state.
pub struct Next<S> {
    /// In words, for a story.
    pub event: String,
    /// It happens in any case, sooner or later.
    pub bound: bool,
    pub after: S,
}

/// All states, with a note of what counts of each.
pub struct Graph<N> {
    pub notes: Vec<N>,
    /// The state that led to each first, and by which of its events.
    from: Vec<(u32, u32)>,
    /// Pairs of a state and one before it, for what is bound to happen.
    edges: Vec<(u32, u32)>,
    pub depth: usize,
}

impl<N> Graph<N> {
    /// Explores everything, breadth first.
    pub fn explore<S: Hash>(begin: S, follow: impl Fn(&S) -> Vec<Next<S>>, note: impl Fn(&S) -> N) -> Self {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let mut known: HashMap<u64, u32> = [(hasher.hash_one(&begin), 0)].into();
        let mut graph = Self { notes: vec![note(&begin)], from: vec![(0, 0)], edges: Vec::new(), depth: 0 };
        let mut level = vec![begin];
        while !level.is_empty() {
            graph.depth += 1;
            let first = graph.notes.len() - level.len();
            for (state, id) in std::mem::take(&mut level).into_iter().zip((first..).map(number)) {
                for (next, nth) in follow(&state).into_iter().zip(0..) {
                    let after = *known.entry(hasher.hash_one(&next.after)).or_insert_with(|| {
                        graph.notes.push(note(&next.after));
                        graph.from.push((id, nth));
                        level.push(next.after);
                        number(graph.notes.len() - 1)
                    });
                    if next.bound && after != id {
                        graph.edges.push((after, id));
                    }
                }
            }
        }
        graph.edges.sort_unstable();
        graph
    }

    /// Which states can lead to one of these by what is bound to happen.
    pub fn leading_to(&self, goal: impl Fn(&N) -> bool) -> Vec<bool> {
        let mut good: Vec<bool> = self.notes.iter().map(goal).collect();
        let mut open: Vec<u32> = (0..self.notes.len()).filter(|i| good[*i]).map(number).collect();
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
    pub fn story<S: std::fmt::Debug>(&self, begin: S, follow: impl Fn(&S) -> Vec<Next<S>>, state: usize) -> String {
        let mut path = Vec::new();
        let mut at = state;
        while at != 0 {
            let (from, nth) = self.from[at];
            path.push(nth as usize);
            at = from as usize;
        }
        let (mut state, mut story) = (begin, Vec::new());
        for nth in path.into_iter().rev() {
            let next = follow(&state).remove(nth);
            story.push(next.event);
            state = next.after;
        }
        format!("{}\n{state:#?}", story.join("\n"))
    }
}

fn number(id: usize) -> u32 {
    u32::try_from(id).expect("fewer states than would fit into memory")
}
