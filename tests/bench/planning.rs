//! How long `dbbudget plan` takes for a repository of manifests: Deployments, an autoscaler for every tenth, and a budget
//! for every hundred of them. An item is one workload.
#![allow(missing_docs, clippy::expect_used, reason = "a program that ends by panicking")]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use clap::Parser;
use dbbudget::cli::{Cli, Command};
use dbbudget::commands::plan;
use divan::Bencher;
use divan::counter::ItemsCount;

const PER_BUDGET: u32 = 100;

fn main() {
    divan::main();
}

fn write_manifests(folder: &Path, team: u32) {
    let mut workloads = String::new();
    let mut claims = String::new();
    for number in 0..PER_BUDGET {
        let name = format!("service-{number}");
        write!(claims, "\n    - {{name: {name}, target: {{kind: Deployment}}, client: sqlalchemy-env}}")
            .expect("memory");
        write!(workloads, include_str!("deployment.yaml"), name = name, team = team).expect("memory");
        if number % 10 == 0 {
            write!(workloads, include_str!("autoscaler.yaml"), name = name, team = team).expect("memory");
        }
    }
    let budget = format!(include_str!("budget.yaml"), team = team, claims = claims);
    fs::write(folder.join(format!("budget-{team}.yaml")), budget).expect("writable");
    fs::write(folder.join(format!("workloads-{team}.yaml")), workloads).expect("writable");
}

#[divan::bench(args = [100, 1_000, 10_000], max_time = 10)]
fn plan_as_json(bencher: Bencher, workloads: u32) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    (0..workloads / PER_BUDGET).for_each(|team| write_manifests(folder.path(), team));
    let path = folder.path().to_str().expect("text");
    let cli = Cli::try_parse_from(["dbbudget", "plan", "-o", "json", "-f", path]).expect("arguments");
    let Command::Plan(args) = cli.command else { unreachable!("it is plan") };
    let run = || {
        let mut out = Vec::new();
        let exit = plan::run(&args, &mut std::io::empty(), &mut out, &mut std::io::sink()).expect("output");
        (exit, out)
    };
    let (exit, out) = run();
    let planned = String::from_utf8_lossy(&out).matches("\"perPod\": ").count();
    assert!(exit == 0 && planned >= workloads as usize, "exit {exit}, {planned} numbers for {workloads} workloads");
    bencher.counter(ItemsCount::new(workloads)).bench_local(run);
}
