//! What the API server makes of an object before it judges it.

use serde_json::Value;

/// Fills in defaults. A null stands for a field that is not there, as on the server.
pub(super) fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            if let Some(Value::Object(properties)) = schema.get("properties") {
                for (name, property) in properties {
                    if let Some(default) = property.get("default")
                        && !fields.contains_key(name)
                    {
                        fields.insert(name.clone(), default.clone());
                    }
                    if let Some(field) = fields.get_mut(name) {
                        fill(property, field);
                    }
                }
            } else if let Some(each) = schema.get("additionalProperties") {
                fields.values_mut().for_each(|field| fill(each, field));
            }
        }
        Value::Array(items) => {
            if let Some(each) = schema.get("items") {
                for item in items {
                    fill(each, item);
                }
            }
        }
        _ => {}
    }
}
