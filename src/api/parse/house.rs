//! `spec.clients` in the catalogue's terms.

use super::count;
use super::injected::{Setting, SettingValue, injected};
use crate::api::house::{HouseClient, HouseUrl as RawUrl};
use crate::api::inject::{Inject, Url};
use crate::catalogue::{HouseKnob, HousePreset, HouseUrl};

/// An entry of `spec.clients` as the catalogue takes it.
pub(super) fn preset(raw: &HouseClient) -> HousePreset {
    let raw_url = |RawUrl { env, query, parameters }| Url { env, query, parameters };
    let obeyed = injected(&Inject {
        env: raw.env.clone(),
        url: raw.url.iter().cloned().map(raw_url).collect(),
        args: raw.args.clone(),
    });
    let url = |url: super::UrlSettings| HouseUrl { env: url.env, query: url.query, parameters: knobs(url.parameters) };
    let engine = raw.engine.clone().unwrap_or_default();
    let extra = raw.extra.unwrap_or_default();
    HousePreset {
        name: raw.name.clone(),
        extends: raw.extends.clone(),
        env: knobs(obeyed.env),
        url: obeyed.url.into_iter().map(url).collect(),
        args: knobs(obeyed.args),
        count: engine.count.map(count),
        pool: engine.pool.map(count),
        overflow: engine.overflow.map(count),
        min: engine.min.map(count),
        overflow_percent: engine.overflow_percent.and_then(|p| u8::try_from(p).ok()),
        processes: raw.processes.map(count),
        extra_per_process: extra.per_process.map(count),
        extra_per_pod: extra.per_pod.map(count),
    }
}

fn knobs(settings: Vec<Setting>) -> Vec<HouseKnob> {
    let knob = |Setting { name, value }| match value {
        SettingValue::Quantity(quantity) => HouseKnob { name, quantity: Some(quantity), value: None },
        SettingValue::Fixed(value) => HouseKnob { name, quantity: None, value: Some(value) },
    };
    settings.into_iter().map(knob).collect()
}
