//! What is said of input that cannot be planned: where, what was found, what to do. All through `plan` itself.

use std::fs;
use std::path::Path;

use clap::Parser;
use dbbudget::cli::{Cli, Command};
use dbbudget::commands::plan;
use serde_json::Value;
use tempfile::TempDir;

pub const BUDGET: &str = "apiVersion: dbbudget.dev/v1alpha1
kind: DatabaseBudget
metadata: {name: shop}
spec:
  capacity: {static: {maxConnections: 103}}
";
pub const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 2
  template: {spec: {containers: [{name: api}]}}
";

/// A folder with these files; `b.yaml`, a sound budget, is always there.
pub fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("b.yaml"), BUDGET).expect("writable");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, content).expect("writable");
    }
    folder
}

/// Exit status, output and errors of a plan in a folder, whose own path is left out of what is said.
pub fn planned(folder: &Path, arguments: &[&str], mut stdin: &[u8]) -> (u8, String) {
    let there = |text: &&str| folder.join(text).symlink_metadata().is_ok() || text.starts_with("no-");
    let full = arguments.iter().map(|a| if there(a) { folder.join(a).display().to_string() } else { (*a).to_owned() });
    let line = ["dbbudget".to_owned(), "plan".to_owned()].into_iter().chain(full);
    let args = match Cli::try_parse_from(line) {
        Ok(Cli { command: Command::Plan(args) }) => args,
        Ok(_) => panic!("no plan"),
        Err(error) => return (2, error.to_string()),
    };
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let exit = plan::run(&args, &mut stdin, &mut out, &mut errors).expect("output");
    let said = [out, errors].concat();
    let prefix = format!("{}/", folder.display());
    (exit, String::from_utf8(said).expect("text").replace(&prefix, ""))
}

/// What is said of these files, beside a sound budget.
pub fn said(files: &[(&str, &str)]) -> String {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let folder = folder(&files);
    let mut arguments = vec!["-f", "b.yaml"];
    arguments.extend(files.iter().flat_map(|(name, _)| ["-f", *name]));
    let (exit, said) = planned(folder.path(), &arguments, b"");
    assert_eq!(exit, 2, "{said}");
    said
}

/// What is said of one file, `x.yaml`, beside a sound budget.
pub fn said_of(text: &str) -> String {
    said(&[("x.yaml", text)])
}

#[test]
fn broken_yaml_has_its_line_and_column() {
    for (text, expected) in [
        ("a: [1,\nb: {\n", "x.yaml:2:4: unclosed bracket '{'\n"),
        ("a: 1\n  b: 2\n", "x.yaml:2:4: mapping values are not allowed in this context\n"),
        ("a:\n\tb: 1\n", "x.yaml:2:1: a tab where YAML indents: use spaces\n"),
        ("a: 1\nb: ü ü\na: 2\n", "x.yaml:3:1: the key \"a\" stands twice in one mapping\n"),
        ("metadata: {name: ä, name: b}\n", "x.yaml:1:21: the key \"name\" stands twice in one mapping\n"),
        ("\u{feff}a: [\r\n", "x.yaml:1:4: unclosed bracket '['\n"),
        ("a: 1\r\nb: {\r\n", "x.yaml:2:4: unclosed bracket '{'\n"),
        ("a: *b\n", "x.yaml:1:4: while parsing node, found unknown anchor\n"),
    ] {
        assert_eq!(said_of(text), expected, "{text:?}");
    }
    assert_eq!(said(&[("x.json", "{\"apiVersion\": \"v1\",\n \"kind\": }")]), "x.json:2:10: expected value\n");
}

#[test]
fn a_template_that_is_not_rendered_is_called_one() {
    let render = "a template that is not rendered yet\n  render it first: helm template CHART | dbbudget plan -f -\n";
    for (template, place) in [
        (DEPLOYMENT.replace("replicas: 2", "replicas: {{ .Values.replicas }}"), "5:13: `{{ .Values.replicas }}`"),
        (format!("{{{{- if .Values.on }}}}\n{DEPLOYMENT}{{{{- end }}}}\n"), "1:1: `{{- if .Values.on }}`"),
        (DEPLOYMENT.replace("{name: api}\n", "{name: {{ .Release.Name }}}\n"), "3:18: `{{ .Release.Name }}`"),
        (
            DEPLOYMENT.replace("  template", "  {{- toYaml .x | nindent 2 }}\n  template"),
            "6:3: `{{- toYaml .x | nindent 2 }}`",
        ),
        (BUDGET.replace("103", "{{ .Values.max }}"), "5:39: `{{ .Values.max }}`"),
    ] {
        assert_eq!(said_of(&template), format!("x.yaml:{place}: {render}"));
    }
    let quoted = said_of(&DEPLOYMENT.replace('2', "\"{{ .Values.replicas }}\""));
    assert!(
        quoted.starts_with("x.yaml:5:3: Deployment default/api: spec.replicas: found \"{{ .Values.replicas }}\""),
        "{quoted}"
    );
    assert!(quoted.ends_with("render it first: helm template CHART | dbbudget plan -f -\n"), "{quoted}");
    let named = said_of(&BUDGET.replace("shop", "\"{{ .Release.Name }}\""));
    assert!(named.starts_with("x.yaml:3:12: ") && named.contains("render it first"), "{named}");
}

