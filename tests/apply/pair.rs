//! Two sites that must stay equal: one is fed by plain `psql -f`, the other by our own tool.

use std::io::Cursor;

use subscription_manager::config::DatabaseConfig;
use subscription_manager::db::site::SiteDatabase;
use subscription_manager::model::{ArchiveName, TextStyle};
use subscription_manager::subscriber::{Applied, Applier, Commit, OnDrift};
use subscription_manager::subscription::offline::offline_objects;
use tokio::runtime::Runtime;

use crate::support::Server;
use crate::support::postgres::{expect_success, feed};

pub const OWNER: &str = "slony";

/// The databases, in the order: psql's, ours.
const DATABASES: [&str; 2] = ["psqls", "ours"];

pub struct Pair {
    pub server: Server,
    pub cluster: &'static str,
    runtime: Runtime,
    applier: Applier,
}

impl Pair {
    /// Two databases with the same tables, which belong to a role without rights, and their offline objects at 0.
    pub fn new(cluster: &'static str, tables: &str) -> Self {
        Self::of_encoding(cluster, "UTF8", tables)
    }

    /// The same for an origin of this encoding.
    pub fn of_encoding(cluster: &'static str, encoding: &str, tables: &str) -> Self {
        let server = Server::start();
        server.execute("postgres", &format!("create role {OWNER} login"));
        for database in DATABASES {
            server.create_database(database);
            server.execute(
                database,
                &format!(
                    "grant create on database {database} to {OWNER}; grant all on schema public to {OWNER}"
                ),
            );
        }
        let runtime = Runtime::new().unwrap();
        let applier =
            runtime.block_on(async { Applier::new(connect(&server, cluster).await, OnDrift::Warn) });
        let pair = Self { server, cluster, runtime, applier };
        let tracking = pair.tracking();
        pair.own(&format!(
            "{}\n{tables};\ninsert into {tracking} values (0, now(), now());",
            offline_objects(cluster, &TextStyle::usual(encoding))
        ));
        pair
    }

    fn tracking(&self) -> String {
        format!("\"_{}\".sl_archive_tracking", self.cluster.replace('"', "\"\""))
    }

    /// Runs SQL in both, as the role of the sites.
    #[track_caller]
    pub fn own(&self, sql: &str) {
        for database in DATABASES {
            let mut psql = self.server.psql(database, OWNER);
            psql.args(["-q", "-v", "ON_ERROR_STOP=1"]);
            expect_success(sql, &feed(psql, sql));
        }
    }

    /// The log that comes next in both.
    pub fn next(&self) -> u64 {
        self.counter(1) + 1
    }

    fn counter(&self, which: usize) -> u64 {
        let sql = format!("select at_counter from {}", self.tracking());
        self.server.query(DATABASES[which], &sql).parse().unwrap()
    }

    /// Puts both behind the log before this one.
    pub fn stand_before(&self, counter: u64) {
        self.own(&format!("update {} set at_counter = {}", self.tracking(), counter - 1));
    }

    /// Applies a log in both, which must go well or fail alike and leave the same. Returns what ours says.
    #[track_caller]
    pub fn apply(&mut self, log: &[u8], counter: u64) -> Result<Applied, String> {
        let psqls = self.psql(log);
        let ours = self.ours(log, counter);
        assert_eq!(
            psqls.is_ok(),
            ours.is_ok(),
            "psql: {psqls:?}\nours: {ours:?}\n{}",
            String::from_utf8_lossy(log)
        );
        self.assert_equal(&String::from_utf8_lossy(log));
        ours
    }

    /// The same for one that must go well.
    #[track_caller]
    pub fn applies(&mut self, log: &[u8], counter: u64) -> Applied {
        let applied = self.apply(log, counter).unwrap();
        assert_eq!(self.counter(1), counter);
        applied
    }

    /// `psql -X -f` as a deployed site runs it.
    pub fn psql(&self, log: &[u8]) -> Result<(), String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("site.sql");
        std::fs::write(&file, log).unwrap();
        let mut psql = self.server.psql(DATABASES[0], OWNER);
        let output = psql.arg("-q").arg("-f").arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    }

    /// Our way.
    pub fn ours(&mut self, log: &[u8], counter: u64) -> Result<Applied, String> {
        self.ours_named(log, &format!("slony1_log_2_{counter:020}.sql"))
    }

    pub fn ours_named(&mut self, log: &[u8], name: &str) -> Result<Applied, String> {
        let name: ArchiveName = name.parse().unwrap();
        let applied = self.applier.apply(Cursor::new(log), name, Commit::Now);
        self.runtime.block_on(applied).map_err(|error| error.chain())
    }

    /// A second tool for our database.
    pub fn second(&self, on_drift: OnDrift) -> Applier {
        let database = self.runtime.block_on(connect(&self.server, self.cluster));
        Applier::new(database, on_drift)
    }

    /// From now on ours does this on drift.
    pub fn on_drift(&mut self, on_drift: OnDrift) {
        self.applier = self.second(on_drift);
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Everything in a database, in no order. When a log was applied is left out.
    pub fn state(&self, which: usize) -> Vec<String> {
        let dump = self.server.pg_dump(DATABASES[which], &["--exclude-table-data=*.sl_archive_tracking"]);
        let mut lines: Vec<_> = dump
            .lines()
            .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
            .map(str::to_owned)
            .collect();
        lines.push(self.counter(which).to_string());
        lines.sort_unstable();
        lines
    }

    #[track_caller]
    pub fn assert_equal(&self, what: &str) {
        let [psqls, ours] = [0, 1].map(|which| self.state(which));
        if psqls != ours {
            let only = |one: &[String], other: &[String]| -> Vec<String> {
                one.iter().filter(|line| !other.contains(line)).take(10).cloned().collect()
            };
            panic!(
                "{what}\nthe databases differ\nonly psql's: {:#?}\nonly ours: {:#?}",
                only(&psqls, &ours),
                only(&ours, &psqls)
            );
        }
    }

    /// Asks ours.
    #[track_caller]
    pub fn query(&self, sql: &str) -> String {
        self.server.query(DATABASES[1], sql)
    }
}

async fn connect(server: &Server, cluster: &str) -> SiteDatabase {
    let config = DatabaseConfig {
        host: server.socket_dir().display().to_string(),
        port: server.port(),
        user: OWNER.to_owned(),
        dbname: DATABASES[1].to_owned(),
        ..DatabaseConfig::default()
    };
    SiteDatabase::connect(&config, cluster, "get_slony_logs").await.unwrap()
}
