//! Libraries, in programs that ask for more connections than any of them opens.

use crate::case::{Case, LIBRARY};

const PSYCOPG2: &str = "postgresql+psycopg2://{at}";
const PSYCOPG: &str = "postgresql+psycopg://{at}";
const PG8000: &str = "postgresql+pg8000://{at}";
const ASYNCPG: &str = "postgresql+asyncpg://{at}";

fn case(client: &'static str, command: &'static str) -> Case {
    Case { client, command, ..LIBRARY }
}

fn sized(client: &'static str, command: &'static str, share: u32) -> Case {
    Case { client, command, share: Some(share), ..LIBRARY }
}

/// Python.
pub fn python() -> Vec<Case> {
    let sqlalchemy = "{web}/python {here}/python/sqlalchemy_sync.py";
    let sqlalchemy_async = "{web}/python {here}/python/sqlalchemy_async.py";
    vec![
        case("asyncpg", "{web}/python {here}/python/asyncpg_.py"),
        case("django", "{web}/python {here}/python/django_.py plain"),
        case("django-environ", "{web}/python {here}/python/django_.py environ"),
        case("django-pool", "{web}/python {here}/python/django_.py pool"),
        sized("dj-database-url", "{web}/python {here}/python/django_.py", 9),
        Case { url: PSYCOPG2, ..case("flask-sqlalchemy", "{web}/python {here}/python/flask_.py") },
        Case { url: PSYCOPG2, ..sized("flask-sqlalchemy-env", "{web}/python {here}/python/flask_.py env", 6) },
        Case { url: "postgresql://{at}", ..case("peewee", "{web}/python {here}/python/peewee_.py") },
        Case { url: "postgresql+pool://{at}", ..sized("peewee-pool", "{web}/python {here}/python/peewee_.py", 3) },
        case("psycopg-pool", "{web}/python {here}/python/psycopg_pool_.py"),
        Case { engine: ", max: 5", ..case("psycopg2-pool", "{web}/python {here}/python/psycopg2_pool.py") },
        Case { url: PSYCOPG2, ..case("sqlalchemy", sqlalchemy) },
        Case { url: PSYCOPG, ..case("sqlalchemy", sqlalchemy) },
        Case { url: PG8000, ..case("sqlalchemy", sqlalchemy) },
        Case { url: ASYNCPG, ..case("sqlalchemy-async", sqlalchemy_async) },
        Case { url: PSYCOPG2, ..sized("sqlalchemy-env", sqlalchemy, 6) },
        Case { url: ASYNCPG, ..sized("sqlalchemy-env", sqlalchemy_async, 7) },
        sized("tortoise", "{web}/python {here}/python/tortoise_.py", 2),
        Case { url: "psycopg://{at}", ..sized("tortoise", "{web}/python {here}/python/tortoise_.py", 3) },
    ]
}

/// Node.
pub fn node() -> Vec<Case> {
    vec![
        case("drizzle-pg", "node {clients}/drizzle_pg.mjs"),
        sized("drizzle-postgres-js", "node {clients}/drizzle_postgres.mjs", 5),
        case("knex", "node {clients}/knex.mjs"),
        case("pg", "node {clients}/pg.mjs"),
        sized("postgres-js", "node {clients}/postgres.mjs", 5),
        case("prisma", "node {clients}/prisma.mjs"),
        case("sequelize", "node {clients}/sequelize.mjs"),
        case("typeorm", "node {clients}/typeorm.mjs"),
    ]
}

/// Go, Rust, Java, Ruby.
pub fn others() -> Vec<Case> {
    vec![
        Case { url: "postgres://{at}?sslmode=disable", ..case("go-lib-pq", "{clients}/go postgres") },
        case("go-pgx-stdlib", "{clients}/go pgx"),
        sized("pgxpool", "{clients}/go pgxpool", 2),
        case("deadpool", "{clients}/rust deadpool"),
        sized("deadpool-env", "{clients}/rust deadpool-env", 3),
        case("sqlx", "{clients}/rust sqlx"),
        Case {
            url: "jdbc:postgresql://{at}",
            ..case("hikaricp", "{clients}/jre/bin/java -cp {clients}/java:{clients}/java/* Hikari")
        },
        sized("activerecord", "ruby {here}/ruby/activerecord.rb", 2),
    ]
}
