//! A site with its tools.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::cluster;
use crate::support::home::without_pg_variables;
use crate::support::{Site, Station};

/// The program under test.
pub(crate) const SUBSCRIBE: &str = env!("CARGO_BIN_EXE_subscribe_series");

/// A site, its configuration and its working directory.
pub(crate) struct Client<'s> {
    pub(crate) station: &'s Station<'static>,
    pub(crate) site: Site<'static>,
    directory: tempfile::TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl<'s> Client<'s> {
    /// With a database that is empty; `settings` are further lines of the configuration.
    pub(crate) fn new(station: &'s Station<'static>, node: &str, settings: &str) -> Self {
        let directory = tempfile::tempdir().expect("make a directory");
        let client = Self { station, site: Site::new(cluster(), node), directory };
        fs::create_dir(client.at("bin")).expect("make a directory");
        client.configure(settings);
        client
    }

    /// Writes the configuration anew.
    pub(crate) fn configure(&self, settings: &str) {
        let server = cluster().server();
        let text = format!(
            "node {}\nwebdb_dir {}\nrmt_slony_dir={}\npg_host {}\npg_port {}\npg_dbname {}\ningestion_path {}\n\
             archive 0\nretention 21\ntapegroup 1\nattempts 12\n{settings}\n",
            self.site.node(),
            self.station.at("triggers").display(),
            self.station.at("site_logs").display(),
            server.socket_dir().display(),
            server.port(),
            self.site.database(),
            self.at("bin").display(),
        );
        // A setting takes the place of the usual one with its key.
        let key = |line: &str| line.split([' ', '=']).next().unwrap_or_default().to_owned();
        let mut lines: BTreeMap<String, &str> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            lines.insert(key(line), line);
        }
        let text: String = lines.values().map(|line| format!("{line}\n")).collect();
        fs::write(self.at("site.cfg"), text).expect("write the configuration");
    }

    /// A path below the client's directory.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// A path below the working directory.
    pub(crate) fn work(&self, path: &str) -> PathBuf {
        self.at("bin").join(self.site.node()).join(path)
    }

    /// Writes the list.
    pub(crate) fn list(&self, text: &str) -> PathBuf {
        let path = self.at("list.cfg");
        fs::write(&path, text).expect("write the list");
        path
    }

    /// The program with the configuration, and `args` behind.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(SUBSCRIBE);
        command.arg(self.at("site.cfg")).args(args).stdin(Stdio::null());
        without_pg_variables(&mut command);
        command
    }

    /// Runs it with a list, and `args` behind.
    pub(crate) fn subscribe(&self, list: &str, args: &[&str]) -> Run {
        let list = self.list(list);
        let list = list.to_str().expect("a plain path");
        Run::of(self.command(&[&[list], args].concat()).output().expect("run subscribe_series"))
    }

    /// Runs it without a list.
    pub(crate) fn go_on(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).output().expect("run subscribe_series"))
    }

    /// What `status` prints.
    #[track_caller]
    pub(crate) fn status(&self) -> String {
        let mut command = Command::new(SUBSCRIBE);
        command.arg("status").arg(self.at("site.cfg")).stdin(Stdio::null());
        let run = Run::of(without_pg_variables(&mut command).output().expect("run subscribe_series"));
        run.is(0, "", self);
        run.stdout
    }

    /// Runs it with a list; it must succeed, and leave nothing behind.
    #[track_caller]
    pub(crate) fn subscribed(&self, list: &str, args: &[&str]) -> Run {
        let run = self.subscribe(list, args);
        run.is(0, "", self);
        self.is_at_rest();
        run
    }

    /// Nothing of a request is left, and ingestion is not stopped.
    #[track_caller]
    pub(crate) fn is_at_rest(&self) {
        let known = ["ingest.lock", "logs", "slony_node", "subscribe_series.lock"];
        let names = self.names();
        assert!(names.iter().all(|name| known.contains(&name.as_str())), "{names:?}");
        let bin: Vec<_> = fs::read_dir(self.at("bin")).expect("read a directory").collect();
        assert!(!self.die_file().exists() && bin.len() == 1, "{bin:?}");
    }

    /// The names in the working directory.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.work(""))
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("read a directory").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn die_file(&self) -> PathBuf {
        self.at("bin").join(format!("get_slony_logs.{}.die", self.site.node()))
    }

    /// The names in the drop directory that are this node's.
    pub(crate) fn triggers(&self) -> Vec<String> {
        let begins = format!("{}.", self.site.node());
        let mut names: Vec<String> = fs::read_dir(self.station.at("triggers"))
            .expect("read a directory")
            .map(|entry| entry.expect("read a directory").file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with(&begins))
            .collect();
        names.sort_unstable();
        names
    }

    /// The tables at the site, without those of the cluster's schema.
    pub(crate) fn tables(&self) -> String {
        self.site.query(
            "select string_agg(schemaname || '.' || tablename, ' ' order by 1) from (select schemaname, tablename from \
             pg_tables where schemaname not in ('pg_catalog', 'information_schema', '_jsoc') order by 1, 2) t",
        )
    }
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Asserts status and a part of what was said.
    #[track_caller]
    pub(crate) fn is(&self, status: i32, says: &str, client: &Client<'_>) {
        assert!(
            self.status == Some(status) && self.stderr.contains(says),
            "expected {status} and `{says}`: {:?}\n{}\n{}\nthe manager:\n{}",
            self.status,
            self.stdout,
            self.stderr,
            client.station.said().lines().rev().take(30).collect::<Vec<_>>().join("\n")
        );
    }
}
