//! What goes wrong around the splitter. slon runs without `-a` for a while: rows reach the log-shipping node and are in no archive. It is
//! found out, said, and mended by subscribing anew, and it is never said of anything else. So are series that do not come to the node for a
//! while. The directory of a node goes away and comes back. The database is another one.

#[path = "../support/mod.rs"]
mod support;

mod alarm;
mod away;
mod fault;
mod quiet;
mod swapped;

use std::fs;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use support::slony::ARCHIVER;
use support::{Cluster, Station};

/// The third node: a full replica of the sets that it subscribes to.
const THIRD: &str = "third";

/// The cluster of all tests here: set 1 holds the schemas of the subjects, set 2, which node 3 has too, the schema `moved`, set 4 the
/// schema `away`.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let mut schema = String::new();
        for subject in ["live", "later", "forgotten", "quiet", "cron", "moved", "late", "away"] {
            schema += &format!("create schema {subject};\n");
            for table in ["a", "b"] {
                schema += &format!("create table {subject}.{table} (id bigint primary key, note text);\n");
            }
        }
        let seed = "insert into live.a select i, 'seed' from generate_series(1, 20) i;\n";
        let mut cluster = Cluster::start(&schema, seed, &["live", "later", "forgotten", "quiet", "cron"]);
        cluster.add_node(3, THIRD, &schema);
        cluster.create_set(2, &["moved"]);
        cluster.create_set(4, &["away"]);
        for database in [ARCHIVER, THIRD] {
            cluster.subscribe(2, database);
        }
        cluster.subscribe(4, ARCHIVER);
        cluster
    })
}

/// Every test here stops and starts slons.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// SQL that writes a row with this note into both tables of a schema.
fn row(schema: &str, note: &str) -> String {
    let insert = |table| {
        format!(
            "insert into {schema}.{table} select coalesce(max(id), 0) + 1, '{note}' from {schema}.{table};\n"
        )
    };
    insert("a") + &insert("b")
}

/// Lets slon of the log-shipping node run without `-a` while this is written. It is applied when the function returns; slon still runs
/// without.
fn apply_without_archives(sql: &str) {
    let cluster = cluster();
    cluster.sync();
    cluster.stop_slon(ARCHIVER);
    let before = cluster.archiver_counter();
    cluster.start_slon_without_archives();
    cluster.origin(sql);
    assert_eq!(cluster.sync(), before, "slon has archived something");
}

/// slon is started as it should be. Returns the counter when it has archived an event of node 1.
fn archive_again() -> u64 {
    let cluster = cluster();
    cluster.stop_slon(ARCHIVER);
    cluster.start_slon(ARCHIVER, &[]);
    cluster.sync()
}

/// What `list` prints.
fn list(station: &Station<'_>) -> String {
    let output = station.command(&["list"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The line of a node in `list`.
fn line(station: &Station<'_>, node: &str) -> String {
    let list = list(station);
    let line = list.lines().find(|line| line.split_whitespace().next() == Some(node));
    line.unwrap_or_else(|| panic!("{node} is not listed:\n{list}")).to_owned()
}

/// Waits until the splitter and the comparison have come to this counter.
#[track_caller]
fn await_compared(station: &Station<'_>, counter: u64) {
    let file = station.at("work/split.confirmed");
    let at = || fs::read_to_string(&file).ok()?.lines().next()?.strip_prefix("at ")?.parse::<u64>().ok();
    station.wait_for("the comparison", || at().filter(|at| *at >= counter));
}

/// Whether anything was said of holes.
fn suspects(said: &str) -> bool {
    ["in no archive", "it cannot be told", "cannot tell whether", "misses rows"]
        .iter()
        .any(|words| said.contains(words))
}
