//! One client or one server program at length.

use super::page::{BAD, FAINT, Page};
use super::phrases;
use crate::catalogue::{Catalogue, ExtraWhen, Knob, Need, Preset, Repeated, Server, Syntax, UnknownParameter};

pub(super) fn client(catalogue: &Catalogue, client: &Preset) -> String {
    let mut page = Page::default();
    title(&mut page, &client.name, &client.title, phrases::evidence(client.evidence), &client.version);
    defaults(&mut page, catalogue, client);
    knobs(&mut page, client);
    url(&mut page, client);
    transaction(&mut page, client);
    notes(&mut page, &client.notes, &client.source);
    page.into_text()
}

pub(super) fn server(server: &Server) -> String {
    let mut page = Page::default();
    title(&mut page, &server.name, "server program", phrases::evidence(server.evidence), &server.version);
    page.heading("Recognised as");
    page.paragraph("  ", &server.commands.join(", "));
    page.heading("Found in");
    page.paragraph("  processes  ", &phrases::setting(&server.processes));
    let threads = server.threads.as_ref().map_or("bound nothing".to_owned(), phrases::setting);
    page.paragraph("  threads    ", &threads);
    if let Some(variable) = &server.args_env {
        page.paragraph("  arguments  ", &format!("also read from {variable}"));
    }
    if let Some(flag) = &server.autoscale {
        page.paragraph("  autoscale  ", &format!("{flag} max,min: the maximum counts"));
    }
    for mode in &server.modes {
        let values = if mode.values.is_empty() { "any other".to_owned() } else { mode.values.join(", ") };
        let effect = match (mode.processes, mode.processes_are_threads, mode.threads_unbounded) {
            (Some(number), ..) => format!("{number} process"),
            (None, true, _) => "one process with so many threads".to_owned(),
            (None, _, true) => "threads bound nothing".to_owned(),
            _ => "as above".to_owned(),
        };
        page.paragraph("  mode       ", &format!("{} {values}: {effect}", mode.args.join(", ")));
    }
    notes(&mut page, &server.notes, &server.source);
    page.into_text()
}

fn title(page: &mut Page, name: &str, title: &str, known: &str, version: &str) {
    page.heading(&format!("{name}: {title}"));
    page.styled("", &format!("{known}, {version}"), FAINT);
}

fn defaults(page: &mut Page, catalogue: &Catalogue, client: &Preset) {
    page.heading("Opens by default");
    page.paragraph("  ", &format!("{}.", phrases::opens_at_length(client)));
    let server = client.server.as_deref().and_then(|name| catalogue.server(name));
    let processes = match (server, client.processes) {
        (Some(server), _) => format!("Processes: {}.", phrases::setting(&server.processes)),
        (None, Some(1)) => "It runs as one process.".to_owned(),
        (None, Some(number)) => format!("It runs as {number} processes."),
        (None, None) => "Processes: as the template's command says (gunicorn, celery, puma …).".to_owned(),
    };
    page.paragraph("  ", &processes);
    if let Some(threads) = server.and_then(|server| server.threads.as_ref()) {
        page.paragraph("  ", &format!("Threads of each: {}.", phrases::setting(threads)));
    }
    let extra = &client.extra;
    if extra.per_process + extra.per_pod > 0 || !extra.when.is_empty() {
        let always = outside(extra.per_process, extra.per_pod);
        page.paragraph("  ", &format!("Outside its engines: {always} ({}).", extra.what));
        extra.when.iter().for_each(|when| page.paragraph("  ", &format!("With {}: {}.", when.setting, under(when))));
    }
}

fn outside(per_process: u32, per_pod: u32) -> String {
    match (per_process, per_pod) {
        (0, 0) => "nothing".to_owned(),
        (process, 0) => format!("{process} per process"),
        (0, pod) => format!("{pod} per pod"),
        (process, pod) => format!("{process} per process and {pod} per pod"),
    }
}

fn under(when: &ExtraWhen) -> String {
    let extra = format!("{} outside", outside(when.per_process, when.per_pod));
    match when.engines {
        Some(1) => format!("{extra}, and one engine per process"),
        Some(count) => format!("{extra}, and {count} engines per process"),
        None => extra,
    }
}

