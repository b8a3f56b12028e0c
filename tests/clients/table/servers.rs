//! Servers and queue workers, whose processes and threads have engines of their own.

use crate::case::{Case, LIBRARY, Load};

/// A web server of one client, with `/health`, which needs no connection.
const WEB: Case = Case {
    client: "sqlalchemy-env",
    url: "postgresql+psycopg2://{at}",
    load: Load::Http { ready: "/health", requests: &[("GET", "/", "")], tables: "gate" },
    ..LIBRARY
};
const CELERY: Case = Case { load: Load::Tasks("celery_tasks.py"), ..WEB };
const DRAMATIQ: Case = Case { load: Load::Tasks("dramatiq_tasks.py"), ..WEB };
const PUMA: Case = Case { client: "activerecord", url: "postgres://{at}", ..WEB };

/// All of them. Where both say how many, the first of arguments, variable and default counts.
pub fn servers() -> Vec<Case> {
    let gunicorn = "{web}/gunicorn web:wsgi --chdir={here}/python --bind=127.0.0.1:{port}";
    let with_workers = "{web}/gunicorn web:wsgi --chdir={here}/python --bind=127.0.0.1:{port} -w 4";
    let with_threads = "{web}/gunicorn web:wsgi --chdir={here}/python --bind=127.0.0.1:{port} -w 2 --threads=20";
    let uvicorn = "{web}/uvicorn web:asgi --app-dir={here}/python --port={port}";
    let uvicorn_workers = "{web}/uvicorn web:asgi --app-dir={here}/python --port={port} --workers 2";
    let celery = "{web}/celery --workdir={here}/python -A celery_tasks worker";
    let celery_workers = "{web}/celery --workdir={here}/python -A celery_tasks worker -c 3";
    let celery_threads = "{web}/celery --workdir={here}/python -A celery_tasks worker -P threads -c 30";
    let celery_scaled = "{web}/celery --workdir={here}/python -A celery_tasks worker --autoscale=4,1";
    let dramatiq = "{web}/dramatiq dramatiq_tasks --path={here}/python";
    let dramatiq_few = "{web}/dramatiq dramatiq_tasks --path={here}/python -p 2 -t 20";
    let puma = "puma --bind=tcp://127.0.0.1:{port} {here}/ruby/web.ru";
    let puma_workers = "puma --bind=tcp://127.0.0.1:{port} -w 2 -t 1:3 {here}/ruby/web.ru";
    vec![
        Case { command: gunicorn, ..WEB },
        Case { command: gunicorn, env: &[("WEB_CONCURRENCY", "3")], share: Some(2), ..WEB },
        Case { command: gunicorn, env: &[("GUNICORN_CMD_ARGS", "--workers 2 --threads 4")], share: Some(4), ..WEB },
        Case { command: with_workers, env: &[("WEB_CONCURRENCY", "2")], share: Some(3), ..WEB },
        Case { command: with_threads, share: Some(6), ..WEB },
        Case { command: uvicorn, share: Some(4), ..WEB },
        Case { command: uvicorn, env: &[("WEB_CONCURRENCY", "2")], share: Some(8), ..WEB },
        Case { command: uvicorn, env: &[("UVICORN_WORKERS", "3"), ("WEB_CONCURRENCY", "2")], share: Some(2), ..WEB },
        Case { command: uvicorn_workers, env: &[("WEB_CONCURRENCY", "3")], share: Some(8), ..WEB },
        Case { client: "celery", command: celery, ..CELERY },
        Case { command: celery, env: &[("CELERY_WORKER_CONCURRENCY", "4")], share: Some(2), ..CELERY },
        Case { command: celery_workers, env: &[("CELERY_WORKER_CONCURRENCY", "5")], share: Some(2), ..CELERY },
        Case { command: celery_threads, share: Some(4), ..CELERY },
        Case { client: "celery", command: celery_scaled, ..CELERY },
        Case { client: "dramatiq", command: dramatiq, ..DRAMATIQ },
        Case { command: dramatiq_few, share: Some(6), ..DRAMATIQ },
        Case { command: puma, share: Some(3), ..PUMA },
        Case { command: puma, env: &[("WEB_CONCURRENCY", "2")], share: Some(4), ..PUMA },
        Case { command: puma, env: &[("PUMA_MAX_THREADS", "2"), ("RAILS_MAX_THREADS", "4")], ..PUMA },
        Case { command: puma_workers, env: &[("WEB_CONCURRENCY", "3")], share: Some(4), ..PUMA },
    ]
}
