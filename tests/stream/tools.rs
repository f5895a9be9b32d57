//! The `slony` dialect in the hands of Slony-I's own tools: sites made by `slony1_dump.sh`, fed by psql and by
//! `slony_logshipper`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::home::without_pg_variables;
use crate::support::postgres::{expect_success, feed};
use crate::support::slony::{ARCHIVER, CLUSTER, rows};
use crate::support::station::log_name;
use crate::support::{Station, programs};
use crate::{alone, change, cluster};

/// Where Debian keeps it.
const DUMP: &str = "/usr/share/doc/slony1-2-bin/examples/slony1_dump.sh";

pub(crate) const SERIES: [&str; 2] = ["tools.a", "tools.b"];

/// A site that `slony1_dump.sh` has set up: a database of its superuser, entered in the registry by hand.
pub(crate) struct OldSite<'s> {
    station: &'s Station<'s>,
    database: String,
}

impl<'s> OldSite<'s> {
    /// Registers the node `old` with its list, starts the manager, and then dumps: in this order nothing is missing.
    fn new(station: &'s Station<'s>, name: &str) -> Self {
        fs::create_dir(station.at("site_logs/old")).expect("create a directory");
        fs::write(station.at("etc/old.lst"), SERIES.map(|name| format!("{name}\n")).concat())
            .expect("write a list");
        let registry =
            format!("{}\t{}\n", station.at("site_logs/old").display(), station.at("etc/old.lst").display());
        fs::write(station.at("etc/slon_parser.cfg"), registry).expect("write a registry");
        station.start();
        Self::dumped(station, name)
    }

    /// The database alone, for a node that is registered already and whose logs are being written.
    pub(crate) fn dumped(station: &'s Station<'s>, name: &str) -> Self {
        let site = Self { station, database: format!("old_{name}") };
        let server = cluster().server();
        server.create_database(&site.database);
        // The structure without Slony-I's triggers, as its documentation asks for.
        let structure = server.pg_dump(ARCHIVER, &["--schema-only", "--exclude-schema=_jsoc"]);
        let structure: Vec<_> = structure.lines().filter(|line| !line.contains(" TRIGGER ")).collect();
        server.execute(&site.database, &structure.join("\n"));
        server.execute(&site.database, &dump());
        site
    }

    fn query(&self, sql: &str) -> String {
        cluster().server().query(&self.database, sql)
    }

    pub(crate) fn counter(&self) -> u64 {
        self.query("select at_counter from _jsoc.sl_archive_tracking").parse().expect("a counter")
    }

    pub(crate) fn log(&self, counter: u64) -> PathBuf {
        self.station.at(&format!("site_logs/old/{}", log_name(counter)))
    }

    /// Feeds a file to psql, told to stop at the first error.
    pub(crate) fn psql(&self, path: &Path) -> Output {
        let mut psql = cluster().server().psql(&self.database, "postgres");
        psql.args(["-v", "ON_ERROR_STOP=1", "-f"]).arg(path).output().expect("run psql")
    }

    /// Applies every log up to that of the original, and compares.
    #[track_caller]
    pub(crate) fn assert_equal_by_psql(&self) {
        let original = self.await_logs();
        while self.counter() < original {
            let log = self.log(self.counter() + 1);
            expect_success(&log.display().to_string(), &self.psql(&log));
        }
        self.compare(original);
    }

    /// Waits until everything that is committed is split; returns the last counter.
    #[track_caller]
    fn await_logs(&self) -> u64 {
        cluster().sync();
        let original = cluster().original(&SERIES).counter;
        self.station.wait_for("the site logs", || self.log(original).exists().then_some(()));
        original
    }

    /// Nobody writes: what the archiver has now, it had at the counter.
    #[track_caller]
    pub(crate) fn compare(&self, counter: u64) {
        assert!(self.counter() >= counter, "{} < {counter}", self.counter());
        for series in SERIES {
            let there = cluster().server().query(ARCHIVER, &rows(series));
            assert_eq!(self.query(&rows(series)), there, "{series}");
        }
        let sequence = "select last_value from tools.a_seq";
        assert_eq!(self.query(sequence), cluster().server().query(ARCHIVER, sequence));
    }

