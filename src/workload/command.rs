//! Which program a container's command starts, and with which flags.

use super::template::Container;
use crate::catalogue::{Catalogue, Server};

/// A known server program and the words after its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<'a> {
    /// The program.
    pub server: &'a Server,
    /// Its arguments, those of its arguments variable (`GUNICORN_CMD_ARGS`) not included.
    pub args: Vec<String>,
    /// Variables set before its name: `WEB_CONCURRENCY=4 gunicorn …`.
    pub env: Vec<(String, String)>,
}

/// The words of a container's command, with a shell's one string taken apart.
#[must_use]
pub fn words(container: &Container) -> Vec<String> {
    let words = container.words();
    let is_shell = |w: &String| ["sh", "bash", "ash", "dash"].contains(&base_name(w));
    let takes_script = |w: &String| w.starts_with('-') && !w.starts_with("--") && w.ends_with('c');
    let shell = words.windows(2).position(|pair| is_shell(&pair[0]) && takes_script(&pair[1]));
    match shell.and_then(|at| words.get(at + 2)) {
        Some(script) => {
            let script = script.replace("\\\n", " ");
            let lines = script.lines().filter(|line| !line.trim_start().starts_with('#'));
            let lines = lines.collect::<Vec<_>>().join(" ; ");
            shlex::split(&lines).unwrap_or_else(|| lines.split_whitespace().map(ToOwned::to_owned).collect())
        }
        None => words,
    }
}

/// The server program that a command starts. `assumed` is the one that the image starts by itself, where the client's
/// preset names it and the template sets no command.
#[must_use]
pub fn call<'a>(container: &Container, catalogue: &'a Catalogue, assumed: Option<&'a Server>) -> Option<Call<'a>> {
    let words = without_python(words(container));
    let mut calls = commands(&words).into_iter().filter_map(|command| started(&command, catalogue));
    match (calls.next(), calls.next()) {
        (Some(call), None) => Some(call),
        (Some(_), Some(_)) => None, // several servers in one container: which number is whose, nobody can tell
        (None, _) => {
            let server = assumed.filter(|_| container.command.is_empty())?;
            Some(Call { server, args: words, env: Vec::new() })
        }
    }
}

/// The commands of a line: a shell's operators end each.
fn commands(words: &[String]) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    for word in words {
        let operator = ["&&", "||", ";", "|", "&"].contains(&word.as_str());
        let ended = word.strip_suffix(';');
        if let Some(last) = commands.last_mut().filter(|_| !operator) {
            last.push(ended.unwrap_or(word).to_owned());
        }
        if operator || ended.is_some() {
            commands.push(Vec::new());
        }
    }
    commands
}

/// Programs that only start another one, and words that belong to them.
const STARTERS: [&str; 22] = [
    "exec",
    "env",
    "tini",
    "dumb-init",
    "nice",
    "time",
    "poetry",
    "uv",
    "pipenv",
    "pdm",
    "hatch",
    "run",
    "bundle",
    "ddtrace-run",
    "newrelic-admin",
    "run-program",
    "opentelemetry-instrument",
    "su-exec",
    "gosu",
    "stdbuf",
    "sudo",
    "--",
];

/// `NAME=value` before a command.
fn variable(word: &str) -> Option<(&str, &str)> {
    word.split_once('=').filter(|(name, _)| !name.is_empty() && !name.starts_with('-'))
}

/// The server that one command starts: its first word that is no variable and no starter.
fn started<'a>(command: &[String], catalogue: &'a Catalogue) -> Option<Call<'a>> {
    let starts = |i: &usize| {
        let word = base_name(&command[*i]);
        let of_user = *i > 0 && ["su-exec", "gosu"].contains(&base_name(&command[*i - 1]));
        let script = word.contains(".sh") || word.contains("entrypoint");
        STARTERS.contains(&word) || word.starts_with('-') || script || of_user || variable(&command[*i]).is_some()
    };
    let at = (0..command.len()).find(|i| !starts(i))?;
    let matching = |server: &&Server| server.commands.iter().any(|c| starts_with(&command[at..], c));
    // `mlflow server` before `mlflow`: the longest command that fits.
    let longest = |server: &&Server| server.commands.iter().map(|c| c.split(' ').count()).max();
    let server = catalogue.servers().filter(matching).max_by_key(longest)?;
    let env = command[..at].iter().filter_map(|word| variable(word));
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Some(Call { server, args: command[at + 1..].to_vec(), env })
}

