//! What the repository promises of itself: a small top level, small files, a README that is true.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;
use dbbudget::assess::finding::Rule;
use dbbudget::cli::Cli;

const TOP: [&str; 10] =
    ["Cargo.lock", "Cargo.toml", "LICENSE", "Makefile", "README.md", "charts", "crds", "deploy", "src", "tests"];
const LONGEST: usize = 300;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

/// Programs below a folder: Rust, and whatever names its interpreter.
fn programs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).expect("readable").map(|e| e.expect("entry").path()) {
        if path.is_dir() {
            found.extend(programs(&path));
        } else if path.extension().is_some_and(|e| e == "rs" || e == "sh" || e == "go")
            || fs::read(&path).expect("readable").starts_with(b"#!")
        {
            found.push(path);
        }
    }
    found
}

/// What the README tells people to type, by the program's name: lines after `$ `, and code within a sentence.
fn typed(program: &str) -> Vec<String> {
    let readme = text("README.md");
    let lines = readme.lines().filter_map(|line| line.strip_prefix("$ "));
    let inline = readme.split('`').filter(|code| !code.contains('\n'));
    let commands = lines.chain(inline).filter(|code| code.starts_with(&format!("{program} ")));
    commands.map(ToOwned::to_owned).collect()
}

#[test]
fn the_top_level_holds_what_a_newcomer_expects() {
    let names = fs::read_dir(root()).expect("readable").map(|e| e.expect("entry").file_name());
    let names = names.map(|name| name.into_string().expect("UTF-8"));
    let others: Vec<_> = names.filter(|n| !n.starts_with('.') && n != "target" && !TOP.contains(&n.as_str())).collect();
    assert!(others.is_empty(), "at the top level: {others:?}");
}

#[test]
fn every_program_can_be_read_in_one_go() {
    let programs: Vec<_> = [".ci", "src", "tests"].iter().flat_map(|folder| programs(&root().join(folder))).collect();
    assert!(programs.len() > 100, "only {} programs were found", programs.len());
    let lines = |path: &PathBuf| fs::read_to_string(path).expect("text").lines().count();
    let long = programs.iter().map(|p| (lines(p), p)).filter(|(lines, _)| *lines > LONGEST);
    let long: Vec<_> = long.map(|(lines, path)| format!("{}: {lines}", path.display())).collect();
    assert!(long.is_empty(), "more than {LONGEST} lines:\n{}", long.join("\n"));
}

#[test]
fn the_readme_lists_every_rule() {
    let readme = text("README.md");
    let row = |rule: Rule| format!("| `{rule}` | {} | {} |", rule.severity().as_str(), rule.describe().trim());
    let missing: Vec<_> = Rule::ALL.iter().map(|&rule| row(rule)).filter(|row| !readme.contains(row)).collect();
    assert!(missing.is_empty(), "the README's table of findings lacks:\n{}", missing.join("\n"));
}

#[test]
fn the_readme_types_commands_that_exist() {
    let commands = typed("dbbudget");
    assert!(commands.len() > 5, "the README shows only {commands:?}");
    for line in commands {
        let words = shlex::split(&line).unwrap_or_else(|| panic!("no shell line: {line}"));
        let words = words.into_iter().take_while(|word| !["|", ">", "#", "&&"].contains(&word.as_str()));
        // With --help, what is not there is not missed, and what is there is still understood or refused.
        let error = Cli::try_parse_from(words.chain(["--help".to_owned()])).expect_err("help");
        assert_eq!(error.kind(), ErrorKind::DisplayHelp, "the README says `{line}`: {error}");
    }
}

#[test]
fn the_readme_makes_targets_that_exist() {
    let makefile = text("Makefile");
    let targets: BTreeSet<_> = makefile.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    let made = typed("make");
    assert!(made.len() > 5, "the README shows only {made:?}");
    for line in made {
        let target = line.split_whitespace().nth(1).unwrap_or_default();
        assert!(targets.contains(target), "the README says `make {target}`, the Makefile does not");
    }
}

#[test]
fn the_readme_shows_what_plan_says() {
    let readme = text("README.md");
    let shown =
        readme.split_once("$ dbbudget plan -f deploy/examples/astrid\n").and_then(|(_, rest)| rest.split_once("\n…"));
    let (shown, _) = shown.expect("the README shows a plan, up to `…`");
    let (_, out, _) = crate::plans::plan(&["-f".into(), root().join("deploy/examples/astrid").display().to_string()]);
    let out = anstream::adapter::strip_str(&out).to_string();
    assert!(out.starts_with(shown), "the README shows\n{shown}\nand plan says\n{out}");
}
