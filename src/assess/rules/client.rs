//! What a workload's client software makes of its settings.

use std::collections::BTreeSet;

use crate::api::parse::Budget;
use crate::api::policy::Enforcement;
use crate::assess::claims::Drawing;
use crate::assess::finding::{About, Finding, Rule, Severity};
use crate::assess::shape::{Built, BuiltEngine};
use crate::budget::fit::Row;
use crate::budget::shape::Written;
use crate::catalogue::{self, Need, Preset, Quantity, UrlVariable};
use crate::workload::engines::{Effect, url_variables};
use crate::workload::template::Shown;
use crate::workload::url::parameters;

/// One claimed engine and what surrounds it.
struct View<'a> {
    budget: &'a Budget,
    drawing: &'a Drawing,
    container: &'a Built,
    engine: &'a BuiltEngine,
    preset: Option<&'a Preset>,
}

pub(super) fn findings(budget: &Budget, drawing: &Drawing, row: &Row) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut limits = row.limits.iter();
    for container in &drawing.built {
        findings.extend(unseen(drawing, container));
        for engine in &container.engines {
            let preset = engine.client.as_deref().and_then(|name| budget.catalogue.client(name));
            let view = View { budget, drawing, container, engine, preset };
            findings.extend(view.url_parameters());
            findings.extend(view.meanings());
            findings.extend(view.without_knob());
            findings.extend(view.node_cpus());
            findings.extend(view.transaction_mode());
            findings.extend(view.not_injected());
            findings.extend(view.overridden(limits.next().copied().flatten()));
        }
    }
    let mut seen = BTreeSet::new();
    findings.retain(|f| seen.insert((f.rule, f.pointer.clone(), f.message.clone())));
    findings
}

/// Variables that would matter, and come from where the template does not show them.
fn unseen(drawing: &Drawing, container: &Built) -> Vec<Finding> {
    let named: Vec<UrlVariable> = container.engines.iter().flat_map(|e| e.knobs.url_env.clone()).collect();
    let urls = url_variables(&container.template, &named).filter_map(|(name, shown)| match shown {
        Shown::From(source) => Some(format!("{name} comes from {source}")),
        Shown::Value(_) => None,
    });
    let numbers = container.engines.iter().flat_map(|e| e.written.unseen.iter().cloned());
    let all: BTreeSet<String> = urls.chain(numbers).collect();
    let finding = |what: String| {
        let variable = what.split(' ').next().unwrap_or_default();
        let pointer = container.template.pointer_to(variable);
        let message = format!("{what}, and is not read; what it sets is counted at the default");
        let of_map = what.contains("ConfigMap");
        let show = if of_map { "plan that ConfigMap, too," } else { "set the number in plain sight," };
        let fix = format!("{show} or say min and max in the claim");
        Finding::new(Rule::UnseenValue, About::Object(drawing.key.clone()), pointer, message, fix)
    };
    all.into_iter().map(finding).collect()
}

