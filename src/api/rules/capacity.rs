//! Rules about what a database gives, and who keeps what of it.

use serde_json::Value;

use crate::api::law::{Argument, Law, has, number, quote, text};
use crate::budget::capacity::{Compute, Endpoint, SUPABASE};

/// The published tables, or the object, have the number of this endpoint.
pub fn number_known(endpoint: Endpoint, field: &'static str) -> Law {
    let sizes: Vec<_> = SUPABASE.iter().filter(|size| size.limit(endpoint).is_some()).map(|size| size.name).collect();
    let known = sizes.iter().map(|name| quote(&name.to_lowercase())).collect::<Vec<_>>().join(", ");
    let way = format!("{endpoint:?}");
    let cel = format!(
        "self.endpoint != '{way}' || has(self.{field}) || (has(self.compute) && self.compute.lowerAscii() in [{known}])"
    );
    let kept = {
        let way = way.clone();
        move |o: &Value| {
            let limit = || Compute::named(text(o, "compute")).and_then(|size| size.limit(endpoint));
            text(o, "endpoint") != way || has(o, field) || limit().is_some()
        }
    };
    let known = |text: &str| Argument::known(text);
    Law::new(
        cel,
        kept,
        "endpoint {} needs {}, since no compute size is given: give compute or {}",
        vec![known(&way), known(field), known(field)],
    )
    .when(
        "has(self.compute)",
        |o| has(o, "compute"),
        "compute {} has no published number for endpoint {}: give {}, or one of {}",
        vec![Argument::text("compute"), known(&way), known(field), known(&sizes.join(", "))],
    )
}

/// What a capacity gives, where the object says it: a field of one of its kinds, less others, less a constant.
pub struct Gives {
    kind: &'static str,
    endpoint: Option<&'static str>,
    number: &'static str,
    less: Option<&'static str>,
    constant: i64,
}

/// `static`.
pub const STATIC: Gives =
    Gives { kind: "static", endpoint: None, number: "maxConnections", less: Some("serverReserved"), constant: 0 };
/// `postgres`.
pub const EXPECTED: Gives = Gives { kind: "postgres", endpoint: None, number: "expected", less: None, constant: 0 };
/// `supabase` in session mode.
pub const SESSION: Gives =
    Gives { kind: "supabase", endpoint: Some("Session"), number: "poolSize", less: None, constant: 0 };
/// `supabase` in transaction mode.
pub const TRANSACTION: Gives =
    Gives { kind: "supabase", endpoint: Some("Transaction"), number: "maxClients", less: None, constant: 0 };
/// `supabase` without a pooler: 3 are for superusers.
pub const DIRECT: Gives =
    Gives { kind: "supabase", endpoint: Some("Direct"), number: "maxConnections", less: Some("platform"), constant: 3 };

impl Gives {
    /// Whether the object says it, in CEL.
    fn said(&self) -> String {
        let base = format!("self.capacity.{}", self.kind);
        let endpoint = self.endpoint.map(|endpoint| format!(" && {base}.endpoint == '{endpoint}'"));
        format!("has({base}){} && has({base}.{})", endpoint.unwrap_or_default(), self.number)
    }

    /// The number, in CEL.
    fn cel(&self) -> String {
        let base = format!("self.capacity.{}", self.kind);
        let less = self.less.map(|less| format!(" - {base}.{less}"));
        let constant = if self.constant > 0 { format!(" - {}", self.constant) } else { String::new() };
        format!("{base}.{}{}{constant}", self.number, less.unwrap_or_default())
    }

    /// The number, where the object says it.
    fn of(&self, spec: &Value) -> Option<i64> {
        let base = spec.pointer(&format!("/capacity/{}", self.kind))?;
        if self.endpoint.is_some_and(|endpoint| text(base, "endpoint") != endpoint) {
            return None;
        }
        let less = self.less.and_then(|less| number(base, less)).unwrap_or(0);
        Some(number(base, self.number)? - less - self.constant)
    }
}

/// What the object itself says leaves room beside the reserve.
pub fn reserve_below(gives: &'static Gives) -> Law {
    let reserve = |o: &Value| number(o, "reserve").unwrap_or(0);
    Law::new(
        format!("!({}) || self.reserve == 0 || self.reserve < {}", gives.said(), gives.cel()),
        move |o| reserve(o) == 0 || gives.of(o).is_none_or(|given| reserve(o) < given),
        "reserve {} leaves nothing of the {} connections that capacity gives: lower reserve, or correct capacity",
        vec![Argument::number("reserve"), Argument::computed(gives.cel(), |o| gives.of(o).unwrap_or(0))],
    )
    .on("/reserve")
}

/// A number is below another of the same object.
fn below(low: &'static str, high: &'static str, sentence: &'static str) -> Law {
    Law::new(
        format!("self.{low} < self.{high}"),
        move |o| number(o, low) < number(o, high),
        sentence,
        vec![Argument::number(low), Argument::number(high)],
    )
}

/// The server keeps less than it has.
pub fn reserved_below_maximum() -> Law {
    let sentence = "serverReserved {} is not below maxConnections {}, so nothing is left: correct one of them";
    below("serverReserved", "maxConnections", sentence)
}

/// A warning comes before it is critical.
pub fn warning_below_critical() -> Law {
    let sentence = "warningPercent {} is not below criticalPercent {}: lower it, or raise criticalPercent";
    below("warningPercent", "criticalPercent", sentence)
}

/// Supabase's database keeps 3 for superusers and `platform` for its services.
pub fn platform_leaves_some() -> Law {
    Law::new(
        "self.endpoint != 'Direct' || !has(self.maxConnections) || self.platform + 3 < self.maxConnections",
        |o| {
            let left = |max: i64| number(o, "platform").unwrap_or(0) + 3 < max;
            text(o, "endpoint") != "Direct" || number(o, "maxConnections").is_none_or(left)
        },
        "platform {} and 3 for superusers leave nothing of maxConnections {}: correct one of them",
        vec![Argument::number("platform"), Argument::number("maxConnections")],
    )
}
