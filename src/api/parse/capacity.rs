//! Where a budget's number comes from.

use super::budget::Capacity;
use super::{Faults, count};
use crate::api::capacity::{Capacity as RawCapacity, Endpoint as RawEndpoint, Supabase};
use crate::budget::capacity::{Compute, Endpoint, POOLER_BACKENDS_ON_TOP, SUPERUSER_RESERVED};

pub(super) fn capacity(raw: &RawCapacity, faults: &mut Faults) -> Capacity {
    let at = "/spec/capacity";
    match (&raw.supabase, &raw.r#static, &raw.postgres) {
        (Some(raw), None, None) => supabase(raw, faults),
        (None, Some(fixed), None) => {
            let hard = count(fixed.max_connections).saturating_sub(count(fixed.server_reserved));
            let source = format!("static: {} less {} for the server", fixed.max_connections, fixed.server_reserved);
            Capacity::Known { hard, kept: count(fixed.server_reserved), on_server: hard, source, endpoint: None }
        }
        (None, None, Some(postgres)) => Capacity::Asked {
            secret: postgres.secret_key_ref.name.clone(),
            key: postgres.secret_key_ref.key.clone(),
            expected: postgres.expected.map(count),
        },
        _ => {
            faults.add(at, "exactly one of supabase, static and postgres is needed");
            Capacity::Known { hard: 0, kept: 0, on_server: 0, source: String::new(), endpoint: None }
        }
    }
}

fn supabase(raw: &Supabase, faults: &mut Faults) -> Capacity {
    let (endpoint, given, field) = match raw.endpoint {
        RawEndpoint::Session => (Endpoint::Session, raw.pool_size, "poolSize"),
        RawEndpoint::Transaction => (Endpoint::Transaction, raw.max_clients, "maxClients"),
        RawEndpoint::Direct => (Endpoint::Direct, raw.max_connections, "maxConnections"),
    };
    let compute = raw.compute.as_deref().and_then(Compute::named);
    let Some(limit) = given.map(count).or_else(|| compute.and_then(|c| c.limit(endpoint))) else {
        let size = raw.compute.as_deref().unwrap_or("(none)");
        let what = format!("compute {size} has no published number for endpoint {:?}: give {field}", raw.endpoint);
        faults.add(format!("/spec/capacity/supabase/{field}"), what);
        return Capacity::Known { hard: 0, kept: 0, on_server: 0, source: String::new(), endpoint: Some(endpoint) };
    };
    let size = raw.compute.as_deref().map_or(String::new(), |c| format!(" {c}"));
    let pool_size = raw.pool_size.map(count).or_else(|| compute.map(|c| c.pool_size));
    let pooler = pool_size.unwrap_or(limit).saturating_add(POOLER_BACKENDS_ON_TOP);
    let table = if given.is_some() { "" } else { ", from the published table" };
    let (hard, on_server, source) = match endpoint {
        Endpoint::Session => (limit, pooler, format!("Supabase{size}, session pooler: pool_size {limit}{table}")),
        Endpoint::Transaction => (limit, pooler, format!("Supabase{size}, transaction pooler: {limit} clients{table}")),
        Endpoint::Direct => {
            let hard = limit.saturating_sub(SUPERUSER_RESERVED).saturating_sub(count(raw.platform));
            let less = format!("less {SUPERUSER_RESERVED} for superusers and {} for the platform", raw.platform);
            (hard, hard, format!("Supabase{size}, direct: max_connections {limit}{table}, {less}"))
        }
    };
    let kept = if endpoint == Endpoint::Direct { limit.saturating_sub(hard) } else { 0 };
    Capacity::Known { hard, kept, on_server, source, endpoint: Some(endpoint) }
}
