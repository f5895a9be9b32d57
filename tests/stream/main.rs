//! The stream of archives as a real Slony-I cluster of three nodes writes it, whatever its operators do: at the end of
//! each test every series of every site equals the original, row for row.

#[path = "../support/mod.rs"]
mod support;

mod backup;
mod crash;
mod grouped;
mod moved;
mod script;
mod sets;
mod takeover;
mod tools;
mod truncate;

use std::sync::{OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard};

use support::Cluster;

/// The third node: a full replica of the sets that it subscribes to.
const THIRD: &str = "third";

/// The schemas of set 1; every subject writes to its own.
const SUBJECTS: &[&str] = &[
    "truncate", "added", "dropped", "crash", "script", "literal", "routed", "held", "tools", "grouped",
    "backup", "reach", "undone",
];

const STANDARD_SHAPE: &str = "(recnum bigint primary key, t_rec timestamptz, quality int, note text)";

/// The cluster of all tests here: set 1 holds the subjects, set 2, which node 3 has too, the schema `moved`.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let mut schema = String::new();
        let mut seed = String::new();
        for subject in SUBJECTS.iter().chain(&["moved", "late", "again"]) {
            schema += &format!("create schema {subject};\ncreate sequence {subject}.a_seq;\n");
            for table in ["a", "b"] {
                schema += &format!("create table {subject}.{table} {STANDARD_SHAPE};\n");
                seed += &format!(
                    "insert into {subject}.{table} select i, now(), i % 5, 'seed ' || i from generate_series(1, 50) i;\n"
                );
            }
        }
        schema += truncate::TABLES;
        seed += truncate::ROWS;
        let mut cluster = Cluster::start(&schema, &seed, SUBJECTS);
        cluster.add_node(3, THIRD, &schema);
        cluster.create_set(2, &["moved"]);
        for database in [support::slony::ARCHIVER, THIRD] {
            cluster.subscribe(2, database);
        }
        cluster
    })
}

static TURN: RwLock<()> = RwLock::new(());

/// For a test that leaves nodes, slons and sets alone.
fn beside_others() -> RwLockReadGuard<'static, ()> {
    TURN.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// For a test that the others would notice.
fn alone() -> RwLockWriteGuard<'static, ()> {
    TURN.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// SQL that changes a series of the standard shape in each way that there is, and the sequence `<schema>.a_seq`.
fn change(series: &str) -> String {
    let schema = series.split('.').next().unwrap_or_default();
    let key = format!("nextval('{schema}.a_seq') + 1000");
    format!(
        "insert into {series} values ({key}, now(), 0, 'new'), ({key}, now(), 0, 'to go'); \
         update {series} set quality = quality + 1, note = E'before\\n\\\\.\\nafter' where recnum = 3; \
         update {series} set recnum = {key} where recnum = (select min(recnum) from {series} where note = 'new'); \
         delete from {series} where note = 'to go';"
    )
}
