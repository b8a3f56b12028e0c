//! The whole of `clients.yaml` keeps the rules of its head, and a house's own clients keep them, too.

use super::*;
use std::collections::BTreeSet;

fn client(name: &str) -> &'static Preset {
    Catalogue::builtin().client(name).unwrap_or_else(|| panic!("no client {name}"))
}

fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}

#[test]
fn the_file_parses_and_names_are_unique() {
    let all = Catalogue::builtin();
    assert!(all.clients().count() > 50 && all.servers().count() > 10);
    assert_eq!(repeated(all.clients().map(|client| client.name.as_str())), Vec::<&str>::new());
    assert_eq!(repeated(all.servers().map(|server| server.name.as_str())), Vec::<&str>::new());
    let commands = all.servers().flat_map(|server| &server.commands).map(String::as_str);
    assert_eq!(repeated(commands), Vec::<&str>::new());
}

#[test]
fn no_client_breaks_a_rule() {
    for client in Catalogue::builtin().clients() {
        assert_eq!(client.faults(), [], "{}", client.name);
    }
}

#[test]
fn no_split_writes_a_number_that_the_client_misreads() {
    // Apart from `faults`, and by hand: what is written for each limit that a share can have.
    for client in Catalogue::builtin().clients() {
        let engine = &client.engine;
        for limit in engine.min..=50 {
            let overflow = limit * u32::from(engine.overflow_percent) / 100;
            let pool = limit - overflow;
            assert!(pool >= 1, "{} at {limit}", client.name);
            assert_eq!(engine.split(limit), (pool, overflow), "{} at {limit}", client.name);
            for knob in client.knobs().filter(|knob| knob.zero != Zero::Zero) {
                let written = match knob.quantity {
                    Some(Quantity::Pool) => pool,
                    Some(Quantity::Overflow) => overflow,
                    _ => limit,
                };
                assert_ne!(written, 0, "{} at {limit}: {}=0 means {:?}", client.name, knob.name, knob.zero);
            }
        }
    }
}

#[test]
fn every_entry_says_how_it_is_known() {
    for client in Catalogue::builtin().clients() {
        let texts = [&client.title, &client.version, &client.source];
        assert!(texts.iter().all(|text| !text.trim().is_empty()), "{}", client.name);
    }
    for server in Catalogue::builtin().servers() {
        let texts = [&server.version, &server.source];
        assert!(texts.iter().all(|text| !text.trim().is_empty()), "{}", server.name);
        assert!(!server.commands.is_empty(), "{}", server.name);
    }
}

#[test]
fn servers_that_are_named_exist_and_unknown_counts_say_what_to_do() {
    let all = Catalogue::builtin();
    for client in all.clients() {
        if let Some(name) = &client.server {
            assert!(all.server(name).is_some(), "{}: no server {name}", client.name);
        }
    }
    for server in all.servers() {
        let setting = &server.processes;
        let known = setting.default.is_some() || setting.per_node_cpu.is_some();
        let told = server.notes.iter().any(|note| note.contains("processes.count"));
        assert!(known || told, "{} has no number of processes and does not say so", server.name);
    }
}

#[test]
fn a_client_without_a_knob_has_advice_and_others_need_none() {
    for client in Catalogue::builtin().clients() {
        assert_ne!(client.has_knob(), client.advice.is_some(), "{}", client.name);
    }
}

#[test]
fn every_overflow_knob_has_a_zero_rule_or_a_floor() {
    for client in Catalogue::builtin().clients() {
        for knob in client.knobs().filter(|knob| knob.quantity == Some(Quantity::Overflow)) {
            let floored = client.engine.split(client.engine.min).1 >= 1;
            assert!(knob.zero != Zero::Unverified || floored, "{}: {}", client.name, knob.name);
        }
    }
}

#[test]
fn clients_are_grouped_by_family_and_sorted_within() {
    let order: Vec<_> = Catalogue::builtin().clients().map(|client| (client.family, client.name.as_str())).collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(order.iter().all(|(family, _)| *family != Family::House));
}

#[test]
fn a_parameter_is_obeyed_or_fatal_never_both() {
    for client in Catalogue::builtin().clients() {
        for knob in &client.url.parameters {
            let listed = client.url.fatal.iter().chain(&client.url.useless).any(|name| knob.is_called(name));
            assert!(!listed, "{}: {}", client.name, knob.name);
        }
    }
}

