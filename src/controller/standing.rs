//! How a budget stands: its sums, and what its conditions say.

use std::collections::BTreeSet;
use std::time::Duration;

use super::conditions::{Said, Truth};
use super::leases::ledgers::Kept;
use super::rows::Row;
use super::scaling::Refused;
use super::sentences::{self, Now};
use crate::api::conditions::{Type, fit, injected, observed, ready};
use crate::api::parse::Budget;
use crate::api::policy::Enforcement;
use crate::assess::{Assessment, Finding, Rule};
use crate::budget::capacity::Capacity;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::fit::{Standing as Verdict, Verdict as Dividing, standing};
use crate::cluster::answers::ProbeError;

/// How this dbbudget was started, as far as it shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mode<'a> {
    /// Whether pods get shares: not with `--mode observe`.
    pub injects: bool,
    /// What keeps the webhook from being asked.
    pub trouble: Option<&'a str>,
    /// Which pods it is never asked about.
    pub left_out: Option<&'a str>,
    /// How long a share has to stay the same before pods are restarted for it.
    pub restart_after: Duration,
    /// Its ledger, where it leases.
    pub kept: Option<&'a Kept>,
    /// What keeps that, or its pods, from being written.
    pub stalled: Option<&'a Said>,
    /// How long everything has to fit before what was scaled down is restored.
    pub restore_after: Duration,
    /// What was refused lately where it was to be scaled down.
    pub refused: Option<&'a Refused>,
}

/// What a budget's conditions are computed from.
pub struct Standing<'a> {
    /// The budget.
    pub budget: &'a Budget,
    /// What fits.
    pub assessment: &'a Assessment,
    /// Its rows.
    pub rows: &'a [Row],
    /// What dbbudget may not read: sentences that name the permission.
    pub forbidden: &'a BTreeSet<String>,
    /// Why the server did not tell its limits.
    pub probe: Option<&'a ProbeError>,
    /// How dbbudget was started.
    pub mode: Mode<'a>,
}

/// The reason for probes that a Secret may not be read for.
const MAY_NOT_READ_SECRET: &str = fit::SECRET_FORBIDDEN;

