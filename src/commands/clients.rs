//! `dbbudget clients [NAME]`: the catalogue, for people or machines.

mod entry;
mod list;
mod page;
mod phrases;

use crate::catalogue::{Catalogue, CatalogueError};
use std::io::{self, Write};

/// How the catalogue is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: 100 columns, colour where the stream takes it.
    #[default]
    Table,
    /// `{"servers": […], "clients": […]}`, or the one entry.
    Json,
    /// The same as YAML, in the shape of the catalogue's own file.
    Yaml,
}

/// Why nothing was shown.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// No entry of this name.
    #[error("no client '{name}'; {}`dbbudget clients` lists them", did_you_mean(nearest.as_deref()))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The name most like it.
        nearest: Option<String>,
    },
    /// A house's own clients cannot be used.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The output cannot be written.
    #[error("cannot write the catalogue: {0}")]
    Write(#[from] io::Error),
    /// The entry cannot be serialised.
    #[error("cannot write the catalogue as {format}: {message}")]
    Serialise {
        /// JSON or YAML.
        format: &'static str,
        /// What the library says.
        message: String,
    },
}

impl ClientsError {
    /// The exit code: 2, bad input.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        2
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("did you mean '{name}'? ")).unwrap_or_default()
}

/// Writes all clients, or the client or server program of this name. Styles are ANSI codes: pass a stream of `anstream`,
/// which drops them where they do not belong.
///
/// # Errors
/// An unknown name, or a stream that takes no output.
pub fn run(name: Option<&str>, output: Format, out: &mut dyn Write) -> Result<(), ClientsError> {
    let catalogue = Catalogue::builtin();
    let Some(name) = name else {
        return match output {
            Format::Table => Ok(out.write_all(list::text(catalogue).as_bytes())?),
            _ => machine(catalogue, output, out),
        };
    };
    if let Some(client) = catalogue.client(name) {
        match output {
            Format::Table => Ok(out.write_all(entry::client(catalogue, client).as_bytes())?),
            _ => machine(client, output, out),
        }
    } else if let Some(server) = catalogue.server(name) {
        match output {
            Format::Table => Ok(out.write_all(entry::server(server).as_bytes())?),
            _ => machine(server, output, out),
        }
    } else {
        let nearest = catalogue.nearest(name).map(str::to_owned);
        Err(ClientsError::Unknown { name: name.to_owned(), nearest })
    }
}

fn machine(value: &impl serde::Serialize, output: Format, out: &mut dyn Write) -> Result<(), ClientsError> {
    let failed = |format, message| ClientsError::Serialise { format, message };
    let mut text = match output {
        Format::Yaml => serde_yaml::to_string(value).map_err(|error| failed("YAML", error.to_string()))?,
        _ => serde_json::to_string_pretty(value).map_err(|error| failed("JSON", error.to_string()))?,
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(out.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Preset;

    fn shown(name: Option<&str>, output: Format) -> String {
        let mut out = Vec::new();
        run(name, output, &mut out).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    #[test]
    fn the_table_has_every_client_and_fits_100_columns() {
        let table = shown(None, Format::Table);
        for client in Catalogue::builtin().clients() {
            let row = table.lines().find(|line| line.split_whitespace().next() == Some(&client.name));
            let row = row.unwrap_or_else(|| panic!("no row for {}", client.name));
            assert_eq!(row.contains("no knob") || row.contains("only its"), !client.has_knob(), "{row}");
        }
        assert_eq!(table.lines().find(|line| line.chars().count() > 100), None);
    }

    #[test]
    fn an_entry_tells_everything_and_fits_100_columns() {
        for client in Catalogue::builtin().clients() {
            let text = shown(Some(&client.name), Format::Table);
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let facts = client.notes.iter().chain(&client.advice).chain([&client.source, &client.version]);
            for fact in facts.chain(client.knobs().map(|knob| &knob.name)).chain(&client.url.fatal) {
                assert!(words.contains(fact.as_str()), "{}: {fact} is missing in\n{text}", client.name);
            }
            assert_eq!(text.lines().find(|line| line.chars().count() > 100), None);
        }
    }

    #[test]
    fn servers_are_shown_by_name() {
        let text = shown(Some("gunicorn"), Format::Table);
        for part in ["WEB_CONCURRENCY", "GUNICORN_CMD_ARGS", "--threads", "27.0.1"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn machines_get_the_entries_as_they_are() {
        let one: Preset = serde_json::from_str(&shown(Some("mlflow"), Format::Json)).unwrap();
        assert_eq!(Some(&one), Catalogue::builtin().client("mlflow"));
        let all: Catalogue = serde_yaml::from_str(&shown(None, Format::Yaml)).unwrap();
        assert_eq!(&all, Catalogue::builtin());
    }

    #[test]
    fn an_unknown_name_is_bad_input_and_gets_a_hint() {
        let error = run(Some("mlfow"), Format::Table, &mut Vec::new()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert_eq!(error.to_string(), "no client 'mlfow'; did you mean 'mlflow'? `dbbudget clients` lists them");
        let error = run(Some("zzz"), Format::Json, &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "no client 'zzz'; `dbbudget clients` lists them");
    }
}
