//! What the daemon shows to those who watch: the page in a real browser, the numbers in a real parser, the file, and what
//! becomes of them when something goes wrong. One cluster and one browser for all.

#[path = "../support/mod.rs"]
mod support;

mod browser;
mod client;
mod file;
mod health;
mod http;
mod lag;
mod metrics;
mod nodes;
mod seen;

use std::sync::OnceLock;

use support::Cluster;

/// A series that takes seconds to dump where a station says `dump_rate=60000`.
const LARGE: &str = "create schema big; create table big.wide (recnum bigint primary key, note text);";
const LARGE_ROWS: &str =
    "insert into big.wide select i, repeat(md5(i::text), 10) from generate_series(1, 8000) i;";

/// The cluster of all tests here. Where they start, nothing is written any more.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(LARGE, LARGE_ROWS, &["big"]))
}
