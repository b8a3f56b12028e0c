//! An object against its schema, field by field.

use serde_json::Value;

use super::{Held, MOST, fields, scalar};
use crate::api::parse::Fault;

/// A walk through one object.
pub(super) struct Walk<'a> {
    pub held: &'a Held,
    pub kind: &'a str,
    pub faults: Vec<Fault>,
}

impl Walk<'_> {
    /// The whole object. Its metadata belongs to Kubernetes; of it only the names are looked at.
    pub fn object(&mut self, schema: &Value, object: &Value) {
        let before = self.faults.len();
        fields::names(object, self);
        let none = serde_json::Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        for (name, value) in object.as_object().into_iter().flatten() {
            match known.get(name) {
                _ if ["apiVersion", "kind", "metadata"].contains(&name.as_str()) => {}
                Some(schema) => self.value(schema, value, &format!("/{name}")),
                None => fields::unknown(name, known.keys(), "", self),
            }
        }
        fields::missing(schema, object, "", self);
        self.laws(schema, object, "", before);
    }

    pub fn fault(&mut self, pointer: impl Into<String>, what: impl Into<String>) {
        if self.faults.len() < MOST {
            self.faults.push(Fault { pointer: pointer.into(), what: what.into() });
        }
    }

    fn value(&mut self, schema: &Value, value: &Value, at: &str) {
        let before = self.faults.len();
        match (schema.get("type").and_then(Value::as_str), value) {
            (Some("object"), Value::Object(_)) => self.fields(schema, value, at),
            (Some("array"), Value::Array(items)) => self.items(schema, items, at),
            _ => {
                if let Some(what) = scalar::fault(self.held, schema, value) {
                    self.fault(at, what);
                }
            }
        }
        self.laws(schema, value, at, before);
    }

    fn fields(&mut self, schema: &Value, value: &Value, at: &str) {
        let known = schema.get("properties").and_then(Value::as_object);
        let each = schema.get("additionalProperties");
        let takes_all = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
        let given = value.as_object().map_or(0, serde_json::Map::len);
        if let Some(most) = schema.get("maxProperties").and_then(Value::as_u64).filter(|most| given as u64 > *most) {
            self.fault(at, format!("has {given} entries, at most {most} are allowed"));
            return;
        }
        for (name, field) in value.as_object().into_iter().flatten() {
            let below = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            match (known.and_then(|known| known.get(name)), each) {
                (Some(schema), _) | (None, Some(schema)) => self.value(schema, field, &below),
                (None, None) if takes_all => {}
                (None, None) => fields::unknown(name, known.into_iter().flat_map(serde_json::Map::keys), at, self),
            }
        }
        fields::missing(schema, value, at, self);
    }

    fn items(&mut self, schema: &Value, items: &[Value], at: &str) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
        let given = items.len();
        if let Some(most) = bound("maxItems").filter(|most| given as u64 > *most) {
            // The items are not looked at: there may be millions.
            return self.fault(at, format!("has {given} entries, at most {most} are allowed"));
        }
        if let Some(least) = bound("minItems").filter(|least| (given as u64) < *least) {
            let given = if given == 0 { "is empty".to_owned() } else { format!("has {given} entries") };
            self.fault(at, format!("{given}, at least {least} is needed"));
        }
        if let Some(each) = schema.get("items") {
            for (i, item) in items.iter().enumerate() {
                self.value(each, item, &format!("{at}/{i}"));
            }
        }
        fields::twice(schema, items, at, self);
    }

    /// What a schema cannot say. Only where all below is sound: a law speaks of fields that are what they should be.
    fn laws(&mut self, schema: &Value, value: &Value, at: &str, before: usize) {
        if self.faults.len() > before {
            return;
        }
        for rule in schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
            let law = rule.get("rule").and_then(Value::as_str).and_then(|cel| self.held.laws.get(cel));
            let Some((law, what)) = law.and_then(|law| Some((law, law.broken_by(value)?))) else { continue };
            let pointer = format!("{at}{}", law.field);
            // Of a field that breaks several laws the first says enough.
            if self.faults[before..].iter().all(|fault| fault.pointer != pointer) {
                self.fault(pointer, what);
            }
        }
    }
}
