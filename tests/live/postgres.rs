//! A throwaway PostgreSQL server: `initdb` into a temporary folder, one process, gone with the test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// Of the superuser, and of every role that tests create.
pub const PASSWORD: &str = "hunter2-secret";

/// A server on 127.0.0.1.
pub struct Postgres {
    pub port: u16,
    process: Child,
    _folder: TempDir,
}

impl Postgres {
    /// Starts one with these settings (`name=value`).
    pub fn start(settings: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let data = folder.path().join("data");
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).expect("written");
        give(folder.path());
        give(&password);
        let init = program("initdb")
            .args(["--auth=scram-sha-256", "--username=postgres", "--no-sync", "--locale=C", "--encoding=UTF8"])
            .arg(format!("--pwfile={}", password.display()))
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(init.status.success(), "initdb: {}", String::from_utf8_lossy(&init.stderr));

        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
        let mut command = program("postgres");
        command.arg("-D").arg(&data).arg("-p").arg(port.to_string()).arg("-k").arg(folder.path());
        for setting in ["listen_addresses=127.0.0.1", "fsync=off"].iter().chain(settings) {
            command.args(["-c", setting]);
        }
        let mut process = command.stderr(Stdio::piped()).spawn().expect("postgres runs");
        let mut log = BufReader::new(process.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let mut said = Vec::new();
        loop {
            let Some(line) = log.next() else { panic!("postgres ended before it was ready:\n{}", said.join("\n")) };
            if line.contains("ready to accept connections") {
                break;
            }
            said.push(line);
        }
        std::thread::spawn(move || log.for_each(drop)); // a full pipe would stop the server
        Self { port, process, _folder: folder }
    }

    /// A server that has TLS, with a certificate that nobody trusts.
    pub fn with_tls() -> Self {
        let keys = TempDir::new().expect("a temporary folder");
        let (key, certificate) = (keys.path().join("key.pem"), keys.path().join("certificate.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("openssl runs");
        assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        [keys.path(), &key, &certificate].into_iter().for_each(give);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("set");
        let files = [("ssl_key_file", &key), ("ssl_cert_file", &certificate)];
        let files = files.map(|(name, path)| format!("{name}={}", path.display()));
        Self::start(&["ssl=on", &files[0], &files[1]]) // both are read at the start
    }

    /// URL of a role for a database, with further parameters (`?…`).
    pub fn url(&self, role: &str, database: &str, parameters: &str) -> String {
        format!("postgres://{role}:{PASSWORD}@127.0.0.1:{}/{database}{parameters}", self.port)
    }

    /// A connection, which stays open until it is dropped.
    ///
    /// # Errors
    /// What the server says.
    pub async fn connect(&self, role: &str, database: &str) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&self.url(role, database, ""), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Runs statements as the superuser.
    pub async fn execute(&self, statements: &[&str]) {
        let client = self.connect("postgres", "postgres").await.expect("a connection");
        for statement in statements {
            client.simple_query(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program of the server, which refuses to run as root, and ends with the thread that started it.
fn program(name: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg("--").arg(installed().join(name)).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Where the newest installed server is.
fn installed() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbered = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let newest = numbered.filter(|(_, path)| path.join("bin/postgres").exists()).max();
    let missing = "no PostgreSQL below /usr/lib/postgresql; run: apt-get install -y postgresql";
    newest.unwrap_or_else(|| panic!("{missing}")).1.join("bin")
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// Gives a file to the user that the server runs as.
fn give(path: &Path) {
    if is_root() {
        let entry = Command::new("id").args(["-u", "postgres"]).output().expect("id runs").stdout;
        let id = String::from_utf8_lossy(&entry).trim().parse().expect("the user postgres, which the package creates");
        chown(path, Some(id), None).expect("root may");
    }
}
