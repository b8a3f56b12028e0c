//! Files of up to 50 MB: planned or refused within seconds, in few words.

use std::time::{Duration, Instant};

use super::bad_input::{BUDGET, DEPLOYMENT, folder, planned};

/// Exit status and words of a plan of one large file.
fn large(text: &str) -> (u8, String) {
    let folder = folder(&[("large.yaml", text.as_bytes())]);
    let started = Instant::now();
    let (exit, said) = planned(folder.path(), &["-f", "large.yaml"], b"");
    let took = started.elapsed();
    println!("{} MB in {took:?}", text.len() / 1_000_000);
    // An optimised build takes a tenth of what this one does on a busy machine.
    assert!(took < Duration::from_secs(240), "{took:?}");
    assert!(said.len() < 30_000, "{} bytes are said", said.len());
    (exit, said)
}

/// Text of this many bytes, of numbered pieces.
fn repeated(bytes: usize, piece: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(bytes + 1_000);
    for i in 0.. {
        if text.len() >= bytes {
            break;
        }
        text.push_str(&piece(i));
    }
    text
}

fn deployment(i: usize) -> String {
    format!("---\n{}", DEPLOYMENT.replace("name: api", &format!("name: api-{i}")))
}

#[test]
fn workloads_with_a_mistake_at_the_end() {
    let text = format!("{}---\na: [\n", repeated(50_000_000, deployment));
    let (exit, said) = large(&text);
    let expected = format!("large.yaml:{}:4: unclosed bracket '['\n", text.lines().count());
    assert_eq!((exit, said), (2, expected));
}

#[test]
fn workloads() {
    let (exit, said) = large(&format!("{BUDGET}{}", repeated(5_000_000, deployment)));
    assert_eq!(exit, 0, "{said}");
}

#[test]
fn as_many_mistakes() {
    let (exit, said) = large(&repeated(5_000_000, |i| deployment(i).replace("replicas: 2", "replicas: two")));
    assert_eq!(exit, 2);
    assert!(said.trim_end().ends_with("more mistakes"), "{said}");
}

#[test]
fn one_text() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    let (exit, said) = large(&format!("{BUDGET}---\n{map}data: {{a: {}}}\n", "x".repeat(50_000_000)));
    assert_eq!(exit, 0, "{said}");
}

#[test]
fn one_budget() {
    let workload = |i| format!("    - {{name: w{i}, target: {{kind: Deployment}}, client: pgxpool}}\n");
    let budget = |bytes| large(&format!("{BUDGET}  workloads:\n{}", repeated(bytes, workload)));
    let (exit, said) = budget(5_000_000);
    assert_eq!(exit, 2);
    assert!(said.contains("spec.workloads: has ") && said.contains("at most 200 are allowed"), "{said}");
    let (exit, said) = budget(50_000_000);
    assert_eq!(exit, 2);
    assert!(said.contains("a document of more than 4000000 values"), "{said}");
}

/// Mappings that take their keys from a large one.
#[test]
fn merges() {
    let merged = |times: usize| {
        let base = repeated(100_000, |i| format!("k{i}: 1, "));
        large(&format!("{BUDGET}---\nbase: &b {{{base}}}\nall:\n{}", "  - {<<: *b}\n".repeat(times))).1
    };
    assert!(merged(2).contains("no Kubernetes object"), "{}", merged(2));
    assert!(merged(20).contains("its aliases repeat more than 100000 values"), "{}", merged(20));
}

/// Variables that each say the one before twice, and a command of the last: 2^40 times the first.
#[test]
fn references_to_references() {
    let doubled = |i: usize| format!("{{name: V{}, value: $(V{i})$(V{i})}}", i + 1);
    let env: Vec<String> = (0..40).map(doubled).collect();
    let more =
        format!("{{name: x, command: [run, $(V40)], env: [{{name: V0, value: postgres://h/d}}, {}]}}", env.join(", "));
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: api}}\nspec: {{template: {{spec: {{containers: [{more}]}}}}}}\n"
    );
    let budget = format!("{BUDGET}  workloads: [{{name: api, target: {{kind: Deployment}}, client: pgxpool}}]\n");
    let (exit, said) = large(&format!("{budget}---\n{deployment}"));
    assert!(exit < 2, "{said}");
}
