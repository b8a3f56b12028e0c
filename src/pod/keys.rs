//! What annotations and variables of ours are called.

use crate::catalogue::Quantity;

/// The annotation that pins what a pod was born with.
pub const SHAPE: &str = "dbbudget.dev/shape";
/// How the annotation begins that holds the limits that a budget granted a pod, one for each engine of its shape.
const GRANTED: &str = "dbbudget.dev/granted.";
/// The scheduling gate of a pod that waits for its connections.
pub const GATE: &str = "dbbudget.dev/lease";
/// The label that names the `CronJob` behind a Job's pods.
pub const CRON_JOB: &str = "dbbudget.dev/cronjob";
/// How the prefix of every number's annotation ends: `CONTAINER.dbbudget.dev/…`.
const DOMAIN: &str = ".dbbudget.dev/";
/// How variables begin that exist for URLs and flags alone.
pub const VARIABLE: &str = "DBBUDGET_";
/// How the variable begins that holds a URL in place of the name it had.
pub const URL: &str = "DBBUDGET_URL_";

/// The annotation that holds a number. Pool, overflow and limit are those of an engine, the others of a container.
#[must_use]
pub fn annotation(container: &str, budget: &str, engine: &str, quantity: Quantity) -> String {
    format!("{container}{DOMAIN}{budget}.{}", of_engine(engine, quantity))
}

/// The variable that holds a number where it is used within a URL or flag. Labels have no dots, so that no two numbers
/// share a name.
#[must_use]
pub fn variable(budget: &str, engine: &str, quantity: Quantity) -> String {
    let label = format!("{budget}.{}", of_engine(engine, quantity));
    format!("{VARIABLE}{}", label.to_uppercase().replace('-', "_"))
}

/// The annotation that holds what a budget granted.
#[must_use]
pub fn granted(budget: &str) -> String {
    format!("{GRANTED}{budget}")
}

fn of_engine(engine: &str, quantity: Quantity) -> String {
    let word = word(quantity);
    if matches!(quantity, Quantity::Pool | Quantity::Overflow | Quantity::Limit) {
        format!("{engine}.{word}")
    } else {
        word.to_owned()
    }
}

/// The path by which a container's variable reads an annotation of its pod.
#[must_use]
pub fn field_path(annotation: &str) -> String {
    format!("metadata.annotations['{annotation}']")
}

/// The annotation that a path reads, if it is one of ours.
#[must_use]
pub fn read_by(field_path: &str) -> Option<&str> {
    let key = field_path.strip_prefix("metadata.annotations['")?.strip_suffix("']")?;
    is_ours(key).then_some(key)
}

/// Whether an annotation is one that dbbudget alone writes.
#[must_use]
pub fn is_ours(annotation: &str) -> bool {
    annotation == SHAPE || annotation.starts_with(GRANTED) || annotation.contains(DOMAIN)
}

/// The same of `k`, in the language of admission rules.
pub const IS_OURS: &str =
    "(k == 'dbbudget.dev/shape' || k.startsWith('dbbudget.dev/granted.') || k.contains('.dbbudget.dev/'))";

/// Whether an annotation's number is one engine's.
#[must_use]
pub fn is_of_engine(annotation: &str) -> bool {
    let last = annotation.rsplit('.').next();
    [Quantity::Pool, Quantity::Overflow, Quantity::Limit].into_iter().any(|q| last == Some(word(q)))
}

const fn word(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Pool => "pool",
        Quantity::Overflow => "overflow",
        Quantity::Limit => "limit",
        Quantity::Processes => "processes",
        Quantity::Threads => "threads",
        Quantity::Connections => "connections",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_key_is_one_that_kubernetes_takes() {
        let key = annotation(&"c".repeat(63), &"b".repeat(40), &"e".repeat(12), Quantity::Overflow);
        let (prefix, name) = key.split_once('/').expect("a prefix");
        assert!(prefix.len() <= 253 && name.len() <= 63, "{} and {}", prefix.len(), name.len());
    }

    #[test]
    fn a_key_is_found_again_in_the_path_that_reads_it() {
        let key = annotation("api", "supabase", "default", Quantity::Pool);
        assert_eq!(key, "api.dbbudget.dev/supabase.default.pool");
        assert_eq!(read_by(&field_path(&key)), Some(key.as_str()));
        assert_eq!(read_by("metadata.annotations['example.test/pool']"), None);
        assert_eq!(read_by("metadata.name"), None);
        assert!(is_of_engine(&key) && !is_of_engine(&annotation("api", "supabase", "default", Quantity::Threads)));
    }

    #[test]
    fn variables_are_told_apart() {
        assert_eq!(variable("shop-db", "default", Quantity::Limit), "DBBUDGET_SHOP_DB.DEFAULT.LIMIT");
        assert_eq!(variable("shop", "default", Quantity::Processes), "DBBUDGET_SHOP.PROCESSES");
    }
}
