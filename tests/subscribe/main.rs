//! `subscribe_series` at a real site: the real daemon, a real Slony-I cluster, a database of its own.

#[path = "../support/mod.rs"]
mod support;

mod anew;
mod behind;
mod client;
mod deployed;
mod faults;
mod flow;
mod hand;
mod killed;
mod leave;
mod line;
mod node;
mod room;

use std::sync::OnceLock;

use support::Cluster;

/// One schema for each subject, with the series `a`, `b` and `c` in it.
const SUBJECTS: &[&str] = &["flow", "faults", "killed", "leave", "deployed", "anew"];

const SHAPE: &str = "(recnum bigint primary key, t_rec timestamptz, quality int, note text)";

/// The cluster of all tests here.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let (mut schema, mut seed) = (String::new(), String::new());
        for subject in SUBJECTS {
            schema += &format!("create schema {subject};\n");
            for series in ["a", "b", "c"] {
                schema += &format!("create table {subject}.{series} {SHAPE};\n");
                seed += &format!(
                    "insert into {subject}.{series} select i, now(), i, E'\\\\.\\n' || i from generate_series(1, 500) i;\n"
                );
            }
        }
        schema += "create type faults.mood as enum ('well', 'ill');\n\
                   create table faults.typed (recnum bigint primary key, mood faults.mood);\n";
        schema += "create table flow.slashed (recnum bigint primary key, p text default '\\' check (strpos(p, '\\') = 0));\n\
                   comment on table flow.slashed is 'ends in \\';\n\
                   comment on column flow.slashed.p is '\\''; drop table flow.a; --';\n";
        seed += "insert into faults.typed values (1, 'well'); insert into flow.slashed values (1, 'x');\n";
        Cluster::start(&schema, &seed, SUBJECTS)
    })
}

/// Changes a series.
#[track_caller]
fn change(series: &str) {
    cluster().origin(&format!(
        "update {series} set quality = quality + 1 where recnum % 7 = 0; delete from {series} where recnum = \
         (select max(recnum) from {series}); insert into {series} select max(recnum) + 10, now(), 0, 'new' from {series};"
    ));
}
