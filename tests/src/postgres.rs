//! Throwaway PostgreSQL clusters for tests: one for all tests of a process, and private ones that a test may break.
//! Must not know what is stored in them.
//!
//! A cluster runs under a small shell that reads from a pipe of this process. When the pipe closes, and be it because
//! this process was killed, the shell stops the server and removes its folder.
#![allow(clippy::expect_used, clippy::panic, reason = "only tests and the project's own programs use it")]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

pub mod proxy;

/// How long a server may take to start or to stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often another port is tried when somebody else was faster.
const PORTS_MAX: u32 = 5;

const USER: &str = "giftcard";
const PASSWORD: &str = "only-for-tests-0";

/// Durable as a real one (`fsync` is on), but small. Deadlocks are found soon and a crashed one starts soon, so that
/// tests need not wait.
const SETTINGS: [&str; 11] = [
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "shared_buffers=32MB",
    "max_connections=200",
    "wal_level=minimal",
    "max_wal_senders=0",
    "deadlock_timeout=50ms",
    "recovery_init_sync_method=syncfs",
    "log_min_messages=warning",
    "listen_addresses=127.0.0.1",
];

/// Runs the server and ends with it. A line on its input means that the folder stays; the end of its input, that it is
/// to be removed. A server that has only begun to start does not hear the signal, so it is sent until it is heard.
const SUPERVISOR: &str = r#"
trap '' INT TERM HUP
folder=$1
shift
"$@" >"$folder/log" 2>&1 </dev/null &
server=$!
if read -r line; then keep=1; else keep=0; fi
(while kill -QUIT "$server" 2>/dev/null; do sleep 0.1; done) &
stopper=$!
wait "$server"
kill -KILL "$stopper" 2>/dev/null
if [ "$keep" = 0 ]; then rm -rf "$folder"; fi
"#;

/// A PostgreSQL server with an empty database.
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    as_user: Option<String>,
    settings: Vec<String>,
    running: Option<(Child, ChildStdin)>,
    schemas: AtomicU32,
}

