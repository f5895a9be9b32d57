//! A PostgreSQL server of its own for a test: a new cluster behind a Unix socket, gone with the test.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use super::home::{Home, without_pg_variables};
use super::{programs, wait};

/// The socket lies in a directory of our own, so that no two servers can want the same one.
const PORT: u16 = 5432;

/// From the start of the server to its first answer; it takes a fifth of a second on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server; its superuser is `postgres`, and it believes everybody who reaches the socket.
pub struct Server {
    home: Home,
}

impl Server {
    /// Makes a new cluster and starts it. It listens on a Unix socket only.
    pub fn start() -> Self {
        let home = Home::new();
        // `-N`: nothing of a test survives a power cut anyway.
        let mut initdb = home.command("initdb");
        initdb.args(["-D", "data", "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8", "--locale=C"]);
        expect_success("initdb", &initdb.output().expect("run initdb"));
        let server = Self { home };
        server.launch();
        server
    }

    fn launch(&self) {
        let socket = format!("unix_socket_directories={}", self.socket_dir().display());
        let port = format!("port={PORT}");
        let mut args = vec!["-D", "data"];
        for setting in [
            socket.as_str(),
            port.as_str(),
            "listen_addresses=",
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
            assert!(
                !self.home.has_ended("postgres"),
                "PostgreSQL has ended:\n{}",
                self.home.said("postgres")
            );
            let mut probe = self.psql("postgres", "postgres");
            let answer = probe.args(["-c", "select 1"]).output().expect("run psql");
            answer.status.success().then_some(())
        });
    }

    /// The directory of the socket, for `pg_host` and `PGHOST`; every user may enter it.
    pub fn socket_dir(&self) -> &Path {
        self.home.path()
    }

    /// The number in the socket's name, for `pg_port` and `PGPORT`.
    #[expect(clippy::unused_self, reason = "callers must not know that it is the same for all")]
    pub fn port(&self) -> u16 {
        PORT
    }

    /// Creates an empty database.
    #[track_caller]
    pub fn create_database(&self, name: &str) {
        self.execute("postgres", &format!("create database \"{}\"", name.replace('"', "\"\"")));
    }

    /// Runs SQL as the superuser; panics with psql's words on the first error.
    #[track_caller]
    pub fn execute(&self, database: &str, sql: &str) {
        let mut psql = self.psql(database, "postgres");
        psql.args(["-q", "-v", "ON_ERROR_STOP=1"]);
        expect_success(sql, &feed(psql, sql));
    }

    /// Runs SQL as the superuser and returns what it prints, unaligned, without headers and trimmed; panics on an
    /// error.
    #[track_caller]
    pub fn query(&self, database: &str, sql: &str) -> String {
        let mut psql = self.psql(database, "postgres");
        psql.args(["-Atq", "-v", "ON_ERROR_STOP=1"]);
        let output = feed(psql, sql);
        expect_success(sql, &output);
        String::from_utf8(output.stdout).expect("psql prints UTF-8").trim().to_owned()
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
            .env("PGPORT", PORT.to_string())
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
