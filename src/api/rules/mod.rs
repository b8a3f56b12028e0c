//! Rules of the objects that a schema cannot say, each in CEL and in Rust with the sentence that a person sees.
//!
//! The API server bounds the cost of each rule by the sizes of the lists around it. Hence the bounds on all lists, and
//! regular expressions no longer than they must be.

mod capacity;
mod claim;
mod names;

use serde_json::Value;

use super::law::{Argument, Law, has, text};
use crate::budget::capacity::Endpoint;

pub use capacity::*;
pub use claim::*;
pub use names::*;

/// All laws, so that [`mod@super::check`] finds the one behind a schema's rule.
pub fn all() -> Vec<Law> {
    vec![
        budget_name(),
        not_its_own_outside(),
        exactly_one(&["supabase", "static", "postgres"]),
        exactly_one(&["connections", "budgetRef"]),
        exactly_one(&["count", "env"]),
        exactly_one(&["quantity", "value"]),
        number_known(Endpoint::Session, "poolSize"),
        number_known(Endpoint::Transaction, "maxClients"),
        number_known(Endpoint::Direct, "maxConnections"),
        reserve_below(&STATIC),
        reserve_below(&EXPECTED),
        reserve_below(&SESSION),
        reserve_below(&TRANSACTION),
        reserve_below(&DIRECT),
        reserved_below_maximum(),
        warning_below_critical(),
        platform_leaves_some(),
        client_or_containers(),
        containers_named(),
        client_or_numbers(),
        min_to_max(),
        kind_known(),
        name_or_selector(),
        selector_selects(),
        operator_values(),
        no_loader(""),
        no_loader("name"),
        no_loader("env"),
        looks_like_setting(),
        no_redirection(),
        plain_value(),
    ]
}

/// Exactly one of these fields is set.
pub fn exactly_one(fields: &'static [&'static str]) -> Law {
    let set: Vec<_> = fields.iter().map(|f| format!("(has(self.{f}) ? 1 : 0)")).collect();
    let count = set.join(" + ");
    let (last, first) = fields.split_last().map_or(("", &[][..]), |(l, f)| (*l, f));
    let names = || vec![Argument::known(format!("{} and {last}", first.join(", ")))];
    let given = |object: &Value| fields.iter().filter(|field| has(object, field)).count();
    Law::new(format!("{count} == 1"), move |o| given(o) == 1, "exactly one of {} is needed, found more", names()).when(
        format!("{count} == 0"),
        move |o| given(o) == 0,
        "exactly one of {} is needed, found none",
        names(),
    )
}

/// The name of a budget fits into annotation keys.
pub fn budget_name() -> Law {
    Law::new(
        "size(self.metadata.name) <= 40 && !self.metadata.name.contains('.')",
        |o| text(o, "metadata.name").chars().count() <= 40 && !text(o, "metadata.name").contains('.'),
        "metadata.name {} has {} characters: it becomes part of annotation keys, so use a DNS label (lower-case letters, \
         digits and -, no dot) of at most 40",
        vec![Argument::text("metadata.name"), Argument::length("metadata.name")],
    )
    .on("/metadata/name")
}

/// A budget does not draw from itself.
pub fn not_its_own_outside() -> Law {
    let itself = |o: &Value| {
        let outside = o.pointer("/spec/outside").and_then(Value::as_array).into_iter().flatten();
        outside.into_iter().any(|c| has(c, "budgetRef") && text(c, "budgetRef.name") == text(o, "metadata.name"))
    };
    Law::new(
        "!has(self.spec.outside) || self.spec.outside.all(o, !has(o.budgetRef) || o.budgetRef.name != self.metadata.name)",
        move |o| !itself(o),
        "outside lists this budget, {}, itself: name the budget of the pooler that connects to this database",
        vec![Argument::text("metadata.name")],
    )
    .on("/spec/outside")
}
