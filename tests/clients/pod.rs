//! A client as a pod: what dbbudget reads of it and writes into it, and what a kubelet would make of that.

use std::num::NonZero;
use std::thread::available_parallelism;

use dbbudget::api::parse::{self, Budget};
use dbbudget::api::status::WorkloadStatus;
use dbbudget::api::{DatabaseBudget, check};
use dbbudget::assess::{Assessment, Snapshot, assess};
use dbbudget::catalogue::Catalogue;
use dbbudget::controller::rows::given;
use dbbudget::pod::{Drawn, inject};
use dbbudget::workload::command::call;
use dbbudget::workload::read::workload;
use serde_json::{Value, json};

use crate::case::Case;
use crate::installed::folder;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// A pod of one container, and the claim on it.
pub struct Pod {
    pod: Value,
    claim: String,
}

/// What a kubelet starts.
pub struct Container {
    pub words: Vec<String>,
    pub env: Vec<(String, String)>,
}

impl Pod {
    /// With this URL, and a port to listen on.
    pub fn new(case: &Case, url: &str, port: u16) -> Self {
        let words = case.command.split(' ').map(|word| place(word, port));
        let variables = case.env.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let env = [(case.url_in, url.to_owned())].into_iter().chain(variables);
        let env: Vec<Value> = env.map(|(name, value)| json!({"name": name, "value": value})).collect();
        let container = json!({"name": "app", "command": words.collect::<Vec<_>>(), "env": env});
        let pod = json!({"metadata": {"name": "app-0", "namespace": "clients"}, "spec": {"containers": [container]}});
        let mut pod = Self { pod, claim: String::new() };
        // What runs as one process only because this test's program does not fork, nobody can read.
        let said = pod.server().is_none() && case.preset().processes.is_none();
        let processes = if said { "processes: {count: 1}, " } else { "" };
        pod.claim = format!("{{{processes}engines: [{{client: {}{}}}]}}", case.client, case.engine);
        pod
    }

    /// The known server program that it runs.
    pub fn server(&self) -> Option<String> {
        let workload = workload(&self.deployment(), "clients").expect("a workload");
        let template = workload.template.expect("a template");
        Some(call(template.container("")?, Catalogue::builtin(), None)?.server.name.clone())
    }

    /// What it holds at most as it is written; nothing where there is no bound.
    pub fn as_written(&self) -> Option<u64> {
        self.assess(1).1.fit.rows[0].wanted.bounded()
    }

    /// The same pod with its share of a budget that is all its own, as it is when it starts, and what it holds then.
    pub fn with_share(&self, connections: u32) -> (Container, u64) {
        let (budget, assessment) = self.assess(connections);
        let (drawing, claim) = (&assessment.claims.drawings[0], &assessment.claims.claims[0]);
        let row: WorkloadStatus = given(drawing, claim, &assessment.fit.rows[0], true);
        let (entry, workload, published) = (&budget.entries[0], &drawing.key, Some(&row));
        let drawn = Drawn { budget: &budget, claim: &claim.id, entry, workload, published };
        let injected = inject(&self.pod, &[drawn]).expect("a pod");
        assert!(injected.left_out.is_empty(), "{:?}", injected.left_out);
        let holds = injected.pinned.0[0].holds().bounded().expect("a bound");
        assert_eq!(Some(holds), assessment.fit.rows[0].per_pod.bounded(), "what is pinned is what was computed");
        (Container::started(&injected.pod), holds)
    }

    /// As it starts without a budget.
    pub fn alone(&self) -> Container {
        Container::started(&self.pod)
    }

    fn deployment(&self) -> Value {
        let metadata = json!({"name": "app", "namespace": "clients"});
        let template = json!({"metadata": {}, "spec": self.pod["spec"]});
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}})
    }

    fn assess(&self, connections: u32) -> (Budget, Assessment) {
        let yaml = format!(
            "{{apiVersion: dbbudget.dev/v1alpha1, kind: DatabaseBudget, metadata: {{name: budget, namespace: clients}}, \
             spec: {{capacity: {{static: {{maxConnections: {connections}, serverReserved: 0}}}}, headroom: None, \
             workloads: [{{name: app, target: {{kind: Deployment}}, containers: [{}]}}]}}}}",
            self.claim
        );
        let checked = check("DatabaseBudget", &serde_yaml::from_str(&yaml).expect("YAML")).expect("a budget");
        let raw: DatabaseBudget = serde_json::from_value(checked).expect("a budget");
        let budget = parse::budget(&raw, "clients").expect("a budget");
        let mut snapshot = Snapshot::default();
        snapshot.put_budget(budget.clone());
        snapshot.put_workload(workload(&self.deployment(), "clients").expect("a workload"));
        let cpus = available_parallelism().map_or(1, NonZero::get);
        snapshot.nodes.cpus = u32::try_from(cpus).ok();
        let assessment = assess(&budget, &snapshot);
        (budget, assessment)
    }
}

/// A word of a command, with what it stands for.
fn place(word: &str, port: u16) -> String {
    let clients = folder().display();
    let mut word = word.replace("{here}", HERE).replace("{port}", &port.to_string());
    for environment in ["web", "prefect", "mlflow"] {
        word = word.replace(&format!("{{{environment}}}"), &format!("{clients}/{environment}/bin"));
    }
    word.replace("{clients}", &clients.to_string())
}

impl Container {
    /// The first container of a pod: variables in their order, each with those before it expanded, then the command.
    fn started(pod: &Value) -> Self {
        let container = &pod["spec"]["containers"][0];
        let mut env: Vec<(String, String)> = Vec::new();
        for variable in container["env"].as_array().into_iter().flatten() {
            let value = match variable.get("value") {
                Some(text) => expand(text.as_str().expect("text"), &env),
                None => field(pod, variable["valueFrom"]["fieldRef"]["fieldPath"].as_str().expect("a path")),
            };
            let name = variable["name"].as_str().expect("a name").to_owned();
            env.retain(|(other, _)| *other != name);
            env.push((name, value));
        }
        let words = ["command", "args"].into_iter().flat_map(|list| container[list].as_array().into_iter().flatten());
        let words = words.map(|word| expand(word.as_str().expect("text"), &env)).collect();
        Self { words, env }
    }
}

/// What the downward API answers.
fn field(pod: &Value, path: &str) -> String {
    let key = path.strip_prefix("metadata.annotations['").and_then(|rest| rest.strip_suffix("']"));
    let found = match key {
        Some(key) => &pod["metadata"]["annotations"][key],
        None => &pod[path.split_once('.').expect("two words").0][path.split_once('.').expect("two words").1],
    };
    found.as_str().unwrap_or_else(|| panic!("{path} is not in the pod")).to_owned()
}

/// `$(NAME)` replaced where NAME is known.
fn expand(text: &str, env: &[(String, String)]) -> String {
    env.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
}
