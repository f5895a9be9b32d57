//! The two flows together: the real daemon, a real Slony-I cluster, sites that use plain psql. One module a subject; all
//! share one cluster, so each writes to the tables of its own schema.

#[path = "../support/mod.rs"]
mod support;

mod alarm;
mod arrivals;
mod bad_input;
mod database;
mod deployed;
mod dump;
mod feed;
mod fence;
mod flow;
mod hostile;
mod life;
mod list;
mod lost;
mod numbers;
mod obstacle;
mod outcomes;
mod packing;
mod process;
mod restart;
mod splitter;
mod stopped;
mod supersede;
mod tree;

use std::sync::OnceLock;

use support::Cluster;
use support::series::{HOSTILE, SCHEMAS, quote_literal, schema_sql, seed_sql};

/// One schema for each subject, with the series `a`, `b` and `c` in it; `a` has a sequence.
const SUBJECTS: &[&str] = &[
    "flow",
    "outcomes",
    "couple",
    "fence",
    "still",
    "supersede",
    "deployed",
    "packing",
    "restart",
    "hostile",
    "life",
    "numbers",
    "lost",
    "obstacle",
];

/// Series that take seconds to dump where a station says `dump_rate=300000`.
const LARGE: &[&str] = &["big.steady", "big.emptied", "big.refused", "big.still"];

/// Rows of each of them, and their size as text: about 1.4 MB together.
const LARGE_ROWS: &str = "select i, timestamptz '2010-05-01 00:00:00Z' + i * interval '45 s', i % 5, \
     repeat(md5(i::text), 10) from generate_series(1, 4000) i";

const STANDARD_SHAPE: &str = "(recnum bigint primary key, t_rec timestamptz, quality int, note text)";

/// The cluster of all tests here: the tables of [`support::series`], those of the subjects, and the large ones.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let mut schema = schema_sql() + "create schema big;\ncreate sequence public.keys;\n";
        let mut seed = seed_sql();
        let texts: Vec<_> = HOSTILE.iter().map(|text| quote_literal(text)).collect();
        for subject in SUBJECTS {
            schema += &format!("create schema {subject};\ncreate sequence {subject}.a_seq;\n");
            for series in ["a", "b", "c"] {
                schema += &format!("create table {subject}.{series} {STANDARD_SHAPE};\n");
                seed += &format!(
                    "insert into {subject}.{series} select i, now(), i, (array[{}])[i] from generate_series(1, {}) i;\n",
                    texts.join(", "),
                    texts.len()
                );
            }
        }
        for series in LARGE {
            schema += &format!("create table {series} {STANDARD_SHAPE};\n");
            seed += &format!("insert into {series} {LARGE_ROWS};\n");
        }
        schema += &format!("create table big.wide {STANDARD_SHAPE};\n");
        let schemas: Vec<_> = SCHEMAS.iter().chain(SUBJECTS).chain(&["big"]).copied().collect();
        Cluster::start(&schema, &seed, &schemas)
    })
}

/// Whether a subject's series has a sequence.
fn has_sequence(series: &str) -> bool {
    series.split_once('.').is_some_and(|(_, table)| table == "a")
}

/// Changes a series of the standard shape in each way that there is, and its sequence if it has one.
#[track_caller]
fn change(series: &str) {
    // Keys that no writer uses, and never the same twice: two tests may change a series at once.
    let key = "-nextval('public.keys')";
    let mut sql = format!(
        "begin; insert into {series} values ({key}, now(), 0, 'new'), ({key}, now(), 0, 'to go'); commit; \
         update {series} set quality = quality + 1, note = E'before\n\\.\nafter' where recnum = 3; \
         update {series} set recnum = {key} where recnum = (select min(recnum) from {series} where note = 'new'); \
         delete from {series} where note = 'to go';"
    );
    if has_sequence(series) {
        sql += &format!(" select nextval('{series}_seq') \\g /dev/null");
    }
    cluster().origin(&sql);
}
