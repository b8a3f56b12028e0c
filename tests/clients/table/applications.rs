//! Programs as they come.

use crate::case::{Case, LIBRARY, Load};

const MLFLOW: Case = Case {
    client: "mlflow",
    command: "{mlflow}/mlflow server --port={port} --workers=1",
    url: "postgresql+psycopg2://{at}",
    url_in: "MLFLOW_BACKEND_STORE_URI",
    load: Load::Http {
        ready: "/health",
        requests: &[
            ("POST", "/api/2.0/mlflow/experiments/search", "{\"max_results\": 10}"),
            ("GET", "/api/2.0/mlflow/registered-models/search", ""),
        ],
        tables: "experiments, registered_models",
    },
    ..LIBRARY
};
const PREFECT: Case = Case {
    client: "prefect",
    command: "{prefect}/prefect server start --port={port}",
    url: "postgresql+asyncpg://{at}",
    url_in: "PREFECT_SERVER_DATABASE_CONNECTION_URL",
    env: &[("PREFECT_SERVER_ANALYTICS_ENABLED", "false")],
    load: Load::Http {
        ready: "/api/health",
        requests: &[("POST", "/api/flows/filter", "{}"), ("POST", "/api/flow_runs/filter", "{}")],
        tables: "flow, flow_run",
    },
    exact: false,
    ..LIBRARY
};

/// All of them.
pub fn applications() -> Vec<Case> {
    vec![
        Case { share: Some(8), ..MLFLOW },
        Case { share: Some(3), ..PREFECT },
        Case { client: "pgbouncer", command: "{web}/python {here}/python/pgbouncer_.py", url: "host={at}", ..LIBRARY },
    ]
}
