//! Rules about a claim: its target, its containers, its engines.

use serde_json::Value;

use crate::api::law::{Argument, Law, has, number, quote, size, text};
use crate::api::target::KNOWN_KINDS;

/// A workload says what its containers run: in short or in full.
pub fn client_or_containers() -> Law {
    Law::new(
        "has(self.client) != (has(self.containers) && size(self.containers) > 0)",
        |o| has(o, "client") != (size(o, "containers") > 0),
        "neither client nor containers is given: name the client software in client, or list containers",
        Vec::new(),
    )
    .when(
        "has(self.client)",
        |o| has(o, "client"),
        "client and containers are both given: client is the shorthand for one container, so drop it and name the client in \
         containers[].engines[].client",
        Vec::new(),
    )
}

/// `""` means the template's only container.
pub fn containers_named() -> Law {
    let unnamed = |o: &Value| {
        let containers = o.get("containers").and_then(Value::as_array).into_iter().flatten();
        containers.into_iter().any(|c| text(c, "name").is_empty())
    };
    Law::new(
        "!has(self.containers) || size(self.containers) < 2 || self.containers.all(c, c.name != '')",
        move |o| size(o, "containers") < 2 || !unnamed(o),
        "containers lists several, and one has no name: an empty name means the template's only container, so name each",
        Vec::new(),
    )
}

/// A preset or numbers say what an engine takes.
pub fn client_or_numbers() -> Law {
    Law::new(
        "has(self.client) || (has(self.min) && has(self.max))",
        |o| has(o, "client") || (has(o, "min") && has(o, "max")),
        "without client an engine needs min and max: name the client software, or give both numbers",
        Vec::new(),
    )
}

/// The smallest limit is not above the largest.
pub fn min_to_max() -> Law {
    Law::new(
        "!has(self.min) || !has(self.max) || self.min <= self.max",
        |o| number(o, "min").zip(number(o, "max")).is_none_or(|(min, max)| min <= max),
        "min {} is above max {}: lower min or raise max",
        vec![Argument::number("min"), Argument::number("max")],
    )
    .on("/min")
}

/// The kind is one of ours, or its API is named.
pub fn kind_known() -> Law {
    let kinds = KNOWN_KINDS.map(|(kind, _)| kind);
    let list = kinds.map(quote).join(", ");
    Law::new(
        format!("has(self.apiVersion) || self.kind in [{list}]"),
        move |o| has(o, "apiVersion") || kinds.contains(&text(o, "kind")),
        "kind {} needs apiVersion: only {} go without; it must have a /scale subresource",
        vec![Argument::text("kind"), Argument::known(kinds.join(", "))],
    )
    .on("/kind")
}

/// One way to say which workloads.
pub fn name_or_selector() -> Law {
    Law::new(
        "!has(self.name) || !has(self.selector)",
        |o| !has(o, "name") || !has(o, "selector"),
        "name and selector are both given: keep name for one workload, or selector for all that match",
        Vec::new(),
    )
}

/// An empty selector would match everything.
pub fn selector_selects() -> Law {
    Law::new(
        "(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",
        |o| size(o, "matchLabels") > 0 || size(o, "matchExpressions") > 0,
        "the selector is empty and would match every workload of its kind: give matchLabels or matchExpressions",
        Vec::new(),
    )
}

/// Values where the operator compares, none where it does not.
pub fn operator_values() -> Law {
    let compares = |o: &Value| ["In", "NotIn"].contains(&text(o, "operator"));
    let operator = || vec![Argument::text("operator")];
    Law::new(
        "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
        move |o| compares(o) == (size(o, "values") > 0),
        "operator {} takes no values",
        operator(),
    )
    .when("self.operator in ['In', 'NotIn']", compares, "operator {} needs values", operator())
    .on("/operator")
}
