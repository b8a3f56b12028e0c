//! Types and reasons of conditions. Each reason is what people, alerts and tests see, so it is spelt once, here.

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    /// The spec was understood and shares are published. Says nothing about fit.
    Ready,
    /// Whether everything fits.
    WithinCapacity,
    /// Whether pods carry the shares they were given.
    Injected,
    /// Whether the database itself is being watched.
    Observed,
    /// Work is under way. Transient.
    Reconciling,
    /// Nothing will move without someone's help. Transient.
    Stalled,
    /// The ledger is above allocatable; nothing new is granted. Transient.
    OverCommitted,
    /// A rollout cannot proceed. Transient.
    RolloutBlocked,
    /// A granted pod has not started. Transient.
    GrantedNotStarted,
    /// Replicas were reduced. Transient.
    ScaledDown,
    /// Someone undid a reduction twice. Transient.
    Contested,
    /// Two budgets claim one database, or one engine. Transient.
    Conflicted,
}

/// Conditions that every budget and claim always has, `Unknown` at first.
pub const PERMANENT: [Type; 4] = [Type::Ready, Type::WithinCapacity, Type::Injected, Type::Observed];

impl Type {
    /// As in `conditions[].type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::WithinCapacity => "WithinCapacity",
            Self::Injected => "Injected",
            Self::Observed => "Observed",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::OverCommitted => "OverCommitted",
            Self::RolloutBlocked => "RolloutBlocked",
            Self::GrantedNotStarted => "GrantedNotStarted",
            Self::ScaledDown => "ScaledDown",
            Self::Contested => "Contested",
            Self::Conflicted => "Conflicted",
        }
    }
}

/// Reasons of `Ready`, of budgets and of claims.
pub mod ready {
    /// The spec was understood and shares are published.
    pub const PUBLISHED: &str = "Published";
    /// The spec contradicts itself or names what does not exist.
    pub const INVALID: &str = "Invalid";
    /// dbbudget may not read something it needs; the message names the permission.
    pub const FORBIDDEN: &str = "Forbidden";
    /// The claim's budget does not exist.
    pub const BUDGET_NOT_FOUND: &str = "BudgetNotFound";
    /// The claim's budget does not let its namespace in.
    pub const NAMESPACE_NOT_LET_IN: &str = "NamespaceNotLetIn";
    /// The workload does not exist (yet).
    pub const TARGET_NOT_FOUND: &str = "TargetNotFound";
    /// The budget or claim waits for its first look.
    pub const PENDING: &str = "Pending";
}

/// Reasons of `WithinCapacity`.
pub mod fit {
    /// Below the warning threshold.
    pub const HEALTHY: &str = "Healthy";
    /// At or above the warning threshold.
    pub const WARNING: &str = "Warning";
    /// At or above the critical threshold.
    pub const CRITICAL: &str = "Critical";
    /// More is held, or in Observe wanted, than there is.
    pub const EXCEEDED: &str = "Exceeded";
    /// Even the minimums do not fit.
    pub const INFEASIBLE: &str = "Infeasible";
    /// What the database gives, or what a workload takes, is not known.
    pub const CAPACITY_UNKNOWN: &str = "CapacityUnknown";
    /// The named Secret may not be read.
    pub const SECRET_FORBIDDEN: &str = "SecretForbidden";
}

/// Reasons of `Injected`.
pub mod injected {
    /// Every pod carries its share.
    pub const ALL_PODS: &str = "AllPods";
    /// Some pods carry an earlier share.
    pub const OUTDATED: &str = "Outdated";
    /// Some pods started without one.
    pub const ESCAPED: &str = "Escaped";
    /// The API server does not reach the webhook.
    pub const WEBHOOK_UNREACHABLE: &str = "WebhookUnreachable";
    /// Nothing is injected: enforcement Observe.
    pub const NOT_ASKED: &str = "NotAsked";
    /// dbbudget runs with `--mode observe`.
    pub const NOT_ACTIVE: &str = "NotActive";
}

/// Reasons of `Stalled`.
pub mod stalled {
    /// The ledger cannot be read or written.
    pub const LEDGER_FAILED: &str = "LedgerFailed";
    /// Pods cannot be let go.
    pub const PODS_FAILED: &str = "PodsFailed";
}

/// Reasons of `ScaledDown`.
pub mod scaled_down {
    /// Numbers are lowered, and restored when they fit again.
    pub const REDUCED: &str = "Reduced";
}

/// Reasons of `Contested`.
pub mod contested {
    /// Somebody else set a number back twice.
    pub const UNDONE_TWICE: &str = "UndoneTwice";
}

/// Reasons of `Observed`.
pub mod observed {
    /// Nobody asked to watch the database.
    pub const NOT_ASKED: &str = "NotAsked";
}
