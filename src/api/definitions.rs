//! The custom resource definitions, as they are derived from the types.

use kube::CustomResourceExt;
use serde_json::Value;

use super::{DatabaseBudget, DatabaseClaim, DatabaseLedger};

/// The definitions of DatabaseBudget, DatabaseClaim and DatabaseLedger.
///
/// # Errors
/// When they cannot be serialised.
pub fn definitions() -> serde_json::Result<[Value; 3]> {
    let mut all = [
        serde_json::to_value(DatabaseBudget::crd())?,
        serde_json::to_value(DatabaseClaim::crd())?,
        serde_json::to_value(DatabaseLedger::crd())?,
    ];
    all.iter_mut().for_each(tidy);
    Ok(all)
}

/// Says what the derived schema says, as a person would write it.
///
/// - `nullable` goes: without it the API server drops an explicit null and applies the default, which is what a null means.
/// - Bounds come as floats (`1.0`), since JSON knows one sort of number.
/// - Line breaks within a paragraph of a description are those of the source.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("nullable") == Some(&Value::Bool(true)) {
                fields.remove("nullable");
            }
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.split("\n\n").map(|p| p.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
            }
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Number(number) if !number.is_i64() => {
            // Bounds are small whole numbers, which both sorts hold exactly.
            if let Some(whole) = number.as_f64().and_then(|n| format!("{n:.0}").parse::<i64>().ok()) {
                *value = whole.into();
            }
        }
        _ => {}
    }
}