#[test]
fn transaction_switches_are_there_where_they_are_needed() {
    for client in Catalogue::builtin().clients() {
        let Some(mode) = &client.transaction else { continue };
        let switches = !mode.url.is_empty() || !mode.env.is_empty() || mode.code.is_some();
        assert_eq!(switches, mode.needs == Need::Switch, "{}", client.name);
        assert!(mode.url.iter().chain(&mode.env).all(|pair| pair.contains('=')), "{}", client.name);
    }
}

#[test]
fn the_file_survives_a_round_trip() {
    for client in Catalogue::builtin().clients() {
        let text = serde_yaml::to_string(client).unwrap();
        assert_eq!(&serde_yaml::from_str::<Preset>(&text).unwrap(), client, "{text}");
    }
    for server in Catalogue::builtin().servers() {
        let text = serde_yaml::to_string(server).unwrap();
        assert_eq!(&serde_yaml::from_str::<Server>(&text).unwrap(), server, "{text}");
    }
}

#[test]
fn the_measured_floors_come_out() {
    // MLflow with one worker: 2 engines x (1 + 1) + 4 = 8, and 6 without job execution (6 was counted).
    let mlflow = client("mlflow");
    assert_eq!(mlflow.engine.split(mlflow.engine.min), (1, 1));
    assert_eq!(mlflow.engine.count * mlflow.engine.min + mlflow.extra.per_pod, 8);
    assert_eq!(mlflow.engine.count * mlflow.engine.min + mlflow.extra.when[0].per_pod, 6);
    // and with its 4 workers and nothing set 4 x 2 x 15 + 4 = 124.
    assert_eq!(4 * mlflow.engine.count * mlflow.engine.limit().unwrap() + mlflow.extra.per_pod, 124);
    // Prefect: 2 engines x 1 + LISTEN = 3 (counted); --no-services: one engine of 15 (counted).
    let prefect = client("prefect");
    assert_eq!(prefect.engine.count * prefect.engine.min + prefect.extra.per_process, 3);
    let alone = &prefect.extra.when[0];
    assert_eq!(alone.engines.unwrap() * prefect.engine.limit().unwrap() + alone.per_process, 15);
    // Dagster: 3 storages x (1 + 20) = 63, and the pool stays 1 whatever the share.
    let dagster = client("dagster");
    assert_eq!(dagster.engine.count * dagster.engine.limit().unwrap(), 63);
    assert!((2..=100).all(|limit| dagster.engine.split(limit).0 == 1));
    assert_eq!((client("postgres-js").fixed_limit(), client("dj-database-url").fixed_limit()), (Some(1), Some(4)));
    assert_eq!(client("go-lib-pq").engine.limit(), None);
    assert_eq!(client("pgxpool").engine.limit(), None);
}

#[test]
fn effects_of_url_parameters() {
    let all = Catalogue::builtin();
    let effect = |name: &str, parameter: &str| all.effect(client(name), parameter);
    assert_eq!(effect("mlflow", "pool_size"), Effect::Fatal);
    assert_eq!(effect("prefect", "timeout"), Effect::Unrelated);
    assert_eq!(effect("sqlalchemy", "connect_timeout"), Effect::Unrelated);
    assert_eq!(effect("sqlalchemy", "application_name"), Effect::Unrelated);
    assert_eq!(effect("sqlalchemy-async", "application_name"), Effect::Fatal);
    assert_eq!(effect("pgxpool", "pool_max_conns"), Effect::Obeyed);
    assert_eq!(effect("go-pgx-stdlib", "pool_max_conns"), Effect::Fatal);
    assert_eq!(effect("tortoise", "max_size"), Effect::Obeyed);
    assert_eq!(effect("prisma", "connection_limit"), Effect::Useless);
    assert_eq!(effect("pg", "pool_max_conns"), Effect::Useless);
    assert_eq!(effect("asyncpg", "maxsize"), Effect::Fatal);
    assert_eq!(effect("grafana", "pool_size"), Effect::Unverified);
}

#[test]
fn nearest_names() {
    let all = Catalogue::builtin();
    assert_eq!(all.nearest("sqlalchmy"), Some("sqlalchemy"));
    assert_eq!(all.nearest("Prefekt"), Some("prefect"));
    assert_eq!(all.nearest("active-record"), Some("activerecord"));
    assert_eq!(all.nearest("qqq"), None);
}

fn house(name: &str, extends: &str) -> HousePreset {
    HousePreset { name: name.into(), extends: extends.into(), ..HousePreset::default() }
}

