//! What is said of objects that are not what they should be.

use serde_json::Value;

use super::bad_input::{BUDGET, DEPLOYMENT, folder, planned, said, said_of};

#[test]
fn unknown_fields_and_kinds_of_ours_come_with_the_nearest_known() {
    let text = BUDGET.replace("spec:\n", "spec:\n  workload: []\n  enforcment: Inject\n").replace("shop", "other");
    let expected = "x.yaml:5:3: DatabaseBudget other: spec.workload: no field of DatabaseBudget; did you mean workloads?\n\
                    x.yaml:6:3: DatabaseBudget other: spec.enforcment: no field of DatabaseBudget; did you mean enforcement?\n";
    assert_eq!(said_of(&text), expected);
    let nowhere_near = said_of(&BUDGET.replace("maxConnections: 103", "maxConnections: 103, zzz: 1"));
    assert!(
        nowhere_near.contains("zzz: no field of DatabaseBudget; known here: maxConnections, serverReserved"),
        "{nowhere_near}"
    );
    let kind = said_of(&BUDGET.replace("DatabaseBudget", "DatabaseBugdet"));
    assert_eq!(kind, "x.yaml:2:1: dbbudget.dev has no kind DatabaseBugdet; it has DatabaseBudget and DatabaseClaim\n");
    let version = said_of(&BUDGET.replace("v1alpha1", "v1"));
    assert_eq!(version, "x.yaml:1:1: DatabaseBudget: found version dbbudget.dev/v1, expected dbbudget.dev/v1alpha1\n");
}

#[test]
fn other_kinds_are_skipped_and_counted() {
    let others = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\n\
                  ---\napiVersion: x.example/v1\nkind: Thing\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
    let folder = folder(&[("x.yaml", others.as_bytes())]);
    let (exit, out) = planned(folder.path(), &["-f", "b.yaml", "-f", "x.yaml", "-o", "json"], b"");
    let report: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((exit, &report["skipped"]), (0, &serde_json::json!({"Service": 2, "Thing": 1, "Secret": 1})));
}

#[test]
fn one_object_in_two_files() {
    let fix = "\n  plan one state at a time\n";
    let expected = format!("x.yaml:1:1: DatabaseBudget default/shop stands twice: first in b.yaml:1{fix}");
    assert_eq!(said_of(BUDGET), expected);
    let later = format!("# a comment\n---\n{DEPLOYMENT}");
    let expected = format!("y.yaml:3:1: Deployment default/api stands twice: first in x.yaml:1{fix}");
    assert_eq!(said(&[("x.yaml", DEPLOYMENT), ("y.yaml", &later)]), expected);
}

#[test]
fn workloads_that_are_none() {
    let replaced = |from: &str, to: &str| said_of(&DEPLOYMENT.replace(from, to));
    let expected = |place: &str, what: &str| format!("x.yaml:{place}: Deployment default/api: {what}\n");
    let pods = "expected a number of pods such as 2";
    for (found, said) in
        [("\"three\"", "\"three\""), ("-1", "-1"), ("1.5", "1.5"), ("4000000000", "4000000000"), ("[]", "a list")]
    {
        let what = format!("spec.replicas: found {said}, {pods}");
        assert_eq!(replaced("replicas: 2", &format!("replicas: {found}")), expected("5:3", &what));
    }
    let spec = said_of("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec: []\n");
    assert_eq!(spec, expected("4:1", "spec: found a list, expected a mapping"));
    let containers = replaced("[{name: api}]", "api");
    assert_eq!(containers, expected("6:21", "spec.template.spec.containers: found \"api\", expected a list"));
    let env = replaced("{name: api}]", "{name: api, env: [{name: X, value: 5}]}]");
    let what = "spec.template.spec.containers[0].env[0].value: found 5, expected text: put it in quotes";
    assert_eq!(env, expected("6:62", what));
    let surge = replaced("  template", "  strategy: {rollingUpdate: {maxSurge: lots}}\n  template");
    let what = "spec.strategy.rollingUpdate.maxSurge: found \"lots\", expected a number of pods such as 1, or a percentage \
                such as 25%";
    assert_eq!(surge, expected("6:30", what));
    assert_eq!(replaced("{name: api}\nspec", "{}\nspec"), "x.yaml:3:1: Deployment: metadata.name is missing\n");
    let nothing = said_of("apiVersion: v1\n");
    assert_eq!(nothing, "x.yaml:1:1: no Kubernetes object: `kind` is missing\n");
}
