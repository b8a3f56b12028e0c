//! One question to one server.

use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, Error, SimpleQueryMessage, SimpleQueryRow};

use super::url::{self, Server};
use super::{REFUSED, SERVER_FULL, UNREACHABLE, tls};
use crate::budget::capacity::ServerLimits;
use crate::cluster::answers::{Answer, ProbeError};

/// For all of it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// `pg_settings` rather than SHOW, which fails for a setting that a version lacks. Neither limit binds a superuser.
const QUESTION: &str = "
SELECT (SELECT setting FROM pg_settings WHERE name = 'max_connections') AS max_connections,
       (SELECT sum(setting::int) FROM pg_settings
        WHERE name IN ('superuser_reserved_connections', 'reserved_connections',
                       'rds.rds_superuser_reserved_connections')) AS reserved,
       CASE WHEN rolsuper THEN -1 ELSE rolconnlimit END AS role,
       CASE WHEN rolsuper THEN -1 ELSE datconnlimit END AS database
FROM pg_roles, pg_database WHERE rolname = session_user AND datname = current_database()";

/// Asks the server behind a URL for its limits.
///
/// # Errors
/// Why it does not tell, without anything of the URL.
pub async fn ask(url: &str) -> Answer {
    let server = url::parse(url)?;
    match timeout(TIMEOUT, answer(&server)).await {
        Ok(answer) => answer,
        Err(_) => Err(fail(UNREACHABLE, format!("no answer from the server within {} s", TIMEOUT.as_secs()))),
    }
}

async fn answer(server: &Server) -> Answer {
    let tls = tls::connector(server.verify).ok_or_else(|| {
        fail(REFUSED, "sslmode asks for a certificate to be verified, but no authority is known here")
    })?;
    let (client, connection) = server.config.connect(tls).await.map_err(|error| failure(&error))?;
    let mut connection = pin!(connection);
    let rows = tokio::select! {
        rows = query(client) => rows,
        ended = &mut connection => match ended {
            Err(error) => Err(error),
            Ok(()) => return Err(fail(UNREACHABLE, "the server closed the connection")),
        },
    };
    // The client is gone by now, so this says goodbye, and the slot is free again.
    let _ = connection.await;
    limits(&rows.map_err(|error| failure(&error))?)
}

async fn query(client: Client) -> Result<Vec<SimpleQueryMessage>, Error> {
    client.simple_query(QUESTION).await
}

fn limits(messages: &[SimpleQueryMessage]) -> Answer {
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let read = |row: &SimpleQueryRow| {
        let number = |column| row.try_get(column).ok().flatten()?.parse::<i64>().ok();
        let limit = |column| number(column).map(|n| u32::try_from(n).ok()); // below zero: none
        Some(ServerLimits {
            max_connections: u32::try_from(number("max_connections")?).ok()?,
            reserved: u32::try_from(number("reserved")?).ok()?,
            role: limit("role")?,
            database: limit("database")?,
        })
    };
    row.and_then(read).ok_or_else(|| fail(REFUSED, "the server answers, but not as PostgreSQL does"))
}

/// In own words: what a server says may quote the URL's user, and what a library says may quote the rest.
fn failure(error: &Error) -> ProbeError {
    if let Some(said) = error.as_db_error() {
        return refusal(said);
    }
    let said = error.to_string(); // the kind is not public
    if said.contains("TLS") {
        return fail(
            REFUSED,
            "no TLS as the URL's sslmode asks for it: the server has none, or its certificate is \
                              not of an authority that is trusted here",
        );
    }
    if said.contains("authentication") || said.contains("configuration") {
        return fail(REFUSED, "the server asks for a proof of identity that the URL does not have");
    }
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        // Each of these is a fixed phrase.
        Some(kind) if kind != io::ErrorKind::Other && !format!("{kind:?}").contains("Uncategorized") => {
            fail(UNREACHABLE, format!("the server cannot be reached: {kind}"))
        }
        _ => fail(UNREACHABLE, "the server cannot be reached: is its name right, and does its name resolve here?"),
    }
}

fn refusal(said: &DbError) -> ProbeError {
    let (code, text) = (said.code(), said.message());
    let full = |what: &str| fail(SERVER_FULL, format!("{what} (SQLSTATE {})", code.code()));
    match code {
        &SqlState::TOO_MANY_CONNECTIONS if text.contains("for role") => {
            full("full: the URL's role has as many connections open as its limit allows")
        }
        &SqlState::TOO_MANY_CONNECTIONS if text.contains("for database") => {
            full("full: the database has as many connections open as its limit allows")
        }
        &SqlState::TOO_MANY_CONNECTIONS => {
            full("full: every connection that the server has for ordinary roles is open")
        }
        // Poolers have codes of their own: Supavisor, PgBouncer.
        _ if [
            "EMAXCONN",
            "MaxClientsInSessionMode",
            "Max client connections reached",
            "no more connections allowed",
        ]
        .iter()
        .any(|phrase| text.contains(phrase)) =>
        {
            full("full: the pooler takes no more clients")
        }
        &SqlState::CANNOT_CONNECT_NOW => fail(UNREACHABLE, "the server is starting or stopping"),
        &SqlState::INVALID_PASSWORD => fail(REFUSED, "the server refuses the URL's password"),
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            fail(REFUSED, "the server does not let the URL's user in from here")
        }
        &SqlState::INVALID_CATALOG_NAME => fail(REFUSED, "the server has no database of the URL's name"),
        code => fail(REFUSED, format!("the server refuses (SQLSTATE {})", code.code())),
    }
}

fn fail(reason: &'static str, message: impl Into<String>) -> ProbeError {
    ProbeError { reason, message: message.into() }
}
