//! Processes and threads are read as the servers themselves read them. Most rows were measured with the real program.

use dbbudget::budget::shape::{Count, UNLIMITED};
use dbbudget::catalogue::Catalogue;
use dbbudget::workload::engines::{Knobs, as_written};
use dbbudget::workload::processes::{Context, running};
use dbbudget::workload::template::{Container, Origin, Shown, Variable};

use crate::plans::plan;

/// A container with this command line, in which words such as `NAME=value` before the program are its variables.
fn container(line: &str) -> Container {
    let mut words: Vec<String> = shlex::split(line).expect("a command line");
    let mut env = Vec::new();
    while let Some((name, value)) = words.first().and_then(|w| w.split_once('=')) {
        let shown = if value == "?" { Shown::From("Secret s, key k".into()) } else { Shown::Value(value.to_owned()) };
        let pointer = String::new();
        env.push(Variable { name: name.to_owned(), value: shown, config_map: None, pointer, origin: Origin::Literal });
        words.remove(0);
    }
    Container { name: "c".into(), command: words, env, ..Container::default() }
}

fn found(line: &str, client: Option<&str>, node_cpus: Option<u32>) -> (Option<u32>, Option<u32>) {
    let catalogue = Catalogue::builtin();
    let container = container(line);
    let preset = client.map(|name| catalogue.client(name).expect("a client"));
    let running = running(&Context { container: &container, catalogue, preset, node_cpus }, None, None);
    let processes = match running.processes.value {
        Count::Known(n) => Some(n),
        Count::AtLeast(_) => None,
    };
    assert!(!running.processes.from.is_empty(), "{line}: says nothing of where it stands");
    (processes, running.threads.map(|t| t.value))
}

const ONE: Option<u32> = Some(1);

/// A command line, its processes, and the threads of each; nothing: unknown, or unbounded.
const ROWS: &[(&str, Option<u32>, Option<u32>)] = &[
    ("gunicorn app:app", ONE, ONE),
    ("WEB_CONCURRENCY=3 gunicorn app:app", Some(3), ONE),
    ("GUNICORN_CMD_ARGS='--workers 2 --threads 4' gunicorn app:app", Some(2), Some(4)),
    ("WEB_CONCURRENCY=3 gunicorn app:app -w 2", Some(2), ONE),
    ("GUNICORN_CMD_ARGS='--workers 1' gunicorn app:app -w 4", Some(4), ONE),
    ("gunicorn -w1 --threads 30 app:app", ONE, Some(30)),
    ("gunicorn -w 2 -k uvicorn.workers.UvicornWorker app:app", Some(2), None),
    ("gunicorn -w 2 -k gthread --threads=8 app:app", Some(2), Some(8)),
    ("python -m gunicorn --workers=2 app:app", Some(2), ONE),
    ("sh -c 'python manage.py migrate && exec gunicorn -w 3 app:app'", Some(3), ONE),
    ("sh -c 'gunicorn -w ${WORKERS:-5} app:app'", Some(5), ONE),
    ("sh -c 'gunicorn -w $(nproc) app:app'", None, ONE),
    ("WEB_CONCURRENCY=? gunicorn app:app", None, ONE),
    ("uvicorn app:app", ONE, None),
    ("WEB_CONCURRENCY=3 uvicorn app:app", Some(3), None),
    ("UVICORN_WORKERS=2 uvicorn app:app", Some(2), None),
    ("WEB_CONCURRENCY=3 uvicorn app:app --workers 2", Some(2), None),
    ("celery -A app worker -c 3", Some(3), ONE),
    ("CELERY_WORKER_CONCURRENCY=3 celery -A app worker", Some(3), ONE),
    ("CELERY_WORKER_CONCURRENCY=3 celery -A app worker -c 1", ONE, ONE),
    ("celery -A app worker --autoscale=4,1", Some(4), ONE),
    ("celery -A app worker -P threads -c 30", ONE, Some(30)),
    ("celery -A app worker -P solo", ONE, ONE),
    ("celery -A app worker", Some(2), ONE),
    ("dramatiq app", Some(2), Some(8)),
    ("dramatiq -p 1 -t 3 app", ONE, Some(3)),
    ("dramatiq -p2 -t20 app", Some(2), Some(20)),
    ("mlflow server", Some(4), None),
    ("MLFLOW_WORKERS=2 mlflow server", Some(2), None),
    ("WEB_CONCURRENCY=9 mlflow server --workers 1", ONE, None),
    ("prefect server start --host 0.0.0.0", ONE, None),
    ("puma", ONE, Some(5)),
    ("WEB_CONCURRENCY=2 puma", Some(2), Some(5)),
    ("PUMA_MAX_THREADS=2 puma", ONE, Some(2)),
    ("puma -w2 -t1:3", Some(2), Some(3)),
    ("gunicorn -w 64 --pid /run/gunicorn app:app", Some(64), ONE),
    ("W=64 sh -c 'gunicorn -w ${W:-2} app:app'", Some(64), ONE),
    ("W=? sh -c 'gunicorn -w ${W:-2} app:app'", None, ONE),
    ("sh -c 'WEB_CONCURRENCY=64 gunicorn app:app'", Some(64), ONE),
    ("sh -c 'set -e\n# start\nexec gunicorn -w 8 app:app'", Some(8), ONE),
    ("sh -c 'gunicorn -w 64 a:a & gunicorn -w 2 b:b & wait'", None, None),
    ("sh -c 'echo starting gunicorn && exec ./run.sh'", None, None),
    ("gunicorn -c gunicorn.conf.py app:app", None, None),
    ("gunicorn -c gunicorn.conf.py -w 3 --threads 2 app:app", Some(3), Some(2)),
    ("GUNICORN_CMD_ARGS=? gunicorn app:app", None, None),
    ("./start.sh", None, None),
    ("python app.py", None, None),
];

