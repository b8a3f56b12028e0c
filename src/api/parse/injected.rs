//! Settings that a claim injects, beside those of its preset.

use crate::api::inject::Inject;
use crate::catalogue::{Quantity, Query};

/// What a claim injects for one engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Injected {
    /// Variables.
    pub env: Vec<Setting>,
    /// URLs to extend.
    pub url: Vec<UrlSettings>,
    /// Flags.
    pub args: Vec<Setting>,
}

/// A variable, parameter or flag and what it is set to.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// A number of the share, or a fixed value.
    pub value: SettingValue,
}

/// What a setting is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingValue {
    /// A number of the share.
    Quantity(Quantity),
    /// As it stands.
    Fixed(String),
}

/// A variable that holds a URL, and the parameters to add.
#[derive(Clone, Debug, PartialEq)]
pub struct UrlSettings {
    /// The variable.
    pub env: String,
    /// Whether it has a query part, where it cannot be seen.
    pub query: Query,
    /// The parameters.
    pub parameters: Vec<Setting>,
}

fn setting(name: &str, quantity: Option<Quantity>, value: Option<&String>) -> Option<Setting> {
    let value = quantity.map(SettingValue::Quantity).or_else(|| value.cloned().map(SettingValue::Fixed))?;
    Some(Setting { name: name.to_owned(), value })
}

pub(super) fn injected(raw: &Inject) -> Injected {
    let urls = raw.url.iter().map(|url| UrlSettings {
        env: url.env.clone(),
        query: url.query,
        parameters: url.parameters.iter().filter_map(|p| setting(&p.name, p.quantity, p.value.as_ref())).collect(),
    });
    Injected {
        env: raw.env.iter().filter_map(|e| setting(&e.name, e.quantity, e.value.as_ref())).collect(),
        url: urls.collect(),
        args: raw.args.iter().filter_map(|a| setting(&a.flag, a.quantity, a.value.as_ref())).collect(),
    }
}
