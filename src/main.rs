//! The `dbbudget` command.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use dbbudget::cli::{Cli, Command};
use dbbudget::commands::{clients, crds, explain, plan, release, render, reserve, run, top};

/// Exit statuses beside those of `plan`.
const FAILED: u8 = 1;
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let mut out = anstream::stdout().lock();
    let result = if called_as_function() {
        render::function(&mut io::stdin(), &mut out).map_err(Into::into)
    } else {
        start(understood().command, &mut out)
    };
    let result = result.and_then(|status| out.flush().map(|()| status).map_err(Into::into));
    match result {
        Ok(status) => ExitCode::from(status),
        // `dbbudget plan … | head` closes the pipe: nothing is wrong.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("dbbudget: {error}");
            ExitCode::from(BAD_INPUT)
        }
    }
}

fn start(command: Command, out: &mut dyn Write) -> Result<u8, Box<dyn std::error::Error>> {
    match command {
        Command::Plan(args) => Ok(plan::run(&args, &mut io::stdin(), out, &mut anstream::stderr())?),
        Command::Render(args) => Ok(render::run(&args, &mut io::stdin(), out, &mut anstream::stderr())?),
        Command::Run(args) => in_cluster(run::run(args)),
        Command::Top(args) => in_cluster(top::run(&args, out)),
        Command::Reserve(args) => {
            let wish = reserve::Wish::of(&args)?;
            in_cluster(reserve::run(&args, &wish, out))
        }
        Command::Explain(args) => in_cluster(explain::run(&args, out)),
        Command::Release(args) => in_cluster(release::run(&args)),
        Command::Clients { name, output } => clients::run(name.as_deref(), output, out).map(|()| 0).map_err(Into::into),
        Command::Crds { write: None } => Ok(out.write_all(crds::yaml()?.as_bytes()).map(|()| 0)?),
        Command::Crds { write: Some(folder) } => crds::write(&folder).map(|()| 0).map_err(Into::into),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "dbbudget", &mut script);
            Ok(out.write_all(&script).map(|()| 0)?)
        }
    }
}

fn in_cluster<E: Display>(work: impl Future<Output = Result<(), E>>) -> Result<u8, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match runtime.block_on(work) {
        Ok(()) => Ok(0),
        Err(error) => {
            anstream::eprintln!("dbbudget: {error}");
            Ok(FAILED)
        }
    }
}

/// What was typed; or its help, or what is wrong with it, and this process ends.
fn understood() -> Cli {
    let command = Cli::command();
    // kubectl starts what is named so, and help says what people type.
    let command = if is_called("kubectl-dbbudget") { command.bin_name("kubectl dbbudget") } else { command };
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

/// Whether this was started as `dbbudget-fn`.
fn called_as_function() -> bool {
    is_called("dbbudget-fn")
}

fn is_called(name: &str) -> bool {
    let program = std::env::args_os().next().map(std::path::PathBuf::from);
    program.is_some_and(|path| path.file_stem().is_some_and(|stem| stem == name))
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) || error.source().is_some_and(is_broken_pipe)
}
