//! The deployments of `deploy/examples`, whole, with the client software they name: first without a budget, then with it.
//! Each service is given more work than it may have sessions for, in front of locked tables, so that its pools open all they
//! may; the pooler takes as many as the example's database does, and counts.

use dbbudget::api::DatabaseBudget;

use crate::things::{row, status};

mod ai_dock;
mod astrid;
mod manifests;
mod rag;
mod saas;
mod seen;
mod stack;
mod transaction;

use stack::Stack;

const README: &str = include_str!("../../README.md");

const WORKLOADS: &[&str] = &["Deployment", "Service"];
const BUDGET: &[&str] = &["DatabaseBudget"];

/// What a pod of each workload may open, when that is what a budget's status says and what new pods are born with.
async fn granted<const N: usize>(stack: &Stack<'_>, budget: &str, expected: [(&str, i64); N]) {
    let published = |b: &DatabaseBudget| expected.iter().all(|(name, n)| row(b, name).per_pod == Some(*n));
    stack.world.until(budget, &format!("a pod may open {expected:?}"), published).await;
    stack.world.until_asked().await;
}

/// Waits until what running pods can open is this.
async fn held(stack: &Stack<'_>, budget: &str, expected: i64) {
    let held = |b: &DatabaseBudget| status(b).held == Some(expected);
    stack.world.until(budget, &format!("{expected} are held"), held).await;
}

/// A number that depends on who comes first, or on what a program opens by itself.
fn over(least: usize, number: usize) -> String {
    assert!(number > least, "{number}; expected more than {least}");
    format!("over {least}")
}

/// A row of the README's table, which must be in it where its numbers are settled.
fn in_readme(row: &str) {
    println!("{row}");
    assert!(README.contains(row), "the README says otherwise than: {row}");
}
