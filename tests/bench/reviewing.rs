//! How long the webhook takes for a new pod, from the bytes of the API server's question to those of the answer: the
//! transport is left out. `allowed_as_it_is` is the floor: what any webhook on these libraries takes to let a pod through.
//! An item is a review.
#![allow(missing_docs, clippy::expect_used, reason = "a program that ends by panicking")]

mod team;

use dbbudget::admission::review::{self, Outcome, Review};
use dbbudget::cluster::view::{View, item};
use divan::Bencher;
use divan::counter::ItemsCount;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse};
use team::{budget, question};

fn main() {
    divan::main();
}

/// One review, from bytes to bytes.
fn answered(view: &View, bytes: &[u8]) -> (Vec<u8>, Outcome) {
    let review: Review = serde_json::from_slice(bytes).expect("a review");
    let (answer, outcome) = review::pod(review, |draws| draws(view));
    (serde_json::to_vec(&answer).expect("JSON"), outcome)
}

fn measure(bencher: Bencher, budgets: u32, team: u32, expected: Outcome) {
    let mut view = View::default();
    for team in 0..budgets {
        view.apply(item::budget(budget(team)));
    }
    let bytes = question(team);
    assert_eq!(answered(&view, &bytes).1, expected);
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| answered(&view, &bytes));
}

#[divan::bench]
fn allowed_as_it_is(bencher: Bencher) {
    let bytes = question(0);
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        let review: Review = serde_json::from_slice(&bytes).expect("a review");
        let request: AdmissionRequest<DynamicObject> = review.try_into().expect("a request");
        serde_json::to_vec(&AdmissionResponse::from(&request).into_review())
    });
}

#[divan::bench(args = [1, 100, 1_000, 10_000])]
fn given_its_share(bencher: Bencher, budgets: u32) {
    measure(bencher, budgets, budgets / 2, Outcome::Injected);
}

#[divan::bench(args = [1_000])]
fn of_nobody(bencher: Bencher, budgets: u32) {
    measure(bencher, budgets, budgets, Outcome::Untouched);
}
