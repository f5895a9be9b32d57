//! A PostgreSQL server of its own for a test: a new cluster behind a Unix socket, gone with the test.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use super::home::{Home, without_pg_variables};
use super::pen::Pens;
use super::sshd::free_port;
use super::{programs, wait};

/// The socket lies in a directory of our own, so that no two servers can want the same one.
const PORT: u16 = 5432;

/// From the start of the server to its first answer; it takes a fifth of a second on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How often a TCP port is tried that somebody else may take before the server does.
const TRIES: usize = 20;

/// A running server; its superuser is `postgres`, and it believes everybody who reaches the socket.
pub struct Server {
    home: Home,
    port: u16,
    listens: bool,
    pens: Pens,
}

/// How a server is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Its sessions are ended, what they were doing is rolled back.
    Fast,
    /// Like a crash: everything recovers at the next start.
    Immediate,
}

impl Server {
    /// Makes a new cluster and starts it. It listens on a Unix socket only.
    pub fn start() -> Self {
        let server = Self::create();
        assert!(server.launch(), "PostgreSQL has ended:\n{}", server.home.said("postgres"));
        server
    }

    /// The same, and it listens on a port of 127.0.0.1 too.
    pub fn listening() -> Self {
        let mut server = Self { listens: true, ..Self::create() };
        for _ in 0..TRIES {
            server.port = free_port();
            if server.launch() {
                return server;
            }
        }
        panic!("PostgreSQL does not start:\n{}", server.home.said("postgres"));
    }

    /// A standby that replicates another server. It is made, and does not run.
    pub fn standby_of(primary: &Self) -> Self {
        let standby = Self { home: Home::new(), port: PORT, listens: false, pens: Pens::default() };
        standby.copy(primary);
        standby
    }

    /// Makes a server that does not run a standby of another one, whatever it was before.
    pub fn copy_anew(&self, primary: &Self) {
        fs::remove_dir_all(self.home.path().join("data")).expect("remove a database");
        self.copy(primary);
    }

