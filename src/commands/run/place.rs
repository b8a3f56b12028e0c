//! Where this process is, and how others reach it.

use std::env;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;

use super::Args;
use crate::cluster::webhook::Address;
use crate::cluster::{confirm, lease};

/// Where a pod finds its own namespace.
const POD_NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The namespace of the pod that this is; nothing outside a cluster.
#[must_use]
pub fn own_namespace() -> Option<String> {
    let from_file = || fs::read_to_string(POD_NAMESPACE_FILE).ok().map(|text| text.trim().to_owned());
    variable("POD_NAMESPACE").or_else(from_file)
}

/// Which Lease elects, and who this is in it.
#[must_use]
pub fn election(args: &Args) -> lease::Settings {
    let made_up = || {
        // Not the host's name alone: pods on the host's network share it.
        let host = variable("HOSTNAME").unwrap_or_else(|| "dbbudget".into());
        format!("{host}-{:016x}", RandomState::new().build_hasher().finish())
    };
    lease::Settings {
        namespace: args.lease_namespace.clone().or_else(own_namespace).unwrap_or_else(|| "default".into()),
        name: args.lease_name.clone(),
        identity: args.identity.clone().or_else(|| variable("POD_NAME")).unwrap_or_else(made_up),
        timing: lease::Timing::default(),
    }
}

/// The Lease by which this replica confirms what its webhook does, beside the election's.
#[must_use]
pub fn confirming(election: &lease::Settings) -> confirm::Settings {
    let lease::Settings { namespace, name, identity, .. } = election.clone();
    confirm::Settings { namespace, group: name, identity }
}

/// A Service, by namespace and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service(String, String);

/// Reads `NAMESPACE/NAME`.
///
/// # Errors
/// When it is not of that form.
pub fn service(text: &str) -> Result<Service, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Service(namespace.to_owned(), name.to_owned()))
        }
        _ => Err("expected NAMESPACE/NAME, such as dbbudget/dbbudget-webhook".into()),
    }
}

/// Reads `https://HOST:PORT`.
///
/// # Errors
/// When it is not of that form.
pub fn url(text: &str) -> Result<String, String> {
    let expected = "expected https://HOST:PORT, such as https://127.0.0.1:9443";
    let place = text.strip_prefix("https://").ok_or(expected)?.trim_end_matches('/');
    match place.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !place.contains('/') && port.parse::<u16>().is_ok() => {
            Ok(format!("https://{place}"))
        }
        _ => Err(expected.into()),
    }
}

/// How the API server reaches the webhook, and under which names. Nothing: it does not.
#[must_use]
pub fn webhook(args: &Args, listening: SocketAddr) -> Option<(Address, Vec<String>)> {
    let options = &args.webhook;
    if let Some(url) = &options.webhook_url {
        let url = match url.strip_suffix(":0") {
            Some(host) => format!("{host}:{}", listening.port()),
            None => url.clone(),
        };
        let host = url.trim_start_matches("https://").rsplit_once(':').map_or("", |(host, _)| host).to_owned();
        let host = host.trim_matches(['[', ']']).to_owned();
        return Some((Address::Url(url), vec![host]));
    }
    let own = || Some(Service(own_namespace()?, "dbbudget-webhook".into()));
    let Service(namespace, name) = options.webhook_service.clone().or_else(own)?;
    let names = ["svc", "svc.cluster.local"].map(|zone| format!("{name}.{namespace}.{zone}"));
    Some((Address::Service { namespace, name }, names.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused_with_an_example() {
        assert_eq!(service("ns/name"), Ok(Service("ns".into(), "name".into())));
        assert!(service("name").is_err_and(|error| error.contains("NAMESPACE/NAME")));
        assert_eq!(url("https://[::1]:0/"), Ok("https://[::1]:0".into()));
        for wrong in ["http://127.0.0.1:9443", "https://127.0.0.1", "https://127.0.0.1:9443/pods", "https://:1"] {
            assert!(url(wrong).is_err_and(|error| error.contains("https://HOST:PORT")), "{wrong}");
        }
    }
}
