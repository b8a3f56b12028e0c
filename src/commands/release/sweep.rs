//! Pods that wait are let go as they are, and the ledgers are deleted.

use std::time::Duration;

use futures::StreamExt;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use tokio::time::sleep;

use super::{ReleaseError, pods, say};
use crate::api::DatabaseLedger;
use crate::cluster::view::item::{self, Item, RawPod};
use crate::cluster::view::locate::everywhere;
use crate::cluster::view::pods::Pod;
use crate::cluster::view::sources::Source;
use crate::cluster::write::{WriteError, Writer};
use crate::commands::reach::{ReachError, failed};

/// Pods in one answer of the API server.
const PAGE: u32 = 500;
/// Patches under way at the same time.
const AT_ONCE: usize = 24;
/// After this many sweeps that let nobody go, what is in the way does not go away by itself.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Lets pods go until a sweep finds none that waits. Answers how many there were.
pub async fn until_none(client: &Client, namespaces: &[String]) -> Result<usize, ReleaseError> {
    let writer = Writer::new(client.clone(), None);
    let (mut freed, mut in_vain) = (0, 0);
    loop {
        let waiting = waiting(client, namespaces).await?;
        if waiting.is_empty() {
            return Ok(freed);
        }
        let (done, failed) = let_go(&writer, &waiting).await;
        freed += done;
        in_vain = if done > 0 { 0 } else { in_vain + 1 };
        if done > 0 {
            say(&pods(done, "is let go", "are let go"));
        }
        if let Some(why) = failed {
            if in_vain >= TRIES {
                return Err(ReleaseError::Waiting { waiting: waiting.len(), why: why.to_string() });
            }
            sleep(PAUSE).await;
        }
    }
}

/// All pods that have our gate.
async fn waiting(client: &Client, namespaces: &[String]) -> Result<Vec<Pod>, ReachError> {
    let Some(resource) = everywhere(&Source::Pods) else { return Ok(Vec::new()) };
    let apis: Vec<Api<RawPod>> = if namespaces.is_empty() {
        vec![Api::all_with(client.clone(), &resource)]
    } else {
        namespaces.iter().map(|namespace| Api::namespaced_with(client.clone(), namespace, &resource)).collect()
    };
    let mut waiting = Vec::new();
    for api in apis {
        // A pod that has a gate has no node, and is Pending.
        let mut params = ListParams::default().fields("status.phase=Pending").limit(PAGE);
        loop {
            let page = api.list(&params).await.map_err(failed("cannot list pods"))?;
            waiting.extend(page.items.iter().filter_map(|raw| match item::pod(raw) {
                Item::Pod(pod) if pod.gate.is_some() && !pod.terminating() => Some(pod),
                _ => None,
            }));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
    }
    Ok(waiting)
}

/// Takes the gate off pods, and writes nothing else: they keep the smallest pools, which they were born with. Answers how
/// many were let go, and what one of the others is kept by.
async fn let_go(writer: &Writer, waiting: &[Pod]) -> (usize, Option<WriteError>) {
    let nothing = std::collections::BTreeMap::new();
    let patches = waiting.iter().filter_map(|pod| Some((pod, pod.gate.as_ref()?)));
    let patches = patches.map(|(pod, gate)| writer.ungate(pod, gate, &nothing));
    let outcomes: Vec<_> = futures::stream::iter(patches).buffer_unordered(AT_ONCE).collect().await;
    let (mut done, mut failed) = (0, None);
    for outcome in outcomes {
        match outcome {
            Ok(()) => done += 1,
            Err(error) => failed = Some(error),
        }
    }
    (done, failed)
}

/// Deletes the ledgers: who holds what is nobody's business any more.
pub async fn delete_ledgers(client: &Client, namespaces: &[String]) -> Result<(), ReleaseError> {
    let api = |namespace: &str| -> Api<DatabaseLedger> { Api::namespaced(client.clone(), namespace) };
    let apis: Vec<Api<DatabaseLedger>> = match namespaces {
        [] => vec![Api::all(client.clone())],
        some => some.iter().map(|namespace| api(namespace)).collect(),
    };
    for all in apis {
        let ledgers = match all.list_metadata(&ListParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()), // not even the definition is there
            listed => listed.map_err(failed("cannot list the DatabaseLedgers"))?,
        };
        for ledger in ledgers.items {
            let (namespace, name) = (ledger.namespace().unwrap_or_default(), ledger.name_any());
            let same = Preconditions { uid: ledger.uid(), resource_version: None };
            let params = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
            match api(&namespace).delete(&name, &params).await {
                Ok(_) => say(&format!("the DatabaseLedger {namespace}/{name} is deleted")),
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(error) => {
                    let what = format!("the DatabaseLedger {namespace}/{name} cannot be deleted");
                    return Err(ReleaseError::Ledger(failed(what)(error)));
                }
            }
        }
    }
    Ok(())
}
