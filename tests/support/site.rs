//! A remote site: a database of its own, a role without special rights, plain psql.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use super::slony::{Original, rows};
use super::station::log_name;
use super::{Cluster, Server, Station};

/// Logs that one psql applies.
const TOGETHER: usize = 20;

/// The role that applies everything at a site.
pub const OWNER: &str = "slony";

/// One site, by the name of its node.
pub struct Site<'c> {
    server: &'c Server,
    database: String,
    node: String,
}

impl<'c> Site<'c> {
    /// An empty database for the node. The node's name is part of the database's: tests run side by side.
    pub fn new(cluster: &'c Cluster, node: &str) -> Self {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let server = cluster.server();
        let database = format!("site_{node}_{number}");
        server.create_database(&database);
        let role = format!(
            "do $$ begin create role {OWNER} login nosuperuser; exception when duplicate_object or unique_violation then null; end $$;\n\
             grant create on database \"{database}\" to {OWNER};"
        );
        server.execute("postgres", &role);
        Self { server, database, node: node.to_owned() }
    }

    /// Its database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Its node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Feeds a file to plain psql, as deployed sites do: no option that would make it stop at errors.
    pub fn psql_file(&self, path: &Path) -> Output {
        self.psql_files(&[path.to_owned()])
    }

    fn psql_files(&self, paths: &[PathBuf]) -> Output {
        let mut psql = self.server.psql(&self.database, OWNER);
        // The file may be readable for this user only; psql is run by it too.
        for path in paths {
            psql.arg("-f").arg(path);
        }
        psql.output().expect("run psql")
    }

    /// Applies a file; it must succeed.
    #[track_caller]
    pub fn apply(&self, path: &Path) {
        self.apply_all(&[path.to_owned()]);
    }

    /// Applies files one after the other; each must succeed.
    #[track_caller]
    fn apply_all(&self, paths: &[PathBuf]) {
        let output = self.psql_files(paths);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("ERROR:"), "{paths:?}: {}\n{said}", output.status);
    }

    /// A request: the lines `node`, the given ones and `end`.
    pub fn ask(&self, station: &Station<'_>, lines: &str) {
        station.drop_file(&format!("{}.subscription_series.tgr", self.node), &self.request(lines));
    }

    /// The text of that request.
    pub fn request(&self, lines: &str) -> String {
        format!("node {}\narchive 0\nretention 21\ntapegroup 1\n{lines}\nend\n", self.node)
    }

    /// Waits for the SQL and returns the text of `.sqldone`.
    #[track_caller]
    pub fn await_sql(&self, station: &Station<'_>) -> String {
        station.await_file(&format!("{}.subscription_series.sqldone", self.node))
    }

    /// Applies both SQL files.
    #[track_caller]
    pub fn apply_sql(&self, station: &Station<'_>) {
        for name in ["createns", "subscribe_series"] {
            self.apply(&station.at(&format!("triggers/{}.{name}.sql", self.node)));
        }
    }

    /// Says how it went, waits for `.done` and removes it.
    #[track_caller]
    pub fn answer(&self, station: &Station<'_>, success: bool) -> String {
        self.answer_with(station, &format!("success {success}\n"))
    }

    /// As [`Site::answer`], with these lines behind those of the request.
    #[track_caller]
    pub fn answer_with(&self, station: &Station<'_>, lines: &str) -> String {
        let cfg = station.read(&format!("triggers/{}.subscription_series.cfg", self.node));
        let name = format!("{}.subscription_series.sqlapplied", self.node);
        station.drop_file(&name, &format!("{cfg}{lines}"));
        let done = station.await_file(&format!("{}.subscription_series.done", self.node));
        fs::remove_file(station.at(&format!("triggers/{}.subscription_series.done", self.node)))
            .expect("remove .done");
        done
    }

    /// The whole of a subscription that goes well.
    #[track_caller]
    pub fn subscribe(&self, station: &Station<'_>, lines: &str) -> String {
        self.ask(station, lines);
        let answer = self.await_sql(station);
        assert!(answer.starts_with("cut "), "{answer}\n{}", station.said());
        self.apply_sql(station);
        let done = self.answer(station, true);
        assert!(done.starts_with("success true\n"), "{done}\n{}", station.said());
        answer
    }

    /// The counter of the last log that is applied here.
    pub fn counter(&self) -> u64 {
        let text = self.server.query(&self.database, "select at_counter from _jsoc.sl_archive_tracking");
        text.parse().expect("a counter")
    }

    /// Where a site log lies once it is published for the node.
    pub fn log(&self, station: &Station<'_>, counter: u64) -> PathBuf {
        station.at(&format!("site_logs/{}/{}", self.node, log_name(counter)))
    }

    /// Applies what is published for the node, one log after the other, as long as the next is there.
    #[track_caller]
    pub fn apply_logs(&self, station: &Station<'_>) -> u64 {
        self.apply_logs_until(station, u64::MAX)
    }

    /// As [`Site::apply_logs`], but no log after this one. Returns the last that is applied now.
    #[track_caller]
    pub fn apply_logs_until(&self, station: &Station<'_>, last: u64) -> u64 {
        let mut counter = self.counter();
        loop {
            let next = (counter + 1..=last).take(TOGETHER).map(|counter| self.log(station, counter));
            let paths: Vec<_> = next.take_while(|path| path.exists()).collect();
            if paths.is_empty() {
                return counter;
            }
            self.apply_all(&paths);
            counter += paths.len() as u64;
        }
    }

    /// Everything that is committed at the origin now is split and applied; then the series must equal the original.
    #[track_caller]
    pub fn assert_equal(&self, station: &Station<'_>, series: &[&str]) {
        let cluster = station.cluster();
        cluster.sync();
        self.assert_is(station, &cluster.original(series));
    }

    /// The rows of a series here, in order.
    pub fn rows(&self, series: &str) -> String {
        self.server.query(&self.database, &rows(series))
    }

    /// Applies the logs up to that of the original, waiting for the splitter, and compares.
    #[track_caller]
    pub fn assert_is(&self, station: &Station<'_>, original: &Original) {
        let last = original.counter;
        station.wait_for("the site logs", || (self.apply_logs_until(station, last) >= last).then_some(()));
        assert_eq!(self.counter(), last, "{} has run past the original that it is compared with", self.node);
        for (series, there) in &original.rows {
            let here = self.rows(series);
            assert!(
                here == *there,
                "{series} differs at {} after log {last}:\n{}",
                self.node,
                differing(&here, there)
            );
        }
    }

    /// Runs SQL at the site, as the role that applies everything.
    #[track_caller]
    pub fn execute(&self, sql: &str) {
        self.server.execute_as(&self.database, OWNER, sql);
    }

    /// Runs a query at the site.
    #[track_caller]
    pub fn query(&self, sql: &str) -> String {
        self.server.query(&self.database, sql)
    }
}

/// The first rows that only one side has.
fn differing(here: &str, there: &str) -> String {
    let only = |one: &str, other: &str| -> Vec<String> {
        let known: std::collections::HashSet<_> = other.lines().collect();
        one.lines().filter(|line| !known.contains(line)).take(5).map(str::to_owned).collect()
    };
    format!("only here: {:#?}\nonly there: {:#?}", only(here, there), only(there, here))
}