impl Cluster {
    /// The cluster that all tests of this process share. It is gone with the process.
    ///
    /// # Panics
    /// If there are no server programs, or the server does not start.
    #[must_use]
    pub fn start() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::private)
    }

    /// A cluster of one test's own, to be stopped and started at will. It is gone when dropped.
    ///
    /// # Panics
    /// As [`Cluster::start`].
    #[must_use]
    pub fn private() -> Self {
        Self::private_with(&[], &[])
    }

    /// A cluster of one test's own with further files beside its data, by name and text, and further settings.
    ///
    /// # Panics
    /// As [`Cluster::start`].
    #[must_use]
    pub fn private_with(files: &[(&str, &str)], settings: &[&str]) -> Self {
        let as_user = unprivileged_user();
        let folder = new_folder(as_user.as_deref());
        let settings = SETTINGS.iter().chain(settings).map(ToString::to_string).collect();
        let mut cluster = Self { folder, port: 0, as_user, settings, running: None, schemas: AtomicU32::new(0) };
        cluster.initialise();
        for (name, text) in files {
            let file = cluster.data().join(name);
            fs::write(&file, text).expect("a file beside the data");
            // A key that others may read is refused.
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("permissions");
            give_to(&file, cluster.as_user.as_deref());
        }
        cluster.start_again();
        cluster
    }

    /// The port of the server, on the loopback address.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where to connect to, with user and password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_by(self.port)
    }

    /// The same by another port, such as one that leads to the server's.
    #[must_use]
    pub fn url_by(&self, port: u16) -> String {
        Self::url_of(port, "postgres")
    }

    fn url_of(port: u16, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}")
    }

    /// The same by the socket in its folder.
    #[must_use]
    pub fn socket_url(&self) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{USER}:{PASSWORD}@{folder}:{}/postgres", self.port)
    }

    /// Where to connect to, and the name of a schema that nobody else uses and that is not there yet.
    #[must_use]
    pub fn fresh_schema(&self) -> (String, String) {
        let number = self.schemas.fetch_add(1, Ordering::Relaxed);
        (self.url(), format!("test_{number}"))
    }

    /// Copies the database with all its schemas, file by file. Nobody may be connected to it. Returns where the copy is.
    ///
    /// # Panics
    /// If it cannot be copied.
    #[must_use]
    pub fn copy_database(&self, name: &str) -> String {
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE postgres STRATEGY file_copy"));
        Self::url_of(self.port, name)
    }

    /// Runs statements as the owner of everything.
    ///
    /// # Panics
    /// If they fail.
    pub fn execute(&self, statements: &str) {
        let _ = self.query_texts(statements);
    }

    /// Runs statements; the first column of their rows, as text.
    ///
    /// # Panics
    /// If they fail.
    #[must_use]
    pub fn query_texts(&self, statements: &str) -> Vec<String> {
        let url = self.url();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a connection");
            let connection = tokio::spawn(connection);
            let messages =
                client.simple_query(statements).await.unwrap_or_else(|error| panic!("{statements}: {error:?}"));
            drop(client);
            let _ = connection.await;
            let text = |message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_string()),
                _ => None,
            };
            messages.into_iter().filter_map(text).collect()
        })
    }

    /// Ends all connections of stores to a schema, as an administrator would. Returns how many.
    ///
    /// # Panics
    /// If the server cannot be asked.
    pub fn terminate_backends(&self, schema: &str) -> usize {
        let ended = self.query_texts(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'giftcard/{schema}'"
        ));
        ended.len()
    }

    /// Stops the server on the spot, as a crash does; it has to recover when it starts again.
    ///
    /// # Panics
    /// If it does not stop.
    pub fn stop_hard(&mut self) {
        let Some((mut child, mut input)) = self.running.take() else { return };
        input.write_all(b"keep\n").expect("the supervisor listens");
        drop(input);
        child.wait().expect("the supervisor ends");
    }

    /// Starts the server, on the port that it had.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        for _ in 0..PORTS_MAX {
            if self.port == 0 {
                self.port = free_port();
            }
            self.launch();
            if self.wait_until_ready() {
                return;
            }
            self.stop_hard();
            self.port = 0;
        }
        panic!("the server does not start: {}", self.log());
    }

    fn initialise(&self) {
        let password = self.folder.join("password");
        fs::write(&password, PASSWORD).expect("a file for the password");
        give_to(&password, self.as_user.as_deref());
        let output = self
            .command(&program("initdb"))
            .arg("-D")
            .arg(self.data())
            .args(["-U", USER, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg(format!("--pwfile={}", password.display()))
            .output()
            .expect("`initdb` starts");
        assert!(output.status.success(), "`initdb` failed: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn launch(&mut self) {
        // What the last server said is not said by this one.
        let _ = fs::remove_file(self.folder.join("log"));
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", SUPERVISOR, "supervisor"]).arg(&self.folder).arg(program("postgres"));
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        command.arg("-k").arg(&self.folder);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the supervisor starts");
        let input = child.stdin.take().expect("its input is a pipe");
        self.running = Some((child, input));
    }

    /// False if the server ended instead.
    fn wait_until_ready(&self) -> bool {
        let status = self.data().join("postmaster.pid");
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
            // Its eighth line is the state of the server.
            let text = fs::read_to_string(&status).unwrap_or_default();
            let ready = text.lines().nth(7).is_some_and(|line| line.trim() == "ready");
            if ready && std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            if self.log().lines().last().is_some_and(|line| line.ends_with("database system is shut down")) {
                return false;
            }
        }
        false
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The program, run by a user who is not root: the server refuses to be.
    fn command(&self, program: &Path) -> Command {
        let mut command = match &self.as_user {
            None => Command::new(program),
            Some(user) if found_in_path("setpriv").is_some() => {
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={user}"), &format!("--regid={}", group_of(user)), "--clear-groups"]);
                command.arg("--").arg(program);
                command
            }
            Some(user) => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--"]).arg(program);
                command
            }
        };
        command.current_dir(&self.folder).env("LC_ALL", "C").env_remove("PGDATA");
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        match self.running.take() {
            Some((mut child, input)) => {
                drop(input);
                let _ = child.wait();
            }
            None => {
                let _ = fs::remove_dir_all(&self.folder);
            }
        }
    }
}

/// `None` if this process is not root's: then the server runs as its own user.
fn unprivileged_user() -> Option<String> {
    if run_text("id", &["-u"]) != "0" {
        return None;
    }
    let known = |user: &&str| Command::new("id").arg(user).output().is_ok_and(|output| output.status.success());
    let user = ["postgres", "nobody"].into_iter().find(known);
    Some(user.expect("a user `postgres` or `nobody`, since a PostgreSQL server refuses to run as root").to_string())
}

fn group_of(user: &str) -> String {
    run_text("id", &["-g", user])
}

fn run_text(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("`{program}`: {error}"));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

fn new_folder(owner: Option<&str>) -> PathBuf {
    let folder = tempfile::Builder::new().prefix("giftcard-postgres-").tempdir().expect("a folder").keep();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("permissions");
    give_to(&folder, owner);
    folder
}

fn give_to(path: &Path, owner: Option<&str>) {
    let Some(owner) = owner else { return };
    let number = |flag| run_text("id", &[flag, owner]).parse::<u32>().expect("a number");
    std::os::unix::fs::chown(path, Some(number("-u")), Some(number("-g"))).expect("root may give files away");
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A program of the server: from the path, or where Debian puts it, newest first.
fn program(name: &str) -> PathBuf {
    if let Some(path) = found_in_path(name) {
        return path;
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin").join(name))))
        .filter(|(_, path): &(u32, PathBuf)| path.is_file())
        .collect();
    found.sort();
    let newest = found.pop();
    newest.unwrap_or_else(|| panic!("no `{name}` was found; install PostgreSQL (Debian: postgresql)")).1
}

fn found_in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
