//! The three objects, as Kubernetes stores them: spec, status, and the rules that the API server checks.
//!
//! These types say what may be *written*. What the rest of the program works on is parsed from them, once.

#![allow(clippy::doc_markdown)] // Comments on fields are the schema's descriptions; `kubectl explain` prints them as they are.
#![allow(clippy::duplicated_attributes)] // Columns of one type look like duplicates to clippy.

pub mod budget;
pub mod capacity;
mod check;
pub mod claim;
pub mod conditions;
pub mod container;
mod definitions;
pub mod house;
pub mod inject;
mod law;
pub mod ledger;
pub mod parse;
pub mod policy;
pub mod reserved;
mod rules;
pub mod sharing;
pub mod status;
pub mod target;
pub mod workload;

pub use budget::{DatabaseBudget, DatabaseBudgetSpec};
pub use check::check;
pub use claim::{DatabaseClaim, DatabaseClaimSpec};
pub use definitions::definitions;
pub use ledger::{DatabaseLedger, DatabaseLedgerSpec};

/// API group of the three kinds.
pub const GROUP: &str = "dbbudget.dev";
/// Their only version.
pub const VERSION: &str = "v1alpha1";

/// What the name of a namespace, budget, engine or preset looks like.
const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// What the name of an environment variable looks like.
const IDENTIFIER: &str = "^[A-Za-z_][A-Za-z0-9_]*$";
/// The annotation that silences findings: rule names, separated by commas.
pub const IGNORE: &str = "dbbudget.dev/ignore";