#[test]
fn as_the_servers_read_it() {
    for &(line, processes, threads) in ROWS {
        assert_eq!(found(line, None, Some(2)), (processes, threads), "{line}");
    }
}

#[test]
fn what_follows_the_cpus_of_an_unknown_node_is_unknown() {
    assert_eq!(found("celery -A app worker", None, None).0, None);
    assert_eq!(found("dramatiq app", None, Some(16)).0, Some(16));
}

#[test]
fn runtimes_that_never_fork_are_one_process() {
    assert_eq!(found("/app/server", Some("pgxpool"), None).0, Some(1));
    assert_eq!(found("/app/server", Some("sqlalchemy-env"), None).0, None);
}

#[test]
fn arguments_are_never_shown() {
    let container = container("./run --db postgres://u:hunter2@h/d --token=s3cr3t");
    let context = Context { container: &container, catalogue: Catalogue::builtin(), preset: None, node_cpus: None };
    let from = running(&context, None, None).processes.from;
    assert_eq!(from, "the command `./run …` is not recognised");
}

/// What no share sets runs as it is written, so not knowing that is not knowing what it takes.
#[test]
fn a_pool_that_follows_an_unknown_node_or_is_unseen_fits_only_where_a_share_sets_it() {
    for (engine, env, verdict) in [
        ("client: pgxpool", "{name: DATABASE_URL, value: 'postgres://h/d'}", "Fits"),
        ("client: pgxpool", "{name: DATABASE_URL, value: $(UNSEEN)}", "Unknown"),
        ("client: sqlalchemy-env", "{name: DB_POOL_SIZE, valueFrom: {secretKeyRef: {name: s, key: k}}}", "Fits"),
        (
            "client: sqlalchemy-env, onConflict: Keep",
            "{name: DB_POOL_SIZE, valueFrom: {secretKeyRef: {name: s, key: k}}}",
            "Unknown",
        ),
    ] {
        let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
        let manifests = format!(
            "apiVersion: dbbudget.dev/v1alpha1\nkind: DatabaseBudget\nmetadata: {{name: b}}\nspec: {{capacity: {{static: \
             {{maxConnections: 100}}}}, workloads: [{{name: w, target: {{kind: Deployment}}, containers: [{{processes: \
             {{count: 1}}, engines: [{{{engine}}}]}}]}}]}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: \
             w}}\nspec: {{template: {{spec: {{containers: [{{name: c, env: [{env}]}}]}}}}}}\n"
        );
        std::fs::write(file.path(), manifests).expect("writable");
        let args = ["-f", &file.path().display().to_string(), "-o", "json"].map(ToOwned::to_owned);
        let report: serde_json::Value = serde_json::from_str(&plan(&args).1).expect("JSON");
        assert_eq!(report["budgets"][0]["verdict"], verdict, "{engine}, {env}: {report:#}");
    }
}

#[test]
fn a_number_beyond_all_bounds_is_no_bound() {
    let engine = |line: &str| {
        let (catalogue, container) = (Catalogue::builtin(), container(line));
        let preset = catalogue.client("sqlalchemy-env");
        let context = Context { container: &container, catalogue, preset, node_cpus: None };
        as_written(&context, &Knobs::of(preset)).limit.limit()
    };
    assert_eq!(engine("DB_POOL_SIZE=4000000000 DB_MAX_OVERFLOW=0 run"), Some(4_000_000_000));
    assert_eq!(engine("DB_POOL_SIZE=99999999999 DB_MAX_OVERFLOW=0 run"), Some(UNLIMITED));
    assert_eq!(engine("DB_POOL_SIZE=1 DB_MAX_OVERFLOW=99999999999 run"), Some(UNLIMITED));
}

#[test]
fn what_a_command_gives_is_not_looked_for_among_variables() {
    for line in ["sh -c 'gunicorn -w $(nproc) app:app'", "WEB_CONCURRENCY='$(N)' gunicorn app:app"] {
        let container = container(line);
        let context = Context { container: &container, catalogue: Catalogue::builtin(), preset: None, node_cpus: None };
        let from = running(&context, None, None).processes.from;
        assert!(from.ends_with("), and what that gives is not known"), "{from}");
    }
}
