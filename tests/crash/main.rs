//! Killed anywhere, and the power gone: each scenario is run once undisturbed, and then anew for each point that it
//! passed (`FAILPOINT_*`, see `src/failpoint`), to die there, be started again, and end as if nothing had been.
//!
//! What is walked is a sample, another in each run: its seed is printed, and `CRASH_SEED` repeats it; `CRASH_WALK=all`
//! (`make crash`) walks everything, `CRASH_WALK=20` so many deaths of each scenario.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

#[path = "../subscribe/client.rs"]
#[allow(dead_code, reason = "another test's, which uses all of it")]
mod client;
#[path = "../ingest/desk.rs"]
#[allow(dead_code, reason = "another test's, which uses all of it")]
mod desk;
#[path = "../kept/place.rs"]
#[allow(dead_code, reason = "another test's, which uses all of it")]
mod place;
#[path = "../support/mod.rs"]
mod support;
#[path = "../kept/text.rs"]
#[allow(dead_code, reason = "another test's, which uses all of it")]
mod text;
#[path = "../subscription/tree.rs"]
#[allow(dead_code, reason = "another test's, which uses all of it")]
mod tree;

mod deaths;
mod offline;
mod operator;
mod power;
mod service;
mod tools;
mod walk;

use std::sync::OnceLock;

use support::Cluster;

/// The cluster of all that needs one: a schema for each scenario, with small series in it; `a` has a sequence.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let shape = "(recnum bigint primary key, t_rec timestamptz, quality int, note text)";
        let (mut schema, mut seed) = ("create sequence public.keys;\n".to_owned(), String::new());
        for subject in SUBJECTS {
            schema += &format!("create schema {subject};\ncreate sequence {subject}.a_seq;\n");
            for series in ["a", "b", "c"] {
                schema += &format!("create table {subject}.{series} {shape};\n");
                seed += &format!(
                    "insert into {subject}.{series} select i, now(), i, E'\\\\.\\n' || i from generate_series(1, 20) i;\n"
                );
            }
        }
        Cluster::start(&schema, &seed, SUBJECTS)
    })
}

const SUBJECTS: &[&str] = &["served", "asked"];

/// Whether a series has a sequence.
fn has_sequence(series: &str) -> bool {
    series.split_once('.').is_some_and(|(_, table)| table == "a")
}

/// Changes a series.
#[track_caller]
fn change(series: &str) {
    cluster().origin(&format!(
        "update {series} set quality = quality + 1 where recnum % 7 = 0; \
         insert into {series} values (-nextval('public.keys'), now(), 0, 'new');"
    ));
}
