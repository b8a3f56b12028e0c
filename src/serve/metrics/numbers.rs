//! What is shown of a budget and of its workloads.

/// Numbers of one budget, in connections. `None`: unknown or unbounded, and no series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetNumbers {
    /// What clients can open at all.
    pub hard: Option<i64>,
    /// hard − reserve − outside.
    pub allocatable: Option<i64>,
    /// All that can be held at the same time.
    pub peak: Option<i64>,
    /// What started, unended pods can hold.
    pub held: Option<i64>,
    /// allocatable − held.
    pub free: Option<i64>,
    /// What waiting pods ask for.
    pub waiting: Option<i64>,
    /// How many pods wait.
    pub waiting_pods: Option<i64>,
    /// The reason of `WithinCapacity`.
    pub fit: &'static str,
}

/// Numbers of one workload, in connections. `None`: unbounded, and no series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkloadNumbers {
    /// Its namespace.
    pub namespace: String,
    /// Name of its row in the budget's status.
    pub name: String,
    /// What all its pods may hold together.
    pub allocated: Option<i64>,
    /// What they would hold as written, at the peak.
    pub wanted: Option<i64>,
    /// What they can hold now.
    pub held: Option<i64>,
}