fn knobs(page: &mut Page, client: &Preset) {
    page.heading("Set from outside by");
    let flags = client.args.iter().map(|knob| (knob.name.clone(), knob));
    let own = client.url.env.iter().flat_map(|variable| &variable.parameters);
    let parameters = client.url.parameters.iter().chain(own);
    let written = parameters.map(|knob| (phrases::parameter(client.url.syntax, knob), knob));
    let all: Vec<(String, &Knob)> =
        client.env.iter().map(|knob| (knob.name.clone(), knob)).chain(flags).chain(written).collect();
    let width = all.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, knob) in &all {
        page.paragraph(&format!("  {name:width$}  {:9} ", phrases::quantity(knob)), &phrases::rules(knob));
    }
    if let Some(advice) = &client.advice {
        page.paragraph("  ", &format!("Nothing sets the pool from outside. {advice}"));
        return;
    }
    let engine = &client.engine;
    let min = format!("The smallest safe limit of an engine is {}.", engine.min);
    let split = match engine.overflow_percent {
        0 => String::new(),
        percent => format!(" Of a limit, {percent} % (rounded down) becomes overflow, the rest pool."),
    };
    page.paragraph("  ", &format!("{min}{split}"));
}

fn url(page: &mut Page, client: &Preset) {
    let url = &client.url;
    let mark = |name: &String| if url.syntax == Syntax::Uri { format!("?{name}=") } else { format!("{name}=") };
    let list = |names: &[String]| names.iter().map(mark).collect::<Vec<_>>().join(", ");
    page.heading("Its URL");
    if !url.env.is_empty() {
        let names: Vec<_> = url.env.iter().map(|variable| variable.name.as_str()).collect();
        page.paragraph("  held by   ", &names.join(", "));
    }
    if !url.fatal.is_empty() {
        page.styled("  fatal     ", &list(&url.fatal), BAD);
    }
    if !url.useless.is_empty() {
        page.paragraph("  useless   ", &list(&url.useless));
    }
    let others = match url.unknown {
        UnknownParameter::Fatal => "pool parameters of other clients keep it from connecting",
        UnknownParameter::Ignored => "pool parameters of other clients do nothing",
        UnknownParameter::Unverified => "what pool parameters of other clients do was not tried",
    };
    page.paragraph("  others    ", others);
    let repeated = match url.repeated {
        Repeated::First => "the first counts",
        Repeated::Last => "the last counts",
        Repeated::Fatal => "keeps it from connecting",
        Repeated::Unverified => return named(page, client),
    };
    page.paragraph("  repeated  ", repeated);
    named(page, client);
}

fn named(page: &mut Page, client: &Preset) {
    let name = &client.connection_name;
    let url = name.url.as_ref().map(|name| match client.url.syntax {
        Syntax::Uri => format!("?{name}="),
        Syntax::Keywords => format!("{name}=;"),
    });
    let ways: Vec<_> = url.iter().chain(&name.env).cloned().collect();
    if !ways.is_empty() {
        page.heading("Its connections are named by");
        page.paragraph("  ", &ways.join(", "));
    }
}

fn transaction(page: &mut Page, client: &Preset) {
    page.heading("Behind a pooler in transaction mode");
    let Some(mode) = &client.transaction else {
        page.paragraph("  ", "Nobody tried.");
        return;
    };
    if mode.needs == Need::Nothing {
        page.paragraph("  ", "It works as it is.");
    }
    mode.url.iter().for_each(|pair| page.paragraph("  URL   ", &format!("?{pair}")));
    mode.env.iter().for_each(|pair| page.paragraph("  env   ", pair));
    mode.code.iter().for_each(|code| page.paragraph("  code  ", code));
    page.paragraph("  ", &mode.why);
}

fn notes(page: &mut Page, notes: &[String], source: &str) {
    if !notes.is_empty() {
        page.heading("Notes");
        for note in notes {
            page.paragraph("  - ", note);
        }
    }
    page.heading("How this is known");
    page.paragraph("  ", &format!("{source}."));
}