#[test]
fn a_chart_is_called_one_and_its_templates_are_left_alone() {
    let files: [(&str, &[u8]); 3] =
        [("c/Chart.yaml", b"name: c\n"), ("c/values.yaml", b"x: 1\n"), ("c/templates/d.yaml", b"{{ if }}")];
    let expected = "c/Chart.yaml: a Helm chart: its templates are no manifests yet\n  \
                    render it first: helm template CHART | dbbudget plan -f -\n";
    let folder = folder(&files);
    for named in ["c", "c/Chart.yaml", "."] {
        let (exit, said) = planned(folder.path(), &["-f", named], b"");
        assert_eq!((exit, said.replace("./", "").as_str()), (2, expected));
    }
}

#[test]
fn nothing_to_plan() {
    let files: [(&str, &[u8]); 3] =
        [("empty.yaml", b""), ("d.yaml", DEPLOYMENT.as_bytes()), ("texts/readme.txt", b"no manifest")];
    let folder = folder(&files);
    let of = |arguments: &[&str]| planned(folder.path(), arguments, b"").1;
    let fix = "  name the budget's file with -f, beside the workloads\n";
    let nothing = "nothing to plan without a DatabaseBudget, and";
    assert_eq!(of(&["-f", "empty.yaml"]), format!("{nothing} there is no object at all\n{fix}"));
    assert_eq!(of(&["-f", "d.yaml"]), format!("{nothing} the only object is none\n{fix}"));
    let expected = "texts: no manifests in this folder: no file ends in .yaml, .yml or .json\n";
    assert_eq!(of(&["-f", "texts"]), expected);
    assert!(of(&[]).contains("--filename"), "{}", of(&[]));
}

#[test]
fn what_cannot_be_read() {
    let files: [(&str, &[u8]); 3] =
        [("latin1.yaml", b"a: 1\nb: caf\xe9\n"), ("utf16.yaml", b"\xff\xfea\0"), ("links/x.yml", BUDGET.as_bytes())];
    let folder = folder(&files);
    let of = |path: &str| planned(folder.path(), &["-f", path], b"");
    assert_eq!(of("no-such.yaml"), (2, "no-such.yaml: cannot be read: there is no such file or folder\n".into()));
    assert_eq!(of("latin1.yaml"), (2, "latin1.yaml:2:7: no UTF-8 text: byte 0xe9\n".into()));
    assert_eq!(of("utf16.yaml"), (2, "utf16.yaml: UTF-16 text\n  save it as UTF-8\n".into()));
    let links = folder.path().join("links");
    fs::create_dir(links.join("below")).expect("writable");
    std::os::unix::fs::symlink("..", links.join("below/up")).expect("a link");
    std::os::unix::fs::symlink("nowhere.yaml", links.join("lost.yaml")).expect("a link");
    let fix = "\n  remove it, or name the files one by one\n";
    let expected = format!(
        "links/below/up: a symbolic link that leads back to links{fix}links/lost.yaml: a symbolic link that leads nowhere{fix}"
    );
    assert_eq!(of("links"), (2, expected));
}

/// Root reads everything, so this looks only where the tests run as somebody else.
#[test]
fn what_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder(&[("secret.yaml", b"a: 1\n")]);
    let path = folder.path().join("secret.yaml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).expect("permissions");
    let (exit, said) = planned(folder.path(), &["-f", "secret.yaml"], b"");
    let expected = if fs::File::open(&path).is_ok() {
        "secret.yaml:1:1: no Kubernetes object: `apiVersion` and `kind` are missing\n"
    } else {
        "secret.yaml: cannot be read: permission denied\n"
    };
    assert_eq!((exit, said.as_str()), (2, expected));
}

