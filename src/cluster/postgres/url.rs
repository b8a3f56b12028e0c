//! URLs as applications have them, read as the connection parameters they mean. What is wrong is said without quoting
//! them: they hold passwords.

use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::URL_INVALID;
use crate::cluster::answers::ProbeError;

/// What a key of a Secret should hold.
pub const EXPECTED: &str = "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE";

/// Parameters that say where and how to connect. Others are for the application's driver or pool.
const PARAMETERS: [&str; 11] = [
    "user",
    "password",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "options",
    "channel_binding",
    "target_session_attrs",
    "load_balance_hosts",
    "sslnegotiation",
];

/// Where to connect, and whether the server must prove who it is.
#[derive(Debug)]
pub struct Server {
    /// Everything but the proof.
    pub config: Config,
    /// `sslmode` verify-ca or verify-full.
    pub verify: bool,
}

/// Reads a URL. A driver in its scheme (`postgresql+asyncpg`, `jdbc:`) is ignored.
///
/// # Errors
/// `UrlInvalid`.
pub fn parse(text: &str) -> Result<Server, ProbeError> {
    let text = text.trim();
    let text = text.strip_prefix("jdbc:").unwrap_or(text);
    let (scheme, rest) = text.split_once("://").ok_or_else(|| invalid("holds no URL"))?;
    if !["postgres", "postgresql"].contains(&scheme.split('+').next().unwrap_or_default()) {
        return Err(invalid("holds no URL of a PostgreSQL server"));
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let kept: Vec<String> =
        pairs.iter().filter(|(key, _)| PARAMETERS.contains(key)).map(|(key, value)| format!("{key}={value}")).collect();
    let mut config = Config::from_str(&format!("postgres://{place}?{}", kept.join("&")))
        .map_err(|_| invalid("holds a URL that cannot be read (is a special character in it not percent-encoded?)"))?;
    let asked = pairs.iter().rev().find(|(key, _)| ["sslmode", "ssl"].contains(key)).map(|(_, value)| *value);
    let (mode, verify) = tls(asked)?;
    config.ssl_mode(mode).application_name("dbbudget");
    sound(&config)?;
    Ok(Server { config, verify })
}

/// | `sslmode` (`ssl` of other drivers) | TLS | the server's certificate |
/// |---|---|---|
/// | disable (false) | no | |
/// | allow, prefer, none given | if the server has it | any |
/// | require (true) | yes | any, as libpq does |
/// | verify-ca, verify-full | yes | of an authority that this machine trusts, and of that name |
fn tls(asked: Option<&str>) -> Result<(SslMode, bool), ProbeError> {
    match asked.unwrap_or("prefer") {
        "disable" | "false" => Ok((SslMode::Disable, false)),
        "allow" | "prefer" => Ok((SslMode::Prefer, false)),
        "require" | "true" | "no-verify" => Ok((SslMode::Require, false)),
        "verify-ca" | "verify-full" => Ok((SslMode::Require, true)),
        _ => Err(invalid("has an sslmode that is none of disable, allow, prefer, require, verify-ca and verify-full")),
    }
}

fn sound(config: &Config) -> Result<(), ProbeError> {
    if config.get_user().is_none() {
        return Err(invalid("holds a URL without a user"));
    }
    let ports = config.get_ports();
    for (i, host) in config.get_hosts().iter().enumerate() {
        let port = ports.get(i).or(ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(host) if is_supabase_pooler(host, port) => {
                return Err(ProbeError {
                    reason: URL_INVALID,
                    message: "leads to a Supabase pooler, which has limits of its own: use capacity.supabase, or the \
                              URL of the direct connection"
                        .into(),
                });
            }
            Host::Tcp(_) => {}
            Host::Unix(_) => return Err(invalid("leads to a socket, not to a host")),
        }
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(invalid("holds a URL without a host"));
    }
    Ok(())
}

/// The server behind it would answer with its own limits.
fn is_supabase_pooler(host: &str, port: u16) -> bool {
    let host = host.to_ascii_lowercase();
    host.ends_with(".pooler.supabase.com") || (host.ends_with(".supabase.co") && port == 6543)
}

fn invalid(what: &str) -> ProbeError {
    ProbeError { reason: URL_INVALID, message: format!("{what}; {EXPECTED}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_applications_are_understood() {
        let text = "postgresql+asyncpg://app:p%40ss@db.example:6432/shop?pool_size=5&sslmode=require&pgbouncer=true\n";
        let Server { config, verify } = parse(text).unwrap();
        assert_eq!((config.get_user(), config.get_password()), (Some("app"), Some(&b"p@ss"[..])));
        assert_eq!(config.get_hosts(), [Host::Tcp("db.example".into())]);
        assert_eq!((config.get_ports(), config.get_dbname()), (&[6432][..], Some("shop")));
        assert_eq!((config.get_ssl_mode(), verify), (SslMode::Require, false));
        let jdbc = parse("jdbc:postgresql://db/shop?user=app&password=secret&prepareThreshold=0").unwrap();
        assert_eq!((jdbc.config.get_user(), jdbc.config.get_ssl_mode()), (Some("app"), SslMode::Prefer));
        assert!(parse("postgres://a:b@db/c?sslmode=verify-full").unwrap().verify);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (text, expected) in [
            ("hunter2", "holds no URL"),
            ("mysql://app:hunter2@db/shop", "no URL of a PostgreSQL server"),
            ("postgres://app:hunter2@db:port/shop", "cannot be read"),
            ("postgres://db/shop?password=hunter2", "without a user"),
            ("postgres://app:hunter2@/shop", "without a host"),
            ("postgres://app:hunter2@%2Frun%2Fpg/shop", "leads to a socket"),
            ("postgres://app:hunter2@db/shop?sslmode=hunter2", "sslmode that is none of"),
            ("postgres://app.ref:hunter2@aws-0-eu-west-1.pooler.supabase.com:5432/postgres", "capacity.supabase"),
            ("postgres://postgres:hunter2@db.ref.supabase.co:6543/postgres", "capacity.supabase"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.reason, URL_INVALID);
            assert!(error.message.contains(expected), "{}", error.message);
            assert!(!error.message.contains("hunter2"), "{}", error.message);
        }
        assert!(parse("postgres://postgres:hunter2@db.ref.supabase.co:5432/postgres").is_ok());
    }
}