    fn copy(&self, primary: &Self) {
        let (host, port) = (primary.socket_dir().display().to_string(), primary.port.to_string());
        let place = ["-h", &host, "-p", &port, "-U", "postgres"];
        let how = ["-D", "data", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"];
        // Its name says how it is stopped: like `initdb`.
        self.home.run("initdb", "pg_basebackup", &[&place[..], &how[..]].concat());
    }

    /// Lets a standby that runs follow another server.
    pub fn follow(&self, primary: &Self) {
        let (host, port) = (primary.socket_dir().display(), primary.port);
        let conninfo = format!("host={host} port={port} user=postgres");
        self.execute("postgres", &format!("alter system set primary_conninfo = '{conninfo}'"));
        self.execute("postgres", "select pg_reload_conf()");
    }

    /// Makes a standby a primary.
    pub fn promote(&self) {
        assert_eq!(self.query("postgres", "select pg_promote()"), "t");
    }

    fn create() -> Self {
        let home = Home::new();
        // `-N`: nothing of a test survives a power cut anyway.
        let args = ["-D", "data", "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8", "--locale=C"];
        home.run("initdb", "initdb", &args);
        Self { home, port: PORT, listens: false, pens: Pens::default() }
    }

    /// Kills the server without a word: SIGKILL for the postmaster, whose children notice it and go.
    pub fn kill(&self) {
        self.home.kill("postgres");
    }

    /// Ends the server, and waits until it has ended.
    pub fn shut_down(&self, how: Shutdown) {
        let signal = match how {
            Shutdown::Fast => "INT",
            Shutdown::Immediate => "QUIT",
        };
        self.home.end_by("postgres", signal);
    }

    /// Starts a server that was killed or shut down. One that was killed may have left children that still hold its
    /// memory: then it is tried again.
    pub fn start_again(&self) {
        let up = || self.launch().then_some(());
        wait::within(START_LIMIT, up)
            .unwrap_or_else(|| panic!("PostgreSQL does not start again:\n{}", self.said()));
    }

    /// Whether it takes commands.
    pub fn answers(&self) -> bool {
        self.try_query("postgres", "select 1").is_some()
    }

    /// Whether it answers; if not, it has ended.
    fn launch(&self) -> bool {
        let socket = format!("unix_socket_directories={}", self.socket_dir().display());
        let port = format!("port={}", self.port);
        let addresses = if self.listens { "listen_addresses=127.0.0.1" } else { "listen_addresses=" };
        let mut args = vec!["-D", "data"];
        for setting in [
            socket.as_str(),
            port.as_str(),
            addresses,
            "max_connections=200",
            "fsync=off",
            "full_page_writes=off",
            "timezone=UTC",
            // Segments in `/dev/shm` would survive a server that had to be killed.
            "dynamic_shared_memory_type=mmap",
        ] {
            args.extend(["-c", setting]);
        }
        self.home.start("postgres", "postgres", &args);
        wait::until("PostgreSQL to answer", START_LIMIT, || {
            if self.home.has_ended("postgres") {
                self.home.kill("postgres");
                return Some(false);
            }
            self.answers().then_some(true)
        })
    }

    /// The directory of the socket, for `pg_host` and `PGHOST`; every user may enter it.
    pub fn socket_dir(&self) -> &Path {
        self.home.path()
    }

    /// The number in the socket's name, for `pg_port` and `PGPORT`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the server logged.
    pub fn said(&self) -> String {
        self.home.said("postgres")
    }

    /// Creates an empty database.
    #[track_caller]
    pub fn create_database(&self, name: &str) {
        self.execute("postgres", &format!("create database \"{}\"", name.replace('"', "\"\"")));
    }

    /// Runs SQL as the superuser; panics with psql's words on the first error.
    #[track_caller]
    pub fn execute(&self, database: &str, sql: &str) {
        self.execute_as(database, "postgres", sql);
    }

    /// As [`Server::execute`], as another user.
    #[track_caller]
    pub fn execute_as(&self, database: &str, user: &str, sql: &str) {
        self.run(database, user, sql).unwrap_or_else(|words| panic!("{sql}\n{words}"));
    }

    /// Runs SQL as the superuser and returns what it prints, unaligned, without headers and trimmed; panics on an
    /// error.
    #[track_caller]
    pub fn query(&self, database: &str, sql: &str) -> String {
        let printed = self.run(database, "postgres", sql).unwrap_or_else(|words| panic!("{sql}\n{words}"));
        printed.trim().to_owned()
    }

    /// As [`Server::query`], for a server that may be away or a statement that may fail: then there is no answer.
    pub fn try_query(&self, database: &str, sql: &str) -> Option<String> {
        let printed = self.run(database, "postgres", sql).ok()?;
        Some(printed.trim().to_owned())
    }

    fn run(&self, database: &str, user: &str, sql: &str) -> Result<String, String> {
        self.pens.run((database, user), || self.psql(database, user), sql)
    }

    /// `psql -X` on the database as the user, to which arguments can be added.
    pub fn psql(&self, database: &str, user: &str) -> Command {
        let mut psql = self.client("psql", database, user);
        psql.arg("-X");
        psql
    }

    /// What `pg_dump` prints about the database with these arguments.
    #[track_caller]
    pub fn pg_dump(&self, database: &str, args: &[&str]) -> String {
        let output = self.client("pg_dump", database, "postgres").args(args).output().expect("run pg_dump");
        expect_success("pg_dump", &output);
        String::from_utf8(output.stdout).expect("pg_dump prints UTF-8")
    }

    /// The place where the server lives, for those who add daemons to it.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// A program of PostgreSQL, which finds the database by its environment.
    fn client(&self, program: &str, database: &str, user: &str) -> Command {
        let mut command = Command::new(programs::find(program));
        without_pg_variables(&mut command)
            .env("PGHOST", self.socket_dir())
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", user)
            .env("PGDATABASE", database)
            // Test data is UTF-8, whatever the caller's locale is.
            .env("PGCLIENTENCODING", "UTF8");
        command
    }
}

/// Runs the command with the text on its standard input.
pub fn feed(mut command: Command, text: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("start a program");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    // From a second thread: with both pipes full, each side would wait for the other.
    thread::scope(|scope| {
        // A program that stops at an error reads no further; its status tells.
        scope.spawn(move || stdin.write_all(text.as_bytes()));
        child.wait_with_output().expect("wait for a program")
    })
}

/// Panics with what the program said, unless it succeeded.
#[track_caller]
pub fn expect_success(what: &str, output: &Output) {
    assert!(
        output.status.success(),
        "{what}\n{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
