//! The world fails around the daemon, or does too much at once: full disks, databases that go away, hostile files, a
//! thousand sites, ten thousand series. One module a subject; most share one cluster, and each writes to the tables of
//! its own schema.

#[path = "../support/mod.rs"]
mod support;
#[path = "../subscription/tree.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod tree;

mod clock;
mod database;
mod disk;
mod hostile;
mod kinds;
mod load;
mod many;
mod process;
mod proxy;
mod uploads;
mod watching;

use std::sync::OnceLock;

use support::Cluster;

/// One schema for each subject, with the series `a`, `b` and `c` in it; `a` has a sequence.
const SUBJECTS: &[&str] = &["load", "hostile", "disk", "arrivals", "clock"];

const STANDARD_SHAPE: &str = "(recnum bigint primary key, t_rec timestamptz, quality int, note text)";

/// The cluster of most tests here.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    // The SQL of this one takes more than a megabyte.
    let large = format!("create table disk.large {STANDARD_SHAPE};\n");
    let rows = "insert into disk.large select i, now(), i % 5, repeat(md5(i::text), 10) from generate_series(1, 4000) i;\n";
    CLUSTER.get_or_init(|| Cluster::start(&(schema(SUBJECTS) + &large), &(seed(SUBJECTS) + rows), SUBJECTS))
}

/// The schemas of subjects with their series, all empty.
fn schema(subjects: &[&str]) -> String {
    let of = |subject: &&str| {
        let tables = ["a", "b", "c"].map(|name| format!("create table {subject}.{name} {STANDARD_SHAPE};\n"));
        format!("create schema {subject};\ncreate sequence {subject}.a_seq;\n{}", tables.concat())
    };
    "create sequence public.keys;\n".to_owned() + &subjects.iter().map(of).collect::<String>()
}

/// Twenty rows for each series of the subjects.
fn seed(subjects: &[&str]) -> String {
    let of = |subject: &&str| {
        let rows = "select i, timestamptz '2010-05-01 00:00:00Z' + i * interval '45 s', i % 5, 'row ' || i \
             from generate_series(1, 20) i";
        ["a", "b", "c"].map(|name| format!("insert into {subject}.{name} {rows};\n")).concat()
    };
    subjects.iter().map(of).collect()
}

/// Whether a subject's series has a sequence.
fn has_sequence(series: &str) -> bool {
    series.split_once('.').is_some_and(|(_, table)| table == "a")
}

/// Changes a series in each way that there is, and its sequence if it has one.
#[track_caller]
fn change(cluster: &Cluster, series: &str) {
    let key = "-nextval('public.keys')";
    let mut sql = format!(
        "insert into {series} values ({key}, now(), 0, 'new'), ({key}, now(), 0, 'to go'); \
         update {series} set quality = quality + 1, note = E'before\n\\.\nafter' where recnum = 3; \
         delete from {series} where note = 'to go';"
    );
    if has_sequence(series) {
        sql += &format!(" select nextval('{series}_seq') \\g /dev/null");
    }
    cluster.origin(&sql);
}
