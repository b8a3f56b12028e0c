//! Files and folders into texts.

use std::io::{self, Read};
use std::path::Path;

use walkdir::WalkDir;

use super::text::{RENDER, Texts};
use super::{InputError, Loaded, Place, Wanted};

/// Larger than any set of manifests that one budget is about.
const MAX_BYTES: u64 = 256 << 20;

/// Reads files, folders (recursively: `.yaml`, `.yml`, `.json`; names that begin with a dot are left out) and `-`,
/// which stands for `stdin`. Returns what could be read, and everything that could not: all mistakes, not the first
/// alone.
pub fn load(paths: &[String], stdin: &mut dyn Read, wanted: Wanted) -> (Loaded, Vec<InputError>) {
    let mut reader = Reader { texts: Texts::new(wanted), found: 0 };
    for (i, path) in paths.iter().enumerate() {
        match path.as_str() {
            "-" if paths[..i].contains(path) => {
                reader.fail(path, "standard input can be read only once".into(), Some("name - once"));
            }
            "-" => reader.read("<stdin>", stdin, true),
            path if Path::new(path).is_dir() => reader.top(path),
            path if is_chart_file(Path::new(path)) => reader.chart(path),
            path => reader.file(path, true),
        }
    }
    reader.texts.done()
}

/// Reads manifests that are at hand as text.
pub fn load_text(label: &str, text: &str, wanted: Wanted) -> (Loaded, Vec<InputError>) {
    let mut texts = Texts::new(wanted);
    texts.read(label, text, true);
    texts.done()
}

struct Reader {
    texts: Texts,
    /// Files of the folder in hand.
    found: usize,
}

impl Reader {
    fn fail(&mut self, file: &str, what: String, fix: Option<&str>) {
        self.fail_at(file, None, what, fix);
    }

    fn fail_at(&mut self, file: &str, place: Option<Place>, what: String, fix: Option<&str>) {
        self.texts.fail(InputError { file: file.into(), place, what, fix: fix.map(Into::into) });
    }

    fn chart(&mut self, path: &str) {
        self.fail(path, "a Helm chart: its templates are no manifests yet".into(), Some(RENDER));
    }

    /// A folder that was asked for by name.
    fn top(&mut self, folder: &str) {
        (self.found, self.texts.loaded.files) = (self.texts.loaded.files, self.texts.loaded.files);
        let mistakes = self.texts.mistakes.len();
        self.folder(folder);
        if self.texts.loaded.files == self.found && self.texts.mistakes.len() == mistakes {
            let what = "no manifests in this folder: no file ends in .yaml, .yml or .json".into();
            self.fail(folder, what, None);
        }
    }

    fn folder(&mut self, folder: &str) {
        let hidden = |e: &walkdir::DirEntry| e.depth() > 0 && e.file_name().to_string_lossy().starts_with('.');
        let mut entries = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) if hidden(&entry) => {
                    if entry.file_type().is_dir() {
                        entries.skip_current_dir();
                    }
                }
                Ok(entry) if entry.file_type().is_dir() => {
                    let chart = entry.path().join("Chart.yaml");
                    if chart.is_file() {
                        self.chart(&chart.display().to_string());
                        entries.skip_current_dir();
                    }
                }
                Ok(entry) if entry.file_type().is_file() && is_manifest(entry.path()) => {
                    self.file(&entry.path().display().to_string(), false);
                }
                Ok(_) => {}
                Err(error) => self.unwalkable(folder, &error),
            }
        }
    }

    fn unwalkable(&mut self, folder: &str, error: &walkdir::Error) {
        let path = error.path().unwrap_or(Path::new(folder));
        let at = path.display().to_string();
        let broken_link = path.is_symlink() && !path.exists();
        if broken_link && !is_manifest(path) {
            return; // not ours to read
        }
        let what = match (error.loop_ancestor(), error.io_error()) {
            (Some(above), _) => format!("a symbolic link that leads back to {}", above.display()),
            _ if broken_link => "a symbolic link that leads nowhere".to_owned(),
            (None, Some(error)) => format!("cannot be read: {}", reason(error)),
            (None, None) => error.to_string(),
        };
        self.fail(&at, what, Some("remove it, or name the files one by one"));
    }

    fn file(&mut self, path: &str, named: bool) {
        match std::fs::File::open(path) {
            Ok(mut file) => self.read(path, &mut file, named),
            Err(error) => self.fail(path, format!("cannot be read: {}", reason(&error)), None),
        }
    }

    fn read(&mut self, label: &str, from: &mut dyn Read, named: bool) {
        let mut bytes = Vec::new();
        if let Err(error) = from.take(MAX_BYTES + 1).read_to_end(&mut bytes) {
            return self.fail(label, format!("cannot be read: {}", reason(&error)), None);
        }
        if bytes.len() as u64 > MAX_BYTES {
            let what = format!("larger than {} MiB", MAX_BYTES >> 20);
            return self.fail(label, what, Some("plan only the files with budgets, claims and workloads"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => self.texts.read(label, &text, named),
            Err(error) => self.no_text(label, error.as_bytes(), error.utf8_error().valid_up_to()),
        }
    }

    fn no_text(&mut self, label: &str, bytes: &[u8], valid: usize) {
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return self.fail(label, "UTF-16 text".into(), Some("save it as UTF-8"));
        }
        let before = String::from_utf8_lossy(&bytes[..valid]);
        let line = before.rsplit('\n').next().unwrap_or_default();
        let at = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        let place = Place { line: at(before.matches('\n').count()), column: at(line.chars().count()) };
        self.fail_at(label, Some(place), format!("no UTF-8 text: byte {:#04x}", bytes[valid]), None);
    }
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
}

fn is_chart_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "Chart.yaml") && path.is_file()
}

/// In words that do not depend on the system.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
