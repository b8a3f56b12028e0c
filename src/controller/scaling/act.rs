//! How numbers of pods are changed: tried first, then recorded in the status, then written.

use jiff::Timestamp;

use super::{Refusal, TRY_AGAIN};
use crate::cluster::view::item::Item;
use crate::cluster::write::WriteError;
use crate::cluster::write::scale::{Change, Outcome};
use crate::controller::decide::Decision;
use crate::controller::failure::Failure;
use crate::controller::reconcile::Context;

/// Whether every change of a decision would be taken. Otherwise one has to look again: something is known now that was not
/// known then.
///
/// # Errors
/// When nobody knows.
pub async fn is_possible(context: &Context, decision: &Decision) -> Result<bool, Failure> {
    let mut possible = true;
    for change in &decision.scaling {
        let tried = context.writer.try_scale(change).await;
        possible &= matches!(tried, Ok(Outcome::Done(_)));
        learn(context, change, tried)?;
    }
    Ok(possible)
}

/// Makes the changes of a decision. Its status has been written.
///
/// # Errors
/// When one was not made; it is made at the next look.
pub async fn act(context: &Context, decision: &Decision) -> Result<(), Failure> {
    for change in &decision.scaling {
        if !*context.leader.borrow() {
            return Err(Failure::NotLeader);
        }
        let written = context.writer.scale(change).await;
        context.metrics.written("scale", written.as_ref().map_or_else(WriteError::kind, |_| "ok"));
        let done = matches!(written, Ok(Outcome::Done(_)));
        learn(context, change, written)?;
        if done {
            tracing::info!(object = %change.key, field = ?change.field, from = change.seen, to = change.to, "scaled");
            if change.release {
                refuse(context, change, Refusal::Over); // where no claim is about it, nobody else would tell
            } else {
                context.refused.forget(&(change.key.clone(), change.field)); // what ended before begins anew
            }
        }
    }
    Ok(())
}

/// Takes in how a change went.
fn learn(context: &Context, change: &Change, outcome: Result<Outcome, WriteError>) -> Result<(), Failure> {
    match outcome {
        Ok(Outcome::Done(item)) => know(context, change, *item),
        Ok(Outcome::Changed(item)) => {
            if change.release {
                refuse(context, change, Refusal::Over); // its owner has decided already
            }
            know(context, change, *item);
        }
        Err(WriteError::Gone(_)) => refuse(context, change, Refusal::Over),
        Err(error) if error.needs_help() => {
            tracing::warn!(object = %change.key, "{error}");
            refuse(context, change, Refusal::Refused(error.to_string()));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// An object that no claim is about is not taken into the view, where nobody would ever remove it.
fn know(context: &Context, change: &Change, item: Item) {
    let is_known = {
        let view = context.shared.read();
        view.snapshot().workload(&change.key).is_some() || view.snapshot().scaler(&change.key).is_some()
    };
    if is_known {
        context.shared.change(|view| view.wrote(item));
    }
}

fn refuse(context: &Context, change: &Change, why: Refusal) {
    let number = (change.key.clone(), change.field);
    context.refused.add(number, Timestamp::now() + TRY_AGAIN, why);
}