impl View<'_> {
    fn finding(&self, rule: Rule, variable: &str, message: String, fix: String) -> Finding {
        let pointer = self.container.template.pointer_to(variable);
        Finding::new(rule, About::Object(self.drawing.key.clone()), pointer, message, fix)
    }

    /// Parameters of a URL in plain sight that stop the client, or do nothing.
    fn url_parameters(&self) -> Vec<Finding> {
        let Some(preset) = self.preset else { return Vec::new() };
        let mut findings = Vec::new();
        for (variable, shown) in url_variables(&self.container.template, &self.engine.knobs.url_env) {
            let Shown::Value(text) = shown else { continue };
            for (name, value) in parameters(text).unwrap_or_default().pairs {
                // A URL may hold credentials anywhere; a number is none.
                let shown = value.parse::<i64>().map_or_else(|_| "…".into(), |n| n.to_string());
                let said = format!("{name}={shown} in {variable}");
                let (rule, message) = match self.budget.catalogue.effect(preset, &name) {
                    catalogue::Effect::Fatal => (
                        Rule::FatalUrlParameter,
                        format!("{said}: {} cannot connect with this parameter", preset.title),
                    ),
                    catalogue::Effect::Useless => {
                        (Rule::UselessUrlParameter, format!("{said}: {} ignores this parameter", preset.title))
                    }
                    _ => continue,
                };
                findings.push(self.finding(rule, variable, message, self.cure()));
            }
        }
        findings
    }

    /// What to do instead of a URL parameter.
    fn cure(&self) -> String {
        let sizing = self.engine.knobs.env.iter().filter(|k| k.sizes_engine()).map(|k| k.name.as_str());
        let variables: Vec<&str> = sizing.collect();
        if variables.is_empty() {
            let advice = self.preset.and_then(|p| p.advice.as_deref()).unwrap_or("size the pool in code");
            format!("remove it from the URL; {advice}")
        } else {
            format!("remove it from the URL and set {} instead, as dbbudget does", variables.join(" and "))
        }
    }

    /// Numbers that the client reads as something else.
    fn meanings(&self) -> Vec<Finding> {
        let client = self.preset.map_or("the client", |p| p.title.as_str());
        let settings = self.engine.written.set.iter();
        let findings = settings.filter_map(|set| match set.effect {
            Effect::Unlimited => {
                let fix = format!("give {} a number of at least 1, or remove it and let dbbudget set it", set.name);
                let message = format!("{}: to {client} this means no limit at all", set.what);
                Some(self.finding(Rule::ZeroMeansUnlimited, &set.name, message, fix))
            }
            Effect::Untried => {
                let message =
                    format!("{}: what {client} makes of 0, nobody has tried; it counts as no limit", set.what);
                Some(self.finding(Rule::ZeroMeansUnlimited, &set.name, message, "give it at least 1".into()))
            }
            Effect::Fatal => {
                let message = format!("{}: {client} does not start with this", set.what);
                Some(self.finding(Rule::ZeroMeansUnlimited, &set.name, message, "give it at least 1".into()))
            }
            Effect::Ignored => {
                let message = format!("{}: {client} ignores this, and its default applies", set.what);
                let fix = "give it at least 1".into();
                Some(self.finding(Rule::ZeroMeansUnlimited, &set.name, message, fix).at(Severity::Warning))
            }
            Effect::Always(n) if i64::from(n) != set.number => {
                let message = format!("{}: {client} uses {n}, whatever the number", set.what);
                Some(self.finding(Rule::UselessUrlParameter, &set.name, message, "size the pool in code".into()))
            }
            Effect::Always(_) | Effect::Counts => None,
        });
        findings.collect()
    }

    fn without_knob(&self) -> Option<Finding> {
        let preset = self.preset.filter(|_| !self.engine.knobs.size_engine())?;
        let takes = match self.engine.written.limit {
            Written::Limit(n) => format!("counted as the {n} it takes ({})", self.engine.written.from),
            Written::AtLeast(n) => format!("counted as the {n} it takes at least"),
            Written::Unlimited => "it opens as many as it is asked for".into(),
        };
        let message = format!("nothing outside its code sets how much {} opens; {takes}", preset.title);
        let advice = preset
            .advice
            .clone()
            .unwrap_or_else(|| "read the size from the environment, and list that name under inject.env".into());
        Some(self.finding(Rule::ClientWithoutKnob, "", message, advice))
    }

    fn node_cpus(&self) -> Option<Finding> {
        let written = &self.engine.written;
        written.follows_node_cpus.then(|| {
            let message = format!("the pool of {} follows the CPUs of the node: {}", self.engine.name, written.from);
            let fix = "set the size; plan counts with --node-cpus N".into();
            self.finding(Rule::NodeCpuDefault, "", message, fix)
        })
    }

    /// Behind a pooler in transaction mode some clients need a switch.
    fn transaction_mode(&self) -> Option<Finding> {
        let preset = self.preset.filter(|_| self.budget.is_transaction())?;
        let needs = preset.transaction.as_ref().filter(|t| t.needs == Need::Switch)?;
        let template = &self.container.template;
        let urls: Vec<_> = url_variables(template, &self.engine.knobs.url_env).collect();
        let in_url = |pair: &str| {
            urls.iter().any(|(_, shown)| match (shown, pair.split_once('=')) {
                (Shown::Value(text), Some((name, value))) => {
                    parameters(text).unwrap_or_default().get(name, true).is_some_and(|v| v == value)
                }
                _ => false,
            })
        };
        let in_env = |pair: &str| pair.split_once('=').is_some_and(|(name, value)| template.value(name) == Some(value));
        let injected = |pair: &str| {
            self.injects()
                && self.engine.settings.all.iter().any(|s| pair.split_once('=').is_some_and(|p| s.is_switch(p)))
        };
        let switches = needs.url.len() + needs.env.len();
        let url = needs.url.iter().all(|pair| in_url(pair) || injected(pair));
        let env = needs.env.iter().all(|pair| in_env(pair) || injected(pair));
        if switches > 0 && url && env {
            return None;
        }
        let mut ways: Vec<String> = needs.env.iter().map(|e| format!("set {e}")).collect();
        ways.extend(needs.url.iter().map(|u| format!("add {u} to the URL")));
        ways.extend(needs.code.clone());
        let message = format!("{} behind a pooler in transaction mode: {}", preset.title, needs.why);
        let finding = self.finding(Rule::TransactionMode, urls.first().map_or("", |u| u.0), message, ways.join(", "));
        Some(finding)
    }

    /// Whether shares are carried into pods.
    fn injects(&self) -> bool {
        self.budget.enforcement != Enforcement::Observe
    }

    /// A share that nothing carries into the container.
    fn not_injected(&self) -> Option<Finding> {
        let left_alone = !self.engine.is_kept() && !self.engine.is_sized();
        let missing = self.engine.settings.undelivered.first().filter(|_| self.injects() && left_alone)?;
        let message = format!("{}, so the share is not set there and it runs as it is written", missing.why);
        Some(self.finding(Rule::NotInjected, &missing.variable, message, missing.fix.clone()))
    }

    /// Numbers of the template that the share overrides, or that it keeps.
    fn overridden(&self, limit: Option<u32>) -> Vec<Finding> {
        let Some(limit) = limit.filter(|_| self.injects()) else { return Vec::new() };
        if !self.engine.is_kept() && !self.engine.is_sized() {
            return Vec::new();
        }
        let percent = self.engine.overflow_percent;
        let overflow = u32::try_from(u64::from(limit) * u64::from(percent) / 100).unwrap_or(0);
        let shared = |quantity| match quantity {
            Quantity::Pool => limit - overflow,
            Quantity::Overflow => overflow,
            _ => limit,
        };
        let counted = self.engine.written.set.iter().filter(|s| s.effect == Effect::Counts);
        let findings = counted.filter(|s| self.engine.keep || i64::from(shared(s.quantity)) != s.number).map(|set| {
            let (message, fix) = if self.engine.keep {
                (format!("{} is kept, and counts as it is", set.what), "onConflict: Replace lets the share override it")
            } else {
                let now = shared(set.quantity);
                (format!("{} becomes {now}", set.what), "onConflict: Keep counts with the template's number instead")
            };
            self.finding(Rule::OverriddenValue, &set.name, message, fix.into())
        });
        findings.collect()
    }
}
