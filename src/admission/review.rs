//! What is answered to a review. Whatever goes wrong, the pod is let through as it is: other people's pods are not ours
//! to refuse.

use json_patch::Patch;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, Operation};
use serde_json::{Value, json};

use super::draws::{Draw, draws};
use crate::cluster::view::View;
use crate::pod::inject;
use crate::pod::keys::CRON_JOB;
use crate::pod::patch::patch;
use crate::pod::workloads;
use crate::workload::owner::controller;

/// A review as it comes.
pub type Review = AdmissionReview<DynamicObject>;
type Request = AdmissionRequest<DynamicObject>;

/// What became of a review: a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The pod has its share now.
    Injected,
    /// There was nothing to do.
    Untouched,
    /// It is not known what to do, so nothing was done.
    InDoubt,
}

impl Outcome {
    /// One of a fixed list.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::Untouched => "untouched",
            Self::InDoubt => "in_doubt",
        }
    }
}

/// Answers whether a new pod gets something, and what. `look` looks at the view and lets go of it.
#[must_use]
pub fn pod(review: Review, look: impl FnOnce(&dyn Fn(&View) -> Vec<Draw>) -> Vec<Draw>) -> (Review, Outcome) {
    answer(review, |request, object| {
        if request.operation != Operation::Create {
            return Ok(Answer::default());
        }
        let bound = object.pointer("/spec/nodeName").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
        let namespace = request.namespace.as_deref().unwrap_or_default();
        let meta = request.object.as_ref().map(|o| o.metadata.clone()).unwrap_or_default();
        let keys = workloads(&meta, namespace);
        // A pod that is bound already gets no share. What it tells of one is taken off, for nobody but us may say that.
        let found = if bound { Vec::new() } else { look(&|view| draws(view, &keys)) };
        let drawn: Vec<_> = found.iter().filter_map(Draw::drawn).collect();
        let shared = inject(object, &drawn).map_err(|error| format!("its containers cannot be read: {error}"));
        let shared = shared.and_then(|injected| {
            let patch = patch(object, &injected.pod).map_err(|doubt| doubt.to_string())?;
            Ok(Answer { patch, warnings: injected.left_out })
        });
        shared.or_else(|why| {
            // It gets no share, and what it tells of one is taken off all the same.
            let bare = inject(object, &[]).map_err(|_| why.clone())?;
            let patch = patch(object, &bare.pod).map_err(|_| why.clone())?;
            if patch.0.is_empty() { Err(why) } else { Ok(Answer { patch, warnings: vec![why] }) }
        })
    })
}

/// Answers what a new Job gets: pods of a `CronJob`'s Job carry its name, so that they are known as its own.
#[must_use]
pub fn job(review: Review) -> (Review, Outcome) {
    answer(review, |request, object| {
        let meta = request.object.as_ref().map(|o| &o.metadata);
        let Some(name) = meta.and_then(cron_job).filter(|_| request.operation == Operation::Create) else {
            return Ok(Answer::default());
        };
        let mut labelled = object.clone();
        for pointer in ["/metadata", "/spec/template/metadata"] {
            let Some(metadata) = ensured(&mut labelled, pointer) else { return Err("it has no template".into()) };
            match metadata.get_mut("labels").and_then(Value::as_object_mut) {
                Some(labels) => drop(labels.insert(CRON_JOB.into(), name.into())),
                None => metadata["labels"] = json!({CRON_JOB: name}),
            }
        }
        Ok(Answer { patch: json_patch::diff(object, &labelled), warnings: Vec::new() })
    })
}

fn cron_job(meta: &ObjectMeta) -> Option<&str> {
    let owner = controller(meta).filter(|owner| owner.kind == "CronJob")?;
    (owner.name.len() <= 63).then_some(owner.name.as_str()) // as long as a label's value may be
}

/// An object's part, made where it is missing and the part around it is not.
fn ensured<'a>(object: &'a mut Value, pointer: &str) -> Option<&'a mut Value> {
    let (around, name) = pointer.rsplit_once('/')?;
    let around = object.pointer_mut(around)?.as_object_mut()?;
    let part = around.entry(name).or_insert_with(|| json!({}));
    if part.is_null() {
        *part = json!({});
    }
    Some(part)
}

/// What a pod or Job gets.
#[derive(Default)]
struct Answer {
    patch: Patch,
    warnings: Vec<String>,
}

/// Warnings are cut by the API server at 256 bytes each.
const WARNINGS: usize = 3;

fn answer(review: Review, decide: impl FnOnce(&Request, &Value) -> Result<Answer, String>) -> (Review, Outcome) {
    let request: Request = match review.try_into() {
        Ok(request) => request,
        Err(error) => return (AdmissionResponse::invalid(error).into_review(), Outcome::InDoubt),
    };
    let allowed = AdmissionResponse::from(&request);
    let Some(Ok(object)) = request.object.as_ref().map(serde_json::to_value) else {
        return (allowed.into_review(), Outcome::Untouched);
    };
    let (response, outcome) = match decide(&request, &object) {
        Ok(answer) if answer.patch.0.is_empty() => (with_warnings(allowed, answer.warnings), Outcome::Untouched),
        Ok(answer) => match allowed.with_patch(answer.patch) {
            Ok(response) => (with_warnings(response, answer.warnings), Outcome::Injected),
            Err(error) => {
                tracing::error!(what = place(&request), "the answer cannot be written: {error}");
                (AdmissionResponse::from(&request), Outcome::InDoubt)
            }
        },
        Err(why) => {
            tracing::warn!(what = place(&request), "left as it is: {why}");
            (allowed, Outcome::InDoubt)
        }
    };
    (response.into_review(), outcome)
}

fn with_warnings(mut response: AdmissionResponse, mut warnings: Vec<String>) -> AdmissionResponse {
    warnings.truncate(WARNINGS);
    let warnings = warnings.into_iter().map(|warning| format!("dbbudget: {warning}"));
    response.warnings = Some(warnings.collect()).filter(|warnings: &Vec<String>| !warnings.is_empty());
    response
}

fn place(request: &Request) -> String {
    let meta = request.object.as_ref().map(|object| &object.metadata);
    let name = meta.and_then(|m| m.name.clone().or_else(|| m.generate_name.clone()));
    let (kind, namespace) = (&request.kind.kind, request.namespace.as_deref().unwrap_or_default());
    format!("{kind} {namespace}/{}", name.unwrap_or_default())
}
