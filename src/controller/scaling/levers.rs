//! The numbers of pods that decide what a budget's workloads hold, and what each has to be for everything to fit.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::rows::born;
use super::super::standing::Standing;
use crate::api::status::{Scaled, ScaledField, TargetStatus};
use crate::assess::assessment::question;
use crate::assess::claims::{Claims, Drawing};
use crate::budget::claim::Claim;
use crate::budget::connections::Connections;
use crate::budget::fit::{Question, fit};
use crate::budget::lower::{lower, with};
use crate::budget::rollout::Pods;
use crate::budget::scale::{Candidate, Running, Step, scale_down};
use crate::budget::shape::Lowered;
use crate::cluster::view::View;
use crate::cluster::view::pods::Pod;
use crate::pod::pinned;
use crate::workload::manager::{Managed, Owner};
use crate::workload::scaler::Scaler;
use crate::workload::{Key, Replicas, Workload};

/// One number of pods.
#[derive(Clone, Debug)]
pub struct Lever {
    /// Its object.
    pub key: Key,
    /// The same, for people.
    pub target: TargetStatus,
    /// Which number of it.
    pub field: ScaledField,
    /// The number now.
    pub now: i64,
    /// The number as its owner wants it.
    pub from: i64,
    /// Who writes it.
    pub managed: Managed,
    /// How it may be lowered.
    pub candidates: Vec<Candidate>,
}

/// All of them, and what they are judged by: everything as its owner wants it.
pub struct Levers<'a> {
    standing: &'a Standing<'a>,
    /// Each of them.
    pub all: Vec<Lever>,
    claims: Claims,
    running: Vec<Running>,
}

/// The record of one number.
pub fn record<'a>(recorded: &'a [Scaled], key: &Key, field: ScaledField) -> Option<&'a Scaled> {
    recorded.iter().find(|r| r.field == field && key_of(r) == *key)
}

/// The object of a record.
pub fn key_of(record: &Scaled) -> Key {
    Key {
        group: crate::workload::group_of(&record.target.api_version).to_owned(),
        kind: record.target.kind.clone(),
        namespace: record.namespace.clone(),
        name: record.target.name.clone(),
    }
}

/// Kinds whose pods are not a number that somebody chose.
const NOT_SCALED: [&str; 3] = ["DaemonSet", "Job", "CronJob"];

impl<'a> Levers<'a> {
    /// Finds them.
    pub fn new(standing: &'a Standing<'a>, view: &View, recorded: &[Scaled]) -> Self {
        let claims = standing.assessment.claims.clone();
        let running = vec![Running::default(); claims.claims.len()];
        let mut all = Self { standing, all: Vec::new(), claims, running };
        let mut places: BTreeMap<&Key, Vec<usize>> = BTreeMap::new();
        let drawings = &standing.assessment.claims.drawings;
        for (place, drawing) in drawings.iter().enumerate() {
            places.entry(&drawing.key).or_default().push(place);
        }
        for places in places.into_values() {
            all.add(view, places, recorded);
        }
        all.settle();
        all
    }

    fn add(&mut self, view: &View, places: Vec<usize>, recorded: &[Scaled]) {
        let drawings = &self.standing.assessment.claims.drawings;
        let drawing = &drawings[places[0]];
        let Some(workload) = drawing.workload.as_ref().filter(|w| !w.gone) else { return };
        let scalers: Vec<_> = view.snapshot().scalers_of(&drawing.key).collect();
        let floors: Option<Vec<u32>> = places.iter().map(|&place| drawings[place].min_replicas).collect();
        let floor = floors.and_then(|floors| floors.into_iter().max());
        let number = match workload.replicas {
            Replicas::Count(n) if !NOT_SCALED.contains(&workload.key.kind.as_str()) => Some(n),
            _ => None,
        };
        let (mut asked, mut most) = (drawing.replicas, 0);
        if let Some(now) = number {
            let floor = floor.filter(|_| scalers.is_empty());
            let before = record(recorded, &workload.key, ScaledField::Replicas);
            if floor.is_some() || before.is_some() {
                asked = before.map_or(now, |r| pods(r.from));
                self.all.push(replicas(workload, now, asked, floor, &places));
            }
        }
        for scaler in &scalers {
            let field = if scaler.is_keda() { ScaledField::ScaleOut } else { ScaledField::MaxReplicas };
            let before = record(recorded, &scaler.key, field);
            if !scaler.grows && before.is_none() || is_kedas(scaler) {
                continue; // it adds no pods, or another one says how many it adds
            }
            let growth = Growth { scaler, before, asked, floor: floor.filter(|_| number.is_some()) };
            let lever = growth.lever(&places);
            most = most.max(if scaler.is_keda() { scaler.maximum } else { pods(lever.from) });
            self.all.push(lever);
        }
        for place in places {
            let drawing = &drawings[place];
            let claim = &mut self.claims.claims[place];
            let Pods { size_for, certain, .. } = claim.pods;
            claim.pods = Pods { size_for, certain, ..Pods::new(most.max(asked), drawing.strategy) };
            for container in claim.shape.containers.iter_mut().filter(|c| matches!(c.lowered, Lowered::To(_))) {
                container.lowered = Lowered::Possible;
            }
            self.running[place] = self.standing.running(view, drawing, claim, asked);
        }
    }

