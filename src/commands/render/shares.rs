//! The shares of all budgets, as the lists of each container that they change.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::input::Input;
use crate::api::policy::Enforcement;
use crate::api::status::WorkloadStatus;
use crate::assess::claims::Drawing;
use crate::assess::{About, Rule, assess};
use crate::budget::claim::Id;
use crate::budget::fit::Verdict;
use crate::controller::rows::given;
use crate::pod::{Drawn, write_down};
use crate::workload::Key;

/// Workloads whose containers change, and what is to be said.
pub struct Shares {
    /// Workloads with shares.
    pub templates: Vec<Template>,
    /// Budgets that do not fit.
    pub unfit: Vec<String>,
    /// Shares that cannot be written.
    pub left_out: Vec<String>,
}

/// A workload whose pods get shares.
pub struct Template {
    /// The object.
    pub about: About,
    /// Its containers that change.
    pub containers: Vec<Container>,
}

/// A container's lists as they are to be.
pub struct Container {
    /// JSON pointer to it in the object.
    pub pointer: String,
    /// `env`, `command`, `args`: those that change.
    pub lists: Vec<(String, Vec<Value>)>,
}

/// One claim's part in a workload.
struct Part {
    budget: crate::api::parse::Name,
    claim: Id,
    drawing: Drawing,
    row: WorkloadStatus,
}

/// All shares of budgets that are more than observed.
#[must_use]
pub fn of(input: &Input) -> Shares {
    let mut shares = Shares { templates: Vec::new(), unfit: Vec::new(), left_out: Vec::new() };
    let mut parts: BTreeMap<Key, Vec<Part>> = BTreeMap::new();
    for budget in input.snapshot.budgets().filter(|b| b.enforcement != Enforcement::Observe) {
        let assessment = assess(budget, &input.snapshot);
        if assessment.fit.total.verdict != Verdict::Fits {
            let verdict = format!("{:?}", assessment.fit.total.verdict);
            shares.unfit.push(format!("DatabaseBudget {}: {verdict}; `dbbudget plan` says why", budget.name));
        }
        let not_written = assessment.findings.iter().filter(|f| f.rule == Rule::NotInjected);
        shares.left_out.extend(not_written.map(|f| format!("{}: {}", f.about, f.message)));
        let claims = assessment.claims.drawings.iter().zip(&assessment.claims.claims).zip(&assessment.fit.rows);
        for ((drawing, claim), share) in claims {
            let (row, claim) = (given(drawing, claim, share, true), claim.id.clone());
            let part = Part { budget: budget.name.clone(), claim, drawing: drawing.clone(), row };
            parts.entry(drawing.key.clone()).or_default().push(part);
        }
    }
    shares.templates = parts.iter().filter_map(|(key, parts)| template(input, key, parts)).collect();
    shares
}

/// The workload's template with all its shares; nothing where none of its text changes.
fn template(input: &Input, key: &Key, parts: &[Part]) -> Option<Template> {
    let about = About::Object(key.clone());
    let (_, root) = input.object(&about)?;
    let whole = root.to_json();
    let base = parts.iter().flat_map(|part| &part.drawing.built).find_map(|built| {
        let lists = ["/containers/", "/initContainers/"];
        lists.iter().find_map(|list| built.pointer.rfind(list).map(|at| built.pointer[..at].to_owned()))
    })?;
    let before = json!({"spec": whole.pointer(&base)?});
    let drawn: Vec<Drawn> = parts
        .iter()
        .filter_map(|part| {
            let budget = input.snapshot.budget(&part.budget)?;
            let name = &part.drawing.entry;
            let entry = match &part.drawing.about {
                About::Claim(claim) => &input.snapshot.claim(claim)?.entry,
                _ => budget.entries.iter().find(|entry| entry.name == name.name)?,
            };
            Some(Drawn { budget, claim: &part.claim, entry, workload: key, published: Some(&part.row) })
        })
        .collect();
    let after = write_down(&before, &drawn).ok()?.pod;
    let mut containers = Vec::new();
    for list in ["initContainers", "containers"] {
        let count = after["spec"][list].as_array().map_or(0, Vec::len);
        for index in 0..count {
            let (old, new) = (&before["spec"][list][index], &after["spec"][list][index]);
            let changed = ["env", "command", "args"].into_iter().filter(|field| old[*field] != new[*field]);
            let lists: Vec<_> =
                changed.filter_map(|field| Some((field.to_owned(), new[field].as_array()?.clone()))).collect();
            if !lists.is_empty() {
                containers.push(Container { pointer: format!("{base}/{list}/{index}"), lists });
            }
        }
    }
    (!containers.is_empty()).then_some(Template { about, containers })
}
