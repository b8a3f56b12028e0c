//! All clients in one table.

use super::page::{FAINT, HEADING, Page, WARNING, WIDTH, wrapped};
use super::phrases;
use crate::catalogue::{Catalogue, Family, Preset, Server, Setting};
use anstyle::Style;

const NAME: usize = 20;
const OPENS: usize = 16;
const KNOWN: usize = 10;
const KNOBS: usize = WIDTH - NAME - OPENS - KNOWN - 6;

pub(super) fn text(catalogue: &Catalogue) -> String {
    let mut page = Page::default();
    let head = row("CLIENT", "OPENS", "KNOWN", "SET FROM OUTSIDE BY");
    page.line(&format!("{HEADING}{head}{HEADING:#}"));
    let mut family: Option<Family> = None;
    for client in catalogue.clients() {
        if family.replace(client.family) != Some(client.family) {
            page.heading(phrases::family(client.family));
        }
        rows(&mut page, catalogue, client);
    }
    page.heading("Server programs whose processes and threads are found in a template");
    let servers: Vec<_> = catalogue.servers().map(|server| server.name.as_str()).collect();
    page.paragraph("", &servers.join(", "));
    page.line("");
    let legend = "OPENS: connections of one process when nothing is set, pool+overflow, and what it holds outside \
                  its pools. KNOWN: measured against a real PostgreSQL, read in the source, cited from documentation, \
                  or unverified. `dbbudget clients NAME` tells the rest of a client or a server program.";
    page.styled("", legend, FAINT);
    page.into_text()
}

fn row(name: &str, opens: &str, known: &str, knobs: &str) -> String {
    format!("{name:NAME$}  {opens:OPENS$}  {known:KNOWN$}  {knobs}")
}

fn rows(page: &mut Page, catalogue: &Catalogue, client: &Preset) {
    let server = client.server.as_deref().and_then(|name| catalogue.server(name));
    let (knobs, style) = knobs(client, server);
    let mut lines = wrapped(&knobs, KNOBS).into_iter();
    let styled = |line: String| format!("{style}{line}{style:#}");
    let first = lines.next().map(styled).unwrap_or_default();
    page.line(&row(&client.name, &phrases::opens(client), phrases::evidence(client.evidence), &first));
    lines.for_each(|line| page.line(&row("", "", "", &styled(line))));
}

/// What sets how much one engine opens, and how it should strike the eye.
fn knobs(client: &Preset, server: Option<&Server>) -> (String, Style) {
    let sizing = client.env.iter().chain(&client.args).filter(|knob| knob.sizes_engine());
    let names = sizing.map(|knob| match knob.always {
        Some(number) => format!("{} (always {number})", knob.name),
        None => knob.name.clone(),
    });
    let parameters = client.url.parameters.iter().filter(|knob| knob.sizes_engine());
    let written = parameters.map(|knob| {
        let text = phrases::parameter(client.url.syntax, knob);
        knob.always.map_or(text.clone(), |number| format!("{text} (always {number})"))
    });
    let all: Vec<String> = names.chain(written).collect();
    if !all.is_empty() {
        return (all.join(", "), Style::new());
    }
    let lowered: Vec<String> = server.map(lowered_by).unwrap_or_default();
    if lowered.is_empty() {
        return ("no knob".to_owned(), WARNING);
    }
    (format!("only its processes: {}", lowered.join(", ")), WARNING)
}

/// The shortest flag and the variables of a server's processes and threads.
fn lowered_by(server: &Server) -> Vec<String> {
    let of = |setting: &Setting| setting.args.first().into_iter().chain(&setting.env).cloned().collect::<Vec<_>>();
    let threads = server.threads.as_ref().map(of).unwrap_or_default();
    of(&server.processes).into_iter().chain(threads).collect()
}
