//! `dbbudget render`: the manifests with the shares written in, for those who want no webhook.

mod function;
mod shares;

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;

use serde_json::Value;
use tempfile::NamedTempFile;

use super::input::{self, Input, kustomization};
use crate::assess::About;
use crate::manifests::edit::{Source, Splice};
use crate::manifests::{InputError, Node, documents};

pub use function::run as function;

/// What to render.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// The manifests, and what they do not say
    #[command(flatten)]
    pub input: input::Args,

    /// Change the files instead of printing them
    #[arg(short = 'i', long, conflicts_with = "kustomize")]
    pub in_place: bool,
}

const DONE: u8 = 0;
const DOES_NOT_FIT: u8 = 1;
const BAD_INPUT: u8 = 2;

/// Renders, and returns the exit status: 0 all shares fit and are written, 1 a budget's do not fit (the smallest pools
/// are written all the same), 2 bad input, and nothing is written.
///
/// # Errors
/// When the output cannot be written.
pub fn run(args: &Args, stdin: &mut dyn Read, out: &mut dyn Write, errors: &mut dyn Write) -> io::Result<u8> {
    match rendered(args, stdin) {
        Err(mistakes) => {
            for mistake in &mistakes {
                writeln!(errors, "{mistake}")?;
            }
            Ok(BAD_INPUT)
        }
        Ok(Rendered { files, unfit, left_out }) => {
            let (written, printed): (Vec<_>, Vec<_>) =
                files.iter().partition(|(file, _)| args.in_place && &**file != STDIN);
            replace(&written)?;
            for (i, (_, text)) in printed.into_iter().enumerate() {
                let between = if i > 0 && !text.starts_with("---") { "---\n" } else { "" };
                let end = if text.ends_with('\n') { "" } else { "\n" };
                write!(out, "{between}{text}{end}")?;
            }
            for note in left_out.iter().chain(&unfit) {
                writeln!(errors, "{note}")?;
            }
            Ok(if unfit.is_empty() { DONE } else { DOES_NOT_FIT })
        }
    }
}

/// Writes all the new texts before the first takes its place, so that nothing is cut short when there is no room.
fn replace(files: &[&(Arc<str>, String)]) -> io::Result<()> {
    let mut ready = Vec::new();
    for (file, text) in files {
        let file = std::fs::canonicalize(&**file)?; // a link stays one
        let beside = NamedTempFile::new_in(file.parent().unwrap_or(&file));
        // What the system says names a file that is none of the user's.
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {}", file.display(), error.kind()));
        let mut new = beside.map_err(named)?;
        new.write_all(text.as_bytes())?;
        new.as_file().set_permissions(std::fs::metadata(&file)?.permissions())?;
        ready.push((new, file));
    }
    for (new, file) in ready {
        new.persist(file)?;
    }
    Ok(())
}

const STDIN: &str = "<stdin>";

/// Files with the shares written in.
struct Rendered {
    files: Vec<(Arc<str>, String)>,
    /// Budgets whose shares do not fit, in words.
    unfit: Vec<String>,
    /// Shares that are not written, in words.
    left_out: Vec<String>,
}

fn rendered(args: &Args, stdin: &mut dyn Read) -> Result<Rendered, Vec<InputError>> {
    let fail = |file: &str, what: String| vec![InputError { file: file.into(), place: None, what, fix: None }];
    let mut piped = String::new();
    if args.input.files.iter().any(|file| file == "-") {
        stdin.read_to_string(&mut piped).map_err(|error| fail(STDIN, format!("cannot be read: {error}")))?;
    }
    let input = input::read(&args.input, &mut Cursor::new(piped.as_bytes()))?;
    let mut texts: BTreeMap<Arc<str>, String> = BTreeMap::new();
    for file in input.files() {
        let text = if &*file == STDIN {
            piped.clone()
        } else if let Some(folder) = file.strip_prefix(kustomization::LABEL) {
            kustomization::build(folder.as_ref()).map_err(|mistake| vec![mistake])?
        } else {
            std::fs::read_to_string(&*file).map_err(|error| fail(&file, format!("cannot be read: {error}")))?
        };
        texts.insert(file, text);
    }
    write_into(&input, &texts).map_err(|mistake| vec![mistake])
}

/// Writes the shares of all budgets into the texts.
fn write_into(input: &Input, texts: &BTreeMap<Arc<str>, String>) -> Result<Rendered, InputError> {
    let shares::Shares { templates, unfit, left_out } = shares::of(input);
    let mut splices: BTreeMap<Arc<str>, Vec<Splice>> = BTreeMap::new();
    for template in &templates {
        let About::Object(_) = &template.about else { continue };
        let Some((file, root)) = input.object(&template.about) else { continue };
        let Some(text) = texts.get(file) else { continue };
        let source = Source::new(text);
        for container in &template.containers {
            let Some(node) = at(root, &container.pointer) else { continue };
            let lists = container.lists.iter();
            let new: Vec<Splice> = lists.flat_map(|(field, after)| source.list(node, field, after)).collect();
            if !add(splices.entry(file.clone()).or_default(), new) {
                return Err(not_alone(template, root, file));
            }
        }
    }
    let mut files = Vec::new();
    for (file, text) in texts {
        let changed = Source::new(text).with(splices.remove(file).unwrap_or_default());
        let expected = templates.iter().filter(|t| input.object(&t.about).is_some_and(|(of, _)| of == file));
        for template in expected {
            check(input, template, &changed, file)?;
        }
        files.push((file.clone(), changed));
    }
    Ok(Rendered { files, unfit, left_out })
}

/// Adds the changes of another container. Text that several containers have by aliases is changed once, if all mean the
/// same by it.
fn add(splices: &mut Vec<Splice>, mut new: Vec<Splice>) -> bool {
    new.retain(|splice| !splices.contains(splice));
    let clash = |a: &Splice, b: &Splice| {
        a.bytes.start == b.bytes.start || (a.bytes.start < b.bytes.end && b.bytes.start < a.bytes.end)
    };
    let clashes = new.iter().any(|splice| splices.iter().any(|known| clash(known, splice)));
    splices.extend(new);
    !clashes
}

/// The node at a JSON pointer.
fn at<'a>(root: &'a Node, pointer: &str) -> Option<&'a Node> {
    pointer.split('/').skip(1).try_fold(root, |node, step| match &node.content {
        crate::manifests::Content::List(items) => items.get(step.parse::<usize>().ok()?),
        _ => node.get(step),
    })
}

/// What was written is what was meant: a text with anchors, say, may be one that cannot be changed in one place alone.
fn check(input: &Input, template: &shares::Template, changed: &str, file: &Arc<str>) -> Result<(), InputError> {
    let Some((_, root)) = input.object(&template.about) else { return Ok(()) };
    let mut meant = root.to_json();
    for container in &template.containers {
        if let Some(value) = meant.pointer_mut(&container.pointer) {
            for (field, after) in &container.lists {
                value[field.as_str()] = Value::Array(after.clone());
            }
        }
    }
    let found = documents(changed).filter_map(Result::ok).any(|document| {
        let json = document.to_json();
        let items = json.get("items").and_then(Value::as_array);
        json == meant || items.is_some_and(|items| items.contains(&meant))
    });
    if found { Ok(()) } else { Err(not_alone(template, root, file)) }
}

fn not_alone(template: &shares::Template, root: &Node, file: &Arc<str>) -> InputError {
    let what =
        format!("{}: its text cannot be changed in one place alone (an anchor or alias, perhaps)", template.about);
    let fix = Some("write the container out, or let the webhook size it".into());
    InputError { file: file.clone(), place: Some(root.place), what, fix }
}
