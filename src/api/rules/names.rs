//! Rules about what may be set in a container: not a way to run code in it, or to send it elsewhere.

use std::sync::LazyLock;

use regex::Regex;

use crate::api::law::{Argument, Law, has, text, this};

/// Beginnings of variables that steer the loader or a language's runtime instead of a pool, and dbbudget's own.
const LOADERS_BEGIN: [&str; 8] = ["LD_", "DYLD_", "PYTHON", "PERL5", "RUBYOPT", "RUBYLIB", "KUBERNETES_", "DBBUDGET_"];
/// Their ends: `PATH`, `NODE_OPTIONS`, `JAVA_OPTS`, `GOFLAGS`, `BASH_ENV`.
const LOADERS_END: [&str; 5] = ["PATH", "_OPTIONS", "_OPTS", "FLAGS", "_ENV"];

/// What the name of a pool or worker setting has in it.
const SETTING: &str = "(?i)pool|conn|over|limit|max|size|work|proc|thread|concur|time|idle|cache";

/// URL parameters that say where, as whom or by which code to connect.
const CONNECTION: &str = "(?i)host|port|user|pass|opt|serv|ssl|gss|auth|file|fact|class|plug|dbn|^data|serial";

/// Numbers, durations, booleans.
const VALUE: &str = "^((?i:true|false|on|off)|([0-9]+([.][0-9]+)?(us|ms|s|m|min|h|d)?)+)$";

/// Whether a text matches one of the patterns above.
fn matches(pattern: &'static str, text: &str) -> bool {
    static COMPILED: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
        let patterns = [SETTING, CONNECTION, VALUE].into_iter();
        patterns.filter_map(|pattern| Some((pattern, Regex::new(pattern).ok()?))).collect()
    });
    COMPILED.iter().any(|(known, regex)| *known == pattern && regex.is_match(text))
}

/// The variable at `path` does not steer the loader or a runtime.
pub fn no_loader(path: &'static str) -> Law {
    let name = this(path);
    let begin = LOADERS_BEGIN.map(|l| format!("{name}.startsWith('{l}')"));
    let end = LOADERS_END.map(|l| format!("{name}.endsWith('{l}')"));
    let is_loader =
        |name: &str| LOADERS_BEGIN.iter().any(|l| name.starts_with(l)) || LOADERS_END.iter().any(|l| name.ends_with(l));
    Law::new(
        format!("!({} || {})", begin.join(" || "), end.join(" || ")),
        move |o| !is_loader(text(o, path)),
        "{} is refused: it steers the loader, the shell or a runtime, not a pool",
        vec![Argument::text(path)],
    )
    .on(match path {
        "name" => "/name",
        "env" => "/env",
        _ => "",
    })
}

/// The variable looks like a pool or worker setting.
pub fn looks_like_setting() -> Law {
    Law::new(
        format!("self.name.matches('{SETTING}')"),
        |o| matches(SETTING, text(o, "name")),
        "{} does not look like a pool or worker setting, so it is refused: its name must contain a word such as POOL, CONN, \
         MAX, SIZE, WORKER, PROC, THREAD, CONCURRENCY, TIMEOUT, IDLE or CACHE",
        vec![Argument::text("name")],
    )
    .on("/name")
}

/// The parameter does not redirect the connection.
pub fn no_redirection() -> Law {
    Law::new(
        format!("!self.name.matches('{CONNECTION}')"),
        |o| !matches(CONNECTION, text(o, "name")),
        "URL parameter {} is refused: it says where, as whom or by which code to connect; only pool settings are injected",
        vec![Argument::text("name")],
    )
    .on("/name")
}

/// A fixed value is plain.
pub fn plain_value() -> Law {
    Law::new(
        format!("!has(self.value) || self.value.matches('{VALUE}')"),
        |o| !has(o, "value") || matches(VALUE, text(o, "value")),
        "value {} is refused: only a number, a duration such as 30s or 1500ms, or true or false",
        vec![Argument::quoted("value")],
    )
    .on("/value")
}