fn sized(name: &str, quantity: Quantity) -> HouseKnob {
    HouseKnob { name: name.into(), quantity: Some(quantity), value: None }
}

#[test]
fn a_house_client_adds_and_replaces() {
    let mut own = house("house", "sqlalchemy-env");
    own.env = vec![
        sized("DB_POOL", Quantity::Pool),
        sized("DB_MAX_OVERFLOW", Quantity::Overflow),
        HouseKnob { name: "DB_POOL_TIMEOUT".into(), quantity: None, value: Some("30".into()) },
    ];
    own.url = vec![HouseUrl { env: "DB_URL".into(), query: Query::Present, parameters: vec![] }];
    own.args = vec![sized("--workers", Quantity::Processes)];
    (own.pool, own.overflow, own.count) = (Some(10), Some(20), Some(2));
    let all = Catalogue::builtin().extended_with(&[own]).unwrap();
    let preset = all.client("house").unwrap();
    let names: Vec<_> = preset.env.iter().map(|knob| (knob.name.as_str(), knob.zero)).collect();
    assert_eq!(
        names,
        [
            ("DB_POOL_SIZE", Zero::Unlimited),
            ("DB_MAX_OVERFLOW", Zero::Zero),
            ("DB_POOL", Zero::Unlimited),
            ("DB_POOL_TIMEOUT", Zero::Unverified)
        ]
    );
    assert!(preset.env[1].negative_unlimited);
    assert_eq!((preset.engine.limit(), preset.engine.count), (Some(30), 2));
    assert_eq!(preset.url.env[0].query, Query::Present);
    assert_eq!(preset.args[0].quantity, Some(Quantity::Processes));
    assert_eq!(all.clients().count(), Catalogue::builtin().clients().count() + 1);
}

#[test]
fn a_house_client_may_replace_a_known_one_and_extend_another_of_the_house() {
    let mut mlflow = house("mlflow", "mlflow");
    mlflow.extra_per_pod = Some(6);
    // Listed before what it extends: order does not matter.
    let list = [house("lab-mlflow", "mlflow"), mlflow];
    let all = Catalogue::builtin().extended_with(&list).unwrap();
    for name in ["mlflow", "lab-mlflow"] {
        let preset = all.client(name).unwrap();
        assert_eq!((preset.extra.per_pod, preset.extra.when.len()), (6, 0), "{name}");
    }
    assert_eq!(all.clients().count(), Catalogue::builtin().clients().count() + 1);
}

fn refusal(list: &[HousePreset]) -> String {
    Catalogue::builtin().extended_with(list).unwrap_err().to_string()
}

#[test]
fn what_a_house_cannot_say() {
    assert_eq!(
        refusal(&[house("ours", "sqlalchmy")]),
        "client 'ours' extends 'sqlalchmy', which is neither in the catalogue nor in spec.clients; \
         did you mean 'sqlalchemy'? `dbbudget clients` lists them"
    );
    assert_eq!(
        refusal(&[house("a", "pg"), house("a", "knex")]),
        "client 'a' is listed twice in spec.clients; give each a name of its own"
    );
    assert_eq!(
        refusal(&[house("a", "b"), house("b", "c"), house("c", "b")]),
        "client 'a' never reaches the catalogue: a -> b -> c -> b; one of them must extend a client of the catalogue"
    );
    assert!(refusal(&[house("own", "own")]).contains("neither in the catalogue"));
    let mut loader = house("x", "pg");
    loader.env = vec![sized("NODE_OPTIONS", Quantity::Limit)];
    assert!(refusal(&[loader]).contains("NODE_OPTIONS may not be set"));
    let mut floor = house("x", "pg");
    floor.min = Some(11);
    assert_eq!(refusal(&[floor]), "client 'x': min 11 is above 10, what an engine opens by default");
    let mut misread = house("x", "mlflow");
    misread.min = Some(1);
    assert!(refusal(&[misread]).contains("would write MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW=0"));
    let mut unsplit = house("x", "sqlalchemy");
    unsplit.env = vec![sized("DB_OVERFLOW", Quantity::Overflow)];
    assert!(refusal(&[unsplit]).contains("the pool by nothing"));
    let mut percent = house("x", "sqlalchemy-env");
    percent.overflow_percent = Some(100);
    assert!(refusal(&[percent]).contains("at most 99"));
    let mut count = house("x", "pg");
    count.count = Some(0);
    assert_eq!(refusal(&[count]), "client 'x': count must be at least 1");
}