#[test]
fn files_of_every_dress_are_read() {
    let list =
        |items: &str| format!("apiVersion: v1\nkind: List\nitems:\n- {}\n", items.replace('\n', "\n  ").trim_end());
    let json = r#"{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "dbbudget.dev/v1alpha1",
        "kind": "DatabaseBudget", "metadata": {"name": "json"}, "spec": {"capacity": {"static": {"maxConnections": 103}}}}]}"#;
    for (name, text) in [
        ("crlf.yaml", BUDGET.replace('\n', "\r\n")),
        ("bom.yaml", format!("\u{feff}{BUDGET}")),
        ("dashes.yaml", format!("---\n---\n# nothing\n--- \n{BUDGET}---\n...\n---\n# end")),
        ("list.yaml", list(BUDGET)),
        ("list.json", json.to_owned()),
        ("stdin", BUDGET.to_owned()),
    ] {
        let folder = folder(&[(name, text.as_bytes())]);
        let path = if name == "stdin" { "-" } else { name };
        let (exit, said) = planned(folder.path(), &["-f", path], text.as_bytes());
        assert_eq!(exit, 0, "{name}: {said}");
        let refused = text.replace("103", "0");
        let (exit, said) = planned(folder.path(), &["-f", "-"], refused.as_bytes());
        assert!(exit == 2 && said.contains("maxConnections: found 0"), "{name}: {said}");
    }
    assert_eq!(
        said(&[("x.json", r#"{"apiVersion": "v1", "kind": "List", "items": 1}"#)]),
        "x.json:1:1: List: `items` is no list\n"
    );
    let twice = planned(folder(&[]).path(), &["-f", "-", "-f", "-"], BUDGET.as_bytes()).1;
    assert_eq!(twice, "-: standard input can be read only once\n  name - once\n");
}

#[test]
fn bombs_and_depths() {
    let bomb = |i: usize| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(", "));
    let bombs: String = (1..12).map(bomb).collect();
    let said = said_of(&format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{bombs}"));
    assert!(said.starts_with("x.yaml:5:") && said.contains("its aliases repeat more than 100000 values"), "{said}");
    for deep in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        let said = said_of(&format!("a: 1\nb:\n  {deep}"));
        assert!(said.starts_with("x.yaml:3:") && said.ends_with("nested more than 200 deep\n"), "{said}");
    }
}

/// Everything wrong is said at once, by file and line; and the same for machines.
#[test]
fn several_mistakes_at_once_in_every_output() {
    let wrong = BUDGET.replace("103", "0").replace("spec:\n", "spec:\n  reserve: -1\n");
    let deployment = DEPLOYMENT.replace('2', "two");
    let files: [(&str, &[u8]); 3] =
        [("z.yaml", b"a: ["), ("w.yaml", wrong.as_bytes()), ("d.yaml", deployment.as_bytes())];
    let folder = folder(&files);
    let arguments = ["-f", "z.yaml", "-f", "w.yaml", "-f", "d.yaml"];
    let expected = "d.yaml:5:3: Deployment default/api: spec.replicas: found \"two\", expected a number of pods such as 2\n\
                    w.yaml:5:3: DatabaseBudget shop: spec.reserve: found -1, expected at least 0\n\
                    w.yaml:6:23: DatabaseBudget shop: spec.capacity.static.maxConnections: found 0, expected at least 1\n\
                    z.yaml:1:4: unclosed bracket '['\n";
    assert_eq!(planned(folder.path(), &arguments, b""), (2, expected.to_owned()));
    for output in ["json", "yaml", "sarif", "markdown"] {
        let (exit, said) = planned(folder.path(), &[&arguments[..], &["-o", output]].concat(), b"");
        assert_eq!((exit, said.matches("found").count(), said.contains("unclosed bracket")), (2, 3, true), "{said}");
    }
    let (_, out) = planned(folder.path(), &[&arguments[..], &["-o", "json"]].concat(), b"");
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    let first = serde_json::json!({"file": "d.yaml", "line": 5, "column": 3, "fix": null,
        "message": "Deployment default/api: spec.replicas: found \"two\", expected a number of pods such as 2"});
    assert_eq!(answer["errors"][0], first);
}

#[test]
fn arguments() {
    let folder = folder(&[("plain/d.yaml", DEPLOYMENT.as_bytes()), ("k/kustomization.yaml", b"resources: [no.yaml]")]);
    let of = |arguments: &[&str]| planned(folder.path(), arguments, b"");
    for wrong in ["shop=3", "default/shop=0", "default/shop=x", "default/shop"] {
        let (exit, said) = of(&["-f", "b.yaml", "--capacity", wrong]);
        assert!(exit == 2 && said.contains("expected NAMESPACE/NAME=N with N from 1 to 1000000"), "{said}");
    }
    let unknown = of(&["-f", "b.yaml", "--capacity", "default/shops=3"]).1;
    let expected =
        "--capacity names the budget default/shops, which is not among the manifests\n  name one of default/shop\n";
    assert_eq!(unknown, expected);
    let plain = of(&["-k", "plain"]).1;
    assert_eq!(plain, "plain: no kustomization.yaml in this folder\n  plan its manifests: -f plain\n");
    assert_eq!(of(&["-k", "no-folder"]).1, "no-folder: there is no such folder\n");
    let broken = of(&["-k", "k"]).1;
    assert!(
        broken.starts_with("k: k") && broken.contains("cannot build it: ") && !broken.contains("err=\""),
        "{broken}"
    );
}

/// What fuzzing once broke, and what is worth mutating. `tests/fuzz/run` goes on from there.
#[test]
fn the_corpus_of_the_fuzzer() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let files: Vec<_> = fs::read_dir(corpus).expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    assert!(files.len() > 10, "{} files", files.len());
    for file in files {
        let bytes = fs::read(&file).expect("readable");
        let answer = planned(Path::new("/"), &["-f", "-", "-o", "json"], &bytes);
        assert!(answer.0 <= 2 && serde_json::from_str::<Value>(&answer.1).is_ok(), "{}: {}", file.display(), answer.1);
        assert_eq!(answer, planned(Path::new("/"), &["-f", "-", "-o", "json"], &bytes), "{}", file.display());
    }
}