    /// Runs `slony_logshipper` until it has applied what is there.
    #[track_caller]
    fn ship(&self) -> String {
        let server = cluster().server();
        let config = server.socket_dir().join(format!("{}.conf", self.database));
        let text = format!(
            "logfile = '{home}/{name}.log';\ncluster name = '{CLUSTER}';\narchive dir = '{archives}';\n\
             destination database = 'host={home} port={port} dbname={name} user=postgres';\n\
             max archives = 100000;\n",
            home = server.socket_dir().display(),
            name = self.database,
            archives = self.station.at("site_logs/old").display(),
            port = server.port(),
        );
        fs::write(&config, text).expect("write a configuration");
        let config = config.to_str().expect("a plain name");
        server.home().run("slon.shipper", "slony_logshipper", &["-f", "-w", "-s", "1", config]);
        // `-- EOL` is a comment to it, as to psql.
        server.home().said(&self.database)
    }
}

/// What `slony1_dump.sh` prints about the archiver.
fn dump() -> String {
    let server = cluster().server();
    let mut dump = Command::new("sh");
    let psql = programs::find("psql");
    let path = format!(
        "{}:{}",
        psql.parent().expect("a directory").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    without_pg_variables(&mut dump)
        .args([DUMP, ARCHIVER, CLUSTER])
        .env("PATH", path)
        .env("PGHOST", server.socket_dir())
        .env("PGPORT", server.port().to_string())
        .env("PGUSER", "postgres")
        .env("PGCLIENTENCODING", "UTF8");
    let output = dump.output().expect("run slony1_dump.sh");
    expect_success(DUMP, &output);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Everything that rows can do, in some archives.
pub(crate) fn write() {
    let cluster = cluster();
    cluster.origin(&(change("tools.a") + &change("tools.b") + &change("added.a")));
    cluster.sync();
    cluster.origin(
        "begin; truncate tools.b; insert into tools.b select i, null, i, E'a\\\\b\\n\\t' from generate_series(1, 9) i; commit; \
         update tools.b set note = note where recnum = 3; update tools.b set recnum = 70 where recnum = 7; \
         select setval('tools.a_seq', nextval('tools.a_seq') + 10) \\g /dev/null",
    );
}

#[test]
fn a_dumped_site_is_fed_by_psql_and_changes_over_to_our_objects() {
    let _turn = alone();
    let station = Station::new(cluster(), "site_dialects=old:slony");
    write();
    let site = OldSite::new(&station, "psql");
    write();
    site.assert_equal_by_psql();
    // A log twice changes nothing.
    let again = site.psql(&site.log(site.counter()));
    assert!(!again.status.success());
    site.compare(site.counter());

    // A log of the other dialect stops at a site without our objects, and changes nothing.
    let before = site.counter();
    station.stop();
    station.configure("site_dialects=old:psql");
    station.start();
    write();
    site.await_logs();
    while !fs::read_to_string(site.log(site.counter() + 1)).expect("a log").contains("site_log_offline") {
        expect_success("a log", &site.psql(&site.log(site.counter() + 1)));
    }
    let at = site.counter();
    let refused = site.psql(&site.log(at + 1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("site_log_offline"), "{said}");
    assert!(at >= before && site.counter() == at);

    let objects = station.command(&["offline-sql", "old"]);
    expect_success("offline-sql", &objects);
    let objects = String::from_utf8(objects.stdout).expect("UTF-8");
    for _ in 0..2 {
        expect_success("psql", &feed(cluster().server().psql(&site.database, "postgres"), &objects));
    }
    assert_eq!(site.counter(), at, "the place in the stream stays");
    write();
    site.assert_equal_by_psql();
    assert!(site.counter() > at + 1);
    let log = fs::read_to_string(site.log(site.counter())).expect("a log");
    assert!(log.starts_with("\\set ON_ERROR_STOP on\n"));
}

#[test]
fn a_dumped_site_is_fed_by_slony_logshipper() {
    let _turn = alone();
    let station = Station::new(cluster(), "site_dialects=old:slony");
    let site = OldSite::new(&station, "shipper");
    for _ in 0..2 {
        write();
        let original = site.await_logs();
        let said = site.ship();
        assert!(said.contains("Processing archive file") && !said.contains("ERROR"), "{said}");
        site.compare(original);
    }
}
