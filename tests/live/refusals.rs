//! What the API server refuses, and the sentence that a person reads. Each file of `tests/refusals` begins with a part
//! of it; those in `tests/refusals/accepted` are what one might fear to be refused, and is not.

use std::fs;
use std::path::{Path, PathBuf};

use kube::api::{DynamicObject, PostParams};

use crate::cluster::Cluster;
use crate::world::{World, documents};

fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let entries = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("text"))).collect()
}

async fn create(world: &World<'_>, object: &DynamicObject) -> Result<DynamicObject, kube::Error> {
    let params = PostParams { dry_run: true, ..PostParams::default() };
    world.api_of(object).await.create(&params, object).await
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_a_sentence() {
    let world = World::new("refusals").await;
    let (files, mut wrong) = (files("refusals"), Vec::new());
    assert!(files.len() > 100, "only {} refusals found", files.len());
    for (path, text) in &files {
        let name = path.file_name().expect("a name").to_string_lossy();
        let expected = text.lines().next().and_then(|line| line.strip_prefix("# refused: "));
        let Some(expected) = expected else {
            wrong.push(format!("{name} does not begin with `# refused: `"));
            continue;
        };
        for object in documents(text) {
            match create(&world, &object).await {
                Ok(_) => wrong.push(format!("{name}: accepted; expected: {expected}")),
                Err(error) if error.to_string().contains(expected) => {}
                Err(error) => wrong.push(format!("{name}: expected: {expected}\n  found: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}

#[tokio::test]
async fn what_can_be_meant_is_accepted() {
    let world = World::new("accepted").await;
    let files = files("refusals/accepted");
    assert!(files.len() > 20, "only {} files found", files.len());
    let mut wrong = Vec::new();
    for (path, text) in &files {
        for object in documents(text) {
            if let Err(error) = create(&world, &object).await {
                wrong.push(format!("{}: {error}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "refused:\n{}", wrong.join("\n"));
}

#[test]
fn the_definitions_are_accepted_without_a_warning() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let replace = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", &folder.to_string_lossy()];
    let (out, warnings) = Cluster::shared().kubectl(&replace).expect("accepted");
    assert_eq!(warnings, "", "{out}");
    assert_eq!(out.lines().count(), 3, "{out}");
}
