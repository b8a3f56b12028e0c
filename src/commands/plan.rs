//! `dbbudget plan`: what the manifests need and get, before anything runs.

mod against;
mod build;
mod markdown;
mod report;
mod sarif;
mod table;

use std::io::{self, Read, Write};

use super::input;
use crate::assess::Severity;
use crate::manifests::InputError;
use report::{Failure, Report};

/// What to plan, and how to say it.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// The manifests, and what they do not say
    #[command(flatten)]
    pub input: input::Args,

    /// Also plan these manifests, as they are now, and say what the change adds
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::AnyPath)]
    pub against: Option<String>,

    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,

    /// What makes the exit status 1
    #[arg(long, value_enum, default_value_t)]
    pub fail_on: FailOn,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// plan.dbbudget.dev/v1, see the README
    Json,
    /// The same as YAML
    Yaml,
    /// For a pull request's comment
    Markdown,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// What makes a plan fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// A verdict other than Fits, or an error finding
    #[default]
    Error,
    /// A warning, too
    Warning,
    /// Nothing but bad input
    Never,
}

/// Exit statuses, as documented.
const FITS: u8 = 0;
const FAILS: u8 = 1;
const BAD_INPUT: u8 = 2;

/// Plans, prints, and returns the exit status: 0 fits, 1 it does not or an error was found, 2 bad input.
///
/// # Errors
/// When the output cannot be written.
pub fn run(args: &Args, stdin: &mut dyn Read, out: &mut dyn Write, errors: &mut dyn Write) -> io::Result<u8> {
    match plan(args, stdin) {
        Ok(report) => {
            print(args.output, &report, out)?;
            Ok(if fails(args.fail_on, &report) { FAILS } else { FITS })
        }
        Err(mistakes) => {
            let failure = Failure::new(&mistakes);
            match args.output {
                Format::Json => json(&failure, out)?,
                Format::Yaml => yaml(&failure, out)?,
                Format::Sarif => json(&sarif::failure(&failure), out)?,
                Format::Table | Format::Markdown => {
                    for mistake in &mistakes {
                        writeln!(errors, "{mistake}")?;
                    }
                }
            }
            Ok(BAD_INPUT)
        }
    }
}

fn plan(args: &Args, stdin: &mut dyn Read) -> Result<Report, Vec<InputError>> {
    let change = input::read(&args.input, stdin)?;
    let mut report = build::report(&change);
    if let Some(before) = &args.against {
        let before = input::Args { files: vec![before.clone()], kustomize: Vec::new(), ..args.input.clone() };
        let before = input::read(&before, &mut io::empty())?;
        report.against = Some(against::Against { budgets: build::report(&before).budgets });
    }
    Ok(report)
}

fn print(format: Format, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Table => table::print(report, out),
        Format::Json => json(report, out),
        Format::Yaml => yaml(report, out),
        Format::Markdown => markdown::print(report, out),
        Format::Sarif => json(&sarif::log(report), out),
    }
}

fn json(value: &impl serde::Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

fn yaml(value: &impl serde::Serialize, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(serde_yaml::to_string(value).map_err(io::Error::other)?.as_bytes())
}

fn fails(on: FailOn, report: &Report) -> bool {
    let worst = report.findings.iter().map(|f| f.severity).max();
    let unfit = report.budgets.iter().any(|b| b.verdict != "Fits");
    match on {
        FailOn::Never => false,
        FailOn::Error => unfit || worst >= Some(Severity::Error),
        FailOn::Warning => unfit || worst >= Some(Severity::Warning),
    }
}