    /// With everything as its owner wants it, processes may have to be lowered, and shares are others.
    fn settle(&mut self) {
        let lowered = lower(&self.question());
        self.claims.claims = with(&self.claims.claims, &lowered);
        for (running, row) in self.running.iter_mut().zip(fit(&question_of(self.standing, &self.claims)).rows) {
            running.new_pod = row.per_pod;
        }
    }

    fn question(&self) -> Question<'_> {
        question_of(self.standing, &self.claims)
    }

    /// What each number has to be for everything to fit, if only those that `may` are lowered.
    pub fn targets(&self, may: impl Fn(&Lever) -> bool) -> Vec<i64> {
        let free: Vec<(usize, &Candidate)> = self
            .all
            .iter()
            .enumerate()
            .filter(|(_, lever)| may(lever))
            .flat_map(|(place, lever)| lever.candidates.iter().map(move |c| (place, c)))
            .collect();
        let candidates: Vec<Candidate> = free.iter().map(|(_, candidate)| (*candidate).clone()).collect();
        let numbers = scale_down(&self.question(), &self.running, &candidates);
        let mut targets: Vec<i64> = self.all.iter().map(|lever| lever.from).collect();
        for ((place, candidate), number) in free.into_iter().zip(numbers).filter(|((_, c), n)| *n < c.from) {
            let lever = &self.all[place];
            targets[place] = match lever.field {
                ScaledField::ScaleOut => 1,
                ScaledField::Replicas | ScaledField::MaxReplicas => {
                    targets[place].min(number.min(candidate.from).into())
                }
            };
        }
        targets
    }
}

fn question_of<'a>(standing: &Standing, claims: &'a Claims) -> Question<'a> {
    question(standing.budget, &standing.assessment.supply, claims)
}

/// Whether KEDA made it, which says with another object how far it goes.
fn is_kedas(scaler: &Scaler) -> bool {
    matches!(&scaler.managed.owner, Some(Owner::Controller(kind, _)) if kind == "ScaledObject")
}

fn pods(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn replicas(workload: &Workload, now: u32, from: u32, floor: Option<u32>, claims: &[usize]) -> Lever {
    let candidate = floor.map(|floor| Candidate {
        claims: claims.to_vec(),
        step: Step::Replicas,
        from,
        least: floor.min(from),
        partly: true,
    });
    Lever {
        key: workload.key.clone(),
        target: target(&workload.key, &workload.api_version),
        field: ScaledField::Replicas,
        now: now.into(),
        from: from.into(),
        managed: workload.managed.clone(),
        candidates: candidate.into_iter().collect(),
    }
}

fn target(key: &Key, api_version: &str) -> TargetStatus {
    TargetStatus { api_version: api_version.to_owned(), kind: key.kind.clone(), name: key.name.clone() }
}

/// How far an autoscaler goes.
struct Growth<'a> {
    scaler: &'a Scaler,
    before: Option<&'a Scaled>,
    /// Pods that its workload runs now.
    asked: u32,
    floor: Option<u32>,
}

impl Growth<'_> {
    fn lever(&self, claims: &[usize]) -> Lever {
        let Self { scaler, before, asked, .. } = *self;
        let claims = claims.to_vec();
        let (field, now, from, candidates) = if scaler.is_keda() {
            let from = scaler.maximum;
            let pause = Candidate { claims, step: Step::Growth, from, least: asked.min(from), partly: false };
            (ScaledField::ScaleOut, i64::from(scaler.is_paused()), 0, vec![pause])
        } else {
            let from = before.map_or(scaler.maximum, |r| pods(r.from));
            (ScaledField::MaxReplicas, scaler.maximum.into(), from.into(), self.steps(from, &claims))
        };
        let target = target(&scaler.key, &scaler.api_version);
        let (key, managed) = (scaler.key.clone(), scaler.managed.clone());
        Lever { key, target, field, now, from, managed, candidates }
    }

    /// Growth stops at the pods that run now. Where their owner lets replicas go down, the maximum goes further, and takes
    /// them with it.
    fn steps(&self, from: u32, claims: &[usize]) -> Vec<Candidate> {
        let smallest = self.scaler.minimum.max(1);
        let now = self.before.map_or(self.asked, |r| pods(r.to).min(self.asked));
        let stops = now.max(smallest).min(from);
        let step = |step, from, least| Candidate { claims: claims.to_vec(), step, from, least, partly: true };
        let further = self.floor.map(|floor| step(Step::Replicas, stops, floor.max(smallest).min(stops)));
        [step(Step::Growth, from, stops)].into_iter().chain(further).collect()
    }
}

impl Standing<'_> {
    /// What the pods of a claim hold that are not on their way out.
    fn running(&self, view: &View, drawing: &Drawing, claim: &Claim, replicas: u32) -> Running {
        let (budget, id) = (self.budget.name.to_string(), claim.id.to_string());
        let stay = view.holders(&drawing.key).filter(|holder| !holder.terminating());
        let holds =
            |pod: &Arc<Pod>| born(pod, &budget, &id).map_or_else(|| claim.shape.as_written(), pinned::Claim::holds);
        Running { pods: stay.map(holds).collect(), replicas, new_pod: Connections::ZERO }
    }
}
