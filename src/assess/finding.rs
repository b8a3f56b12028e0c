//! What people should know, and what to do about it.

use std::fmt;

use serde::Serialize;

use crate::api::parse::Name;
use crate::workload::Key;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It may go wrong.
    Warning,
    /// It will go wrong.
    Error,
}

impl Severity {
    /// As in machine output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal, $severity:ident;)*) => {
        /// Every rule that a finding can come from. The text is what `dbbudget.dev/ignore` names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $($(#[doc = $doc])* $name,)* }

        impl Rule {
            /// All rules.
            pub const ALL: &'static [Rule] = &[$(Rule::$name),*];

            /// Its name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Rule::$name => $text,)* }
            }

            /// How bad it usually is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Rule::$name => Severity::$severity,)* }
            }

            /// What it is about, in a sentence.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self { $(Rule::$name => concat!($($doc),*),)* }
            }
        }
    };
}

rules! {
    /// As written, workloads can open more connections than there are.
    Exceeded = "exceeded", Error;
    /// Even the smallest safe pools do not fit.
    Infeasible = "infeasible", Error;
    /// A URL parameter stops the client from connecting at all.
    FatalUrlParameter = "fatal-url-parameter", Error;
    /// A URL parameter looks like a cap and is none.
    UselessUrlParameter = "useless-url-parameter", Warning;
    /// A number means "no limit" to this client.
    ZeroMeansUnlimited = "zero-means-unlimited", Error;
    /// How many processes a container runs is not known.
    WorkersUnknown = "workers-unknown", Warning;
    /// A default follows the CPUs of the node.
    NodeCpuDefault = "node-cpu-default", Warning;
    /// It fits at the replicas written, and not at an autoscaler's maximum.
    HpaMaximum = "hpa-maximum", Error;
    /// A rollout needs room for a surging pod, and there is none.
    RolloutBlocked = "rollout-blocked", Error;
    /// Nothing outside its code sets how much this client opens.
    ClientWithoutKnob = "client-without-knob", Warning;
    /// Two budgets count the same engine.
    SharedEngine = "shared-engine", Error;
    /// Two budgets are about the same database.
    SharedDatabase = "shared-database", Error;
    /// A claim names a workload, or a container of it, that does not exist.
    TargetNotFound = "target-not-found", Error;
    /// A claim draws from a budget that does not let its namespace in.
    NamespaceNotLetIn = "namespace-not-let-in", Error;
    /// A claim names a budget that does not exist.
    BudgetNotFound = "budget-not-found", Error;
    /// Behind a pooler in transaction mode this client needs a switch.
    TransactionMode = "transaction-mode", Warning;
    /// A workload has a database URL and no claim.
    UnclaimedDatabaseUrl = "unclaimed-database-url", Warning;
    /// A number or URL comes from where the template does not show it.
    UnseenValue = "unseen-value", Note;
    /// Runs of a CronJob may overlap without bound.
    CronJobOverlap = "cronjob-overlap", Warning;
    /// A container runs fewer processes than it says, as even the smallest pools would not fit otherwise.
    ProcessesLowered = "processes-lowered", Warning;
    /// A share cannot be carried into its container, which runs as it is written.
    NotInjected = "not-injected", Warning;
    /// A number of the template is overridden by the share.
    OverriddenValue = "overridden-value", Note;
    /// More pods can exist than shares are computed for.
    SizedForFewer = "sized-for-fewer", Warning;
    /// What the database gives is not known.
    CapacityUnknown = "capacity-unknown", Warning;
    /// The database's number is an assumption, not an answer.
    CapacityExpected = "capacity-expected", Note;
    /// Budgets list each other as outside consumers, or one that does not exist.
    OutsideUnresolved = "outside-unresolved", Error;
    /// How many nodes a DaemonSet runs on is not known.
    NodesUnknown = "nodes-unknown", Warning;
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The object that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// A budget.
    Budget(Name),
    /// A claim.
    Claim(Name),
    /// A workload, or an autoscaler.
    Object(Key),
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget(name) => write!(f, "DatabaseBudget {name}"),
            Self::Claim(name) => write!(f, "DatabaseClaim {name}"),
            Self::Object(key) => key.fmt(f),
        }
    }
}

/// One thing that people should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// How bad.
    pub severity: Severity,
    /// The budget it concerns, if it is one's.
    pub budget: Option<Name>,
    /// The object it is about.
    pub about: About,
    /// Where in the object: a JSON pointer.
    pub pointer: String,
    /// What is so.
    pub message: String,
    /// What to do.
    pub fix: String,
}

impl Finding {
    /// A finding of a rule's usual severity.
    pub fn new(
        rule: Rule,
        about: About,
        pointer: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let (pointer, message, fix) = (pointer.into(), said(message.into()), said(fix.into()));
        Self { rule, severity: rule.severity(), budget: None, about, pointer, message, fix }
    }

    /// The same, of another severity.
    #[must_use]
    pub fn at(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// The same, of a budget.
    #[must_use]
    pub fn of(self, budget: &Name) -> Self {
        Self { budget: Some(budget.clone()), ..self }
    }
}

/// A sentence has pieces of manifests in it. It ends up in the status of a budget that others share, and in terminals: as
/// long as one can read, and in characters that one can see.
fn said(text: String) -> String {
    const LONGEST: usize = 600;
    if text.len() <= LONGEST && !text.contains(char::is_control) {
        return text;
    }
    let seen = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = text.chars().take(LONGEST).map(seen).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_as_long_as_one_can_read() {
        let about = || About::Budget(Name::new("shop", "rds"));
        let of = |text: &str| Finding::new(Rule::Exceeded, about(), "", text, text);
        assert_eq!(of(&"x".repeat(600)).message.len(), 600);
        let long = of(&"é".repeat(200_000));
        assert_eq!((long.message.chars().count(), long.fix), (601, format!("{}…", "é".repeat(600))));
        assert_eq!(of("-w is \u{1b}[2J\n").message, "-w is  [2J ");
    }
}
