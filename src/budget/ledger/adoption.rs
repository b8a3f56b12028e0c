//! When a ledger may begin to grant: once everything that runs is entered, and everything that comes will wait.

use super::{Entry, Moment, Uid};

/// A pod that is created while a webhook replica does not know yet that it is to wait is started without a grant. A list
/// that begins this long after all of them knew has it.
pub const SETTLE: u32 = 60;

/// What is known of the webhook's replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replica {
    /// The generation of the budget that it confirmed, and since when.
    pub confirmed: Option<(i64, Moment)>,
    /// Whether it may answer the API server: its Lease has not run out.
    pub live: bool,
}

/// A pod in a complete list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which pod.
    pub uid: Uid,
    /// What it is entered with.
    pub entry: Entry,
    /// It has our gate and awaits this budget, so that it cannot start without a grant.
    pub awaits: bool,
    /// It has ended for good.
    pub ended: bool,
}

/// Everything that runs, or may start, without a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted(Vec<(Uid, Entry)>);

impl Adopted {
    pub(super) fn into_entries(self) -> Vec<(Uid, Entry)> {
        self.0
    }
}

/// What keeps a ledger from granting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotYet {
    /// No replica answers for the webhook, so that pods are created without a gate.
    NobodyAnswers,
    /// A replica has not confirmed the budget's generation.
    Unconfirmed,
    /// The list began too early; the next one may begin then.
    TooEarly(Moment),
}

/// Judges a complete list of the pods, begun at `began`; `settle`: [`SETTLE`], where nobody chose otherwise.
///
/// # Errors
/// What has to happen first.
pub fn adopt(
    generation: i64,
    replicas: &[Replica],
    settle: u32,
    began: Moment,
    listed: impl IntoIterator<Item = Listed>,
) -> Result<Adopted, NotYet> {
    let mut known = None;
    for replica in replicas.iter().filter(|r| r.live) {
        let since = replica.confirmed.filter(|(confirmed, _)| *confirmed >= generation).map(|(_, since)| since);
        known = known.max(Some(since.ok_or(NotYet::Unconfirmed)?));
    }
    let settled = known.ok_or(NotYet::NobodyAnswers)?.after(settle);
    if began < settled {
        return Err(NotYet::TooEarly(settled));
    }
    let runs = listed.into_iter().filter(|pod| !pod.awaits && !pod.ended);
    Ok(Adopted(runs.map(|pod| (pod.uid, pod.entry)).collect()))
}