impl Standing<'_> {
    /// Whether what pods hold is known.
    #[must_use]
    pub fn sees_pods(&self) -> bool {
        self.forbidden.is_empty()
    }

    /// What pods can hold now, of what is allocatable, as far as they may be read.
    #[must_use]
    pub fn held(&self) -> Connections {
        self.held_from(Source::Allocatable)
    }

    fn held_from(&self, source: Source) -> Connections {
        if let Some(kept) = self.mode.kept {
            // What other budgets have is taken from what is allocatable already.
            let capacity = self.assessment.supply.capacity.filter(|_| source == Source::Allocatable);
            let listed = capacity.map_or(Connections::ZERO, |c| c.outside.less(self.budget.numbers_outside()));
            return kept.ledger.held(source).less(kept.ledger.lent().min(listed));
        }
        self.rows.iter().filter(|row| row.source == source).map(|row| row.held).sum()
    }

    /// All conditions.
    #[must_use]
    pub fn conditions(&self) -> Vec<Said> {
        let mut said = vec![self.ready(), self.within_capacity(), self.injected(), self.observed()];
        said.extend(self.mode.stalled.cloned());
        said.extend(self.mode.kept.and_then(Kept::over_committed));
        said.extend(self.mode.kept.and_then(Kept::rollout_blocked).or_else(|| self.rollout_blocked()));
        said.extend(self.mode.kept.and_then(Kept::granted_not_started));
        said.extend(conflicted(self.assessment.findings.iter()));
        said
    }

    fn ready(&self) -> Said {
        if !self.forbidden.is_empty() {
            let text = format!("{}.", sentences::list(self.forbidden.iter().map(String::as_str), "; "));
            return Said::new(Type::Ready, Truth::False, ready::FORBIDDEN, text);
        }
        let there = self.rows.iter().filter(|row| row.exists).count();
        let mut text = vec![match there {
            0 => "The spec was understood; no workload draws from this budget yet.".to_owned(),
            1 => "The spec was understood, and 1 workload counted.".to_owned(),
            n => format!("The spec was understood, and {n} workloads counted."),
        }];
        let absent: Vec<&str> = self.rows.iter().filter(|r| !r.exists).map(|r| r.shown.name.as_str()).collect();
        if !absent.is_empty() {
            text.push(format!("Not found: {}.", sentences::list(absent, ", ")));
        }
        text.extend(sentences::without_effect(self.budget));
        let text = text.join(" ");
        Said::new(Type::Ready, Truth::True, ready::PUBLISHED, text)
    }

    fn injected(&self) -> Said {
        let said = |truth, reason, text: String| Said::new(Type::Injected, truth, reason, text);
        let enforcement = self.budget.enforcement;
        if enforcement == Enforcement::Observe {
            let text = "Enforcement is Observe: pods run as they are written, and are counted so.".into();
            return said(Truth::False, injected::NOT_ASKED, text);
        }
        if !self.mode.injects {
            return said(Truth::False, injected::NOT_ACTIVE, sentences::overruled(enforcement));
        }
        let number = |of: fn(&Row) -> u64| self.rows.iter().map(of).sum::<u64>();
        let (pods, escaped, outdated) = (number(|r| r.pods), number(|r| r.escaped), number(|r| r.outdated));
        let affected = |of: fn(&Row) -> u64| self.rows.iter().filter(move |r| of(r) > 0).map(|r| &r.shown);
        let mut waits = self.mode.kept.map(Kept::waits).unwrap_or_default();
        if let Some(trouble) = self.mode.trouble {
            let text = format!("New pods get no share: {trouble}.{waits}");
            return said(Truth::False, injected::WEBHOOK_UNREACHABLE, text);
        }
        if let Some(left_out) = self.mode.left_out {
            waits = format!(" But {left_out}.{waits}");
        }
        if escaped > 0 {
            let text = sentences::escaped(escaped, pods, self.budget.restart, affected(|r| r.escaped));
            return said(Truth::False, injected::ESCAPED, format!("{text}{waits}"));
        }
        if outdated > 0 {
            let text = sentences::outdated(outdated, pods, self.budget.restart, affected(|r| r.outdated));
            return said(Truth::True, injected::OUTDATED, format!("{text}{waits}"));
        }
        let text = match pods {
            0 => "No pod runs yet; each new one gets its share as it is created.".to_owned(),
            1 => "The one pod that runs has its share.".to_owned(),
            n => format!("All {n} pods that run have their share."),
        };
        // A share may be given, and nothing carry it into a container.
        let written = of_rules(&self.assessment.findings, &[Rule::NotInjected]).next();
        let but = written.map_or(String::new(), |finding| format!(" But {}: {}.", finding.about, finding.message));
        said(Truth::True, injected::ALL_PODS, format!("{text}{but}{waits}"))
    }

    fn now(&self) -> Now {
        Now { injects: self.injects(), closing: self.rows.iter().any(|row| row.closing > 0) }
    }

    /// Whether new pods get shares.
    #[must_use]
    pub fn injects(&self) -> bool {
        self.mode.injects && self.budget.enforcement != Enforcement::Observe
    }

    #[allow(clippy::unused_self)] // reads as its siblings do
    fn observed(&self) -> Said {
        let text = "The database is not watched: held is what running pods can open, not what they have open.";
        Said::new(Type::Observed, Truth::Unknown, observed::NOT_ASKED, text)
    }

    fn within_capacity(&self) -> Said {
        let (assessment, held) = (self.assessment, self.held());
        let Some(capacity) = assessment.supply.capacity else { return self.capacity_unknown() };
        let allocatable = capacity.allocatable();
        let verdict = standing(&assessment.fit, Some(capacity), held, self.budget.thresholds);
        let from_reserve = self.held_from(Source::Reserve);
        let verdict = match verdict {
            Verdict::Infeasible => Verdict::Infeasible,
            _ if from_reserve > capacity.reserve => Verdict::Exceeded,
            verdict => verdict,
        };
        let holding = sentences::held(held, allocatable);
        let (truth, reason, text) = match verdict {
            Verdict::Infeasible => {
                let why = sentences::infeasible(self.budget, assessment, allocatable, self.injects());
                (Truth::False, fit::INFEASIBLE, format!("{why} {holding}"))
            }
            Verdict::Exceeded => (Truth::False, fit::EXCEEDED, self.exceeded(capacity, from_reserve)),
            _ if !self.forbidden.is_empty() => {
                let text = "What is held is not known, because dbbudget may not read all of it: see Ready.".to_owned();
                (Truth::Unknown, fit::CAPACITY_UNKNOWN, text)
            }
            Verdict::DemandUnknown | Verdict::CapacityUnknown => {
                (Truth::Unknown, fit::CAPACITY_UNKNOWN, self.demand_unknown(&holding))
            }
            _ if self.probe.is_some_and(|p| p.reason == MAY_NOT_READ_SECRET) => {
                (Truth::Unknown, fit::SECRET_FORBIDDEN, holding)
            }
            Verdict::Healthy => (Truth::True, fit::HEALTHY, self.fits(&holding, allocatable)),
            Verdict::Warning => (Truth::True, fit::WARNING, self.fits(&holding, allocatable)),
            Verdict::Critical => (Truth::True, fit::CRITICAL, self.fits(&holding, allocatable)),
        };
        let text = match self.probe {
            Some(error) => {
                format!("{text} {}", sentences::counting_with_expected(&error.message, &assessment.supply.source))
            }
            None => text,
        };
        Said::new(Type::WithinCapacity, truth, reason, text)
    }

    fn fits(&self, holding: &str, allocatable: Connections) -> String {
        format!("{holding} {}", sentences::peak(self.budget, self.assessment, allocatable, self.now()))
    }

    fn exceeded(&self, capacity: Capacity, from_reserve: Connections) -> String {
        let (held, allocatable, reserve) = (self.held(), capacity.allocatable(), capacity.reserve);
        let mut text = vec![sentences::held(held, allocatable)];
        if held > allocatable {
            text.push("The database may refuse the next one.".into());
        }
        if from_reserve > reserve {
            text.push(format!("Pods that draw from the reserve can hold {from_reserve}, and it is {reserve}."));
        }
        text.extend(sentences::taken_before(capacity));
        text.extend(sentences::above_their_cap(self.budget, self.assessment));
        text.push(sentences::peak(self.budget, self.assessment, allocatable, self.now()));
        let not_yet = self.rows.iter().any(|row| row.escaped + row.outdated > 0);
        if held > allocatable && not_yet && self.assessment.fit.total.verdict == Dividing::Fits {
            text.push("Way out: replace pods that run without their share, as the condition Injected says.".into());
        }
        text.join(" ")
    }

    fn capacity_unknown(&self) -> Said {
        let reason = match self.probe {
            Some(error) if error.reason == MAY_NOT_READ_SECRET => fit::SECRET_FORBIDDEN,
            _ => fit::CAPACITY_UNKNOWN,
        };
        let outside = of_rules(&self.assessment.findings, &[Rule::OutsideUnresolved]).next();
        let why = match outside {
            Some(finding) => format!("What is left for workloads is not known: {}. {}.", finding.message, finding.fix),
            None => sentences::capacity_unknown(self.budget, self.probe.map(|e| e.message.as_str())),
        };
        let text = format!("{why} Running pods can hold {}.", sentences::connections(self.held()));
        Said::new(Type::WithinCapacity, Truth::Unknown, reason, text)
    }

    /// Who takes nobody knows how much.
    fn demand_unknown(&self, holding: &str) -> String {
        let uncertain = [Rule::WorkersUnknown, Rule::NodeCpuDefault, Rule::NodesUnknown];
        let mut found: Vec<&Finding> = of_rules(&self.assessment.findings, &uncertain).collect();
        if found.is_empty() {
            found.extend(of_rules(&self.assessment.findings, &[Rule::UnseenValue])); // of engines that no share sets
        }
        format!(
            "Not all that workloads can take is known, and what is known would fit. {} {holding}",
            sentences::findings(found)
        )
    }

    fn rollout_blocked(&self) -> Option<Said> {
        if self.budget.enforcement == Enforcement::Observe {
            return None; // nothing is kept for anybody, so nobody can say what a rollout will find
        }
        let blocked: Vec<&Finding> = of_rules(&self.assessment.findings, &[Rule::RolloutBlocked]).collect();
        let first = blocked.first()?;
        let mut text = vec![format!("{}: {}.", first.about, first.message)];
        let others: Vec<String> = blocked.iter().skip(1).map(|f| f.about.to_string()).collect();
        if !others.is_empty() {
            text.push(format!("The same holds for {}.", sentences::list(others.iter().map(String::as_str), ", ")));
        }
        text.push(format!("To let rollouts proceed: {}.", first.fix));
        let text = text.join(" ");
        Some(Said::new(Type::RolloutBlocked, Truth::True, "NoRoom", text))
    }
}

fn of_rules<'a>(findings: &'a [Finding], rules: &'a [Rule]) -> impl Iterator<Item = &'a Finding> {
    findings.iter().filter(|f| rules.contains(&f.rule))
}

/// Whether two budgets are about one engine or one database.
#[must_use]
pub fn conflicted<'a>(findings: impl Iterator<Item = &'a Finding>) -> Option<Said> {
    let found: Vec<&Finding> =
        findings.filter(|f| matches!(f.rule, Rule::SharedEngine | Rule::SharedDatabase)).collect();
    let first = found.first()?;
    let reason = if found.iter().any(|f| f.rule == Rule::SharedDatabase) { "SharedDatabase" } else { "SharedEngine" };
    let messages = sentences::list(found.iter().map(|f| f.message.as_str()), "; ");
    Some(Said::new(Type::Conflicted, Truth::True, reason, format!("{messages}. To end this: {}.", first.fix)))
}
