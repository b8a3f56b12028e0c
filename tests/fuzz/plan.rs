//! Any bytes as manifests: no panic, an exit status that is documented, JSON that parses, and the same answer twice.
#![no_main]

use dbbudget::commands::input;
use dbbudget::commands::plan::{Args, Format, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let answer = planned(bytes, Format::Json);
    assert_eq!(answer, planned(bytes, Format::Json), "the same input has two answers");
    let (exit, json) = answer;
    assert!(exit <= 2, "exit status {exit}");
    assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok(), "no JSON");
    for format in [Format::Table, Format::Markdown, Format::Sarif, Format::Yaml] {
        assert_eq!(planned(bytes, format).0, exit);
    }
});

/// Exit status and output of `plan -f -`.
fn planned(mut bytes: &[u8], output: Format) -> (u8, Vec<u8>) {
    let input = input::Args { files: vec!["-".into()], namespace: "default".into(), ..input::Args::default() };
    let args = Args { input, output, ..Args::default() };
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let exit = run(&args, &mut bytes, &mut out, &mut errors).expect("a Vec takes everything");
    (exit, out)
}