/// `python -m uvicorn` is `uvicorn`.
fn without_python(words: Vec<String>) -> Vec<String> {
    let module = |i: usize| base_name(&words[i]).starts_with("python") && words.get(i + 1).is_some_and(|w| w == "-m");
    let skipped: Vec<usize> = (0..words.len()).filter(|&i| module(i)).flat_map(|i| [i, i + 1]).collect();
    words.into_iter().enumerate().filter(|(i, _)| !skipped.contains(i)).map(|(_, word)| word).collect()
}

fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Whether words begin with a command: its first word at once, the others among the next words that are no flags.
fn starts_with(words: &[String], command: &str) -> bool {
    let mut wanted = command.split(' ');
    let first = wanted.next().unwrap_or_default();
    if words.first().is_none_or(|w| base_name(w) != first) {
        return false;
    }
    let mut rest = words[1..].iter().filter(|w| !w.starts_with('-')).take(4);
    wanted.all(|word| rest.any(|w| w == word))
}

/// The value of the last of these flags: `-w 4`, `-w4`, `--workers 4`, `--workers=4`.
#[must_use]
pub fn flag_value<'a>(args: &'a [String], flags: &[String]) -> Option<(&'a str, &'a str)> {
    let mut values = args.iter().enumerate().filter_map(|(i, word)| {
        flags.iter().find_map(|flag| {
            let rest = word.strip_prefix(flag.as_str())?;
            let long = flag.starts_with("--");
            match rest.strip_prefix('=') {
                Some(value) => Some((&word[..flag.len()], value)),
                None if rest.is_empty() => args.get(i + 1).map(|value| (word.as_str(), value.as_str())),
                None if !long && rest.starts_with(|c: char| c.is_ascii_digit()) => Some((&word[..flag.len()], rest)),
                None => None,
            }
        })
    });
    values.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(words: &[&str]) -> Container {
        Container { command: words.iter().map(|w| (*w).to_owned()).collect(), ..Container::default() }
    }

    fn found(words: &[&str]) -> Option<(String, Vec<String>)> {
        let call = call(&container(words), Catalogue::builtin(), None)?;
        Some((call.server.name.clone(), call.args))
    }

    #[test]
    fn programs_are_found_wherever_they_stand() {
        let gunicorn = Some(("gunicorn".to_owned(), vec!["app:app".to_owned(), "-w".to_owned(), "4".to_owned()]));
        assert_eq!(found(&["gunicorn", "app:app", "-w", "4"]), gunicorn);
        assert_eq!(found(&["/venv/bin/gunicorn", "app:app", "-w", "4"]), gunicorn);
        assert_eq!(found(&["python3", "-m", "gunicorn", "app:app", "-w", "4"]), gunicorn);
        assert_eq!(found(&["sh", "-c", "alembic upgrade head && exec gunicorn app:app -w 4; echo done"]), gunicorn);
        assert_eq!(
            found(&["tini", "--", "bash", "-lc", "gunicorn app:app \\\n -w 4"]).map(|f| f.0),
            Some("gunicorn".into())
        );
        assert_eq!(found(&["./start.sh"]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn flags_in_every_spelling() {
        let flags = ["-w".to_owned(), "--workers".to_owned()];
        for words in [&["-w", "4"][..], &["-w4"], &["--workers", "4"], &["--workers=4"], &["-w", "2", "-w", "4"]] {
            let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            assert_eq!(flag_value(&words, &flags).map(|f| f.1), Some("4"), "{words:?}");
        }
        assert_eq!(flag_value(&["--worker-class".to_owned(), "sync".to_owned()], &flags), None);
        assert_eq!(flag_value(&["-w".to_owned()], &flags), None);
    }
}
