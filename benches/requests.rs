//! `make bench`: what a subscriber waits for, beside what the machine can do. Ratios within one run; absolute times on a
//! busy machine mean nothing.
//!
//! - the dump of two million rows against `psql -c 'copy ... to stdout' > file` of the same table, in turn;
//! - from a whole trigger to `.sqldone`, for a request that needs no dump.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs::{self, File};
use std::time::{Duration, Instant};

use support::slony::ARCHIVER;
use support::{Cluster, Site, Station};

/// Rows of the large table; about 390 MB as COPY text.
const ROWS: u32 = 2_000_000;
/// Runs of each of the two in turn.
const PAIRS: usize = 7;
/// Requests without a dump.
const REQUESTS: usize = 40;

/// As wide as a usual DRMS record.
const SCHEMA: &str = "create schema big; \
    create table big.lev1 (recnum bigint primary key, sunum bigint, slotnum int, sessionid bigint, t_rec double precision, \
        t_obs double precision, quality int, camera int, datamean double precision, datarms double precision, \
        wavelnth text, history text);";

fn main() {
    // `cargo test --all-targets` runs benches once to see that they work; this one is for `make bench` only.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let small: String =
        (0..REQUESTS).map(|n| format!("create table big.small{n} (id bigint primary key);")).collect();
    let cluster = Cluster::start(&format!("{SCHEMA}{small}"), "", &["big"]);
    fill(&cluster);
    let station = Station::started(&cluster, "dump_jobs=1\n");
    dump(&cluster, &station);
    reaction(&cluster, &station);
}

/// Puts the rows into the log-shipping node alone: how they came there does not matter for a dump.
fn fill(cluster: &Cluster) {
    println!("filling a table with {ROWS} rows ...");
    cluster.server().execute(
        ARCHIVER,
        &format!(
            "set session_replication_role = replica; insert into big.lev1 select i, i * 7, 0, i / 100, 1.0e9 + i * 45.5, \
             1.0e9 + i * 45.25, i % 3, 1, sqrt(i), ln(i), 'wavelength ' || i % 10, repeat('reprocessed ', 6) || i \
             from generate_series(1, {ROWS}) i; analyze big.lev1;"
        ),
    );
}

/// The dump and psql in turn.
fn dump(cluster: &Cluster, station: &Station<'_>) {
    let (mut ours, mut psqls) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for pair in 0..=PAIRS {
        let psql = psql_copy(cluster, station);
        let (our, size) = our_dump(station, &format!("site{pair}"));
        bytes = size;
        // The first pair warms both up.
        if pair > 0 {
            psqls.push(psql);
            ours.push(our);
        }
    }
    let ratios: Vec<f64> =
        ours.iter().zip(&psqls).map(|(our, psql)| our.as_secs_f64() / psql.as_secs_f64()).collect();
    println!("\nthe dump of {ROWS} rows ({} MB of SQL), {PAIRS} pairs in turn", bytes / 1_000_000);
    row("psql copy to a file, s", psqls.iter().map(Duration::as_secs_f64));
    row("request to .sqldone, s", ours.iter().map(Duration::as_secs_f64));
    row("ratio (to reach: 1.10)", ratios.into_iter());
}

fn psql_copy(cluster: &Cluster, station: &Station<'_>) -> Duration {
    let path = station.at("copy.txt");
    let file = File::create(&path).expect("create a file");
    let mut psql = cluster.server().psql(ARCHIVER, "postgres");
    psql.args(["-c", "copy big.lev1 to stdout"]).stdout(file);
    let begun = Instant::now();
    assert!(psql.status().expect("run psql").success());
    let taken = begun.elapsed();
    fs::remove_file(path).expect("remove the file");
    taken
}

/// Returns the time, and the size of the SQL.
fn our_dump(station: &Station<'_>, node: &str) -> (Duration, u64) {
    let begun = Instant::now();
    station.drop_file(
        &format!("{node}.subscription_series.tgr"),
        &format!("node {node}\nbig.lev1 subscribe\nend\n"),
    );
    let answer = station.await_file(&format!("{node}.subscription_series.sqldone"));
    let taken = begun.elapsed();
    assert!(answer.starts_with("cut "), "{answer}");
    let sql = station.at(&format!("triggers/{node}.subscribe_series.sql"));
    let size = fs::metadata(&sql).expect("the SQL").len();
    let applied = format!("node {node}\nbig.lev1 subscribe\nsuccess false\n");
    station.drop_file(&format!("{node}.subscription_series.sqlapplied"), &applied);
    station.await_file(&format!("{node}.subscription_series.done"));
    (taken, size)
}

/// Requests that change a list and need no rows.
fn reaction(cluster: &Cluster, station: &Station<'_>) {
    let site = Site::new(cluster, "nso");
    let (mut taken, mut floor) = (Vec::new(), Vec::new());
    let all: String = (0..REQUESTS).map(|n| format!("big.small{n} subscribe\n")).collect();
    site.subscribe(station, &all);
    for n in 0..REQUESTS {
        floor.push(durable_write(station));
        let begun = Instant::now();
        site.ask(station, &format!("big.small{n} unsubscribe"));
        // Finer than the tests wait: their pause would be most of the figure.
        while !station.at("triggers/nso.subscription_series.sqldone").exists() {
            std::thread::sleep(Duration::from_micros(200));
        }
        taken.push(begun.elapsed().as_secs_f64() * 1000.0);
        site.apply_sql(station);
        site.answer(station, true);
    }
    println!("\nfrom a whole trigger to .sqldone without a dump, {REQUESTS} requests");
    row("one durable write, ms", floor.into_iter());
    row("ms (to reach: 100)", taken.into_iter());
}

/// What the disk asks for one file: write, sync, rename, sync of the directory.
fn durable_write(station: &Station<'_>) -> f64 {
    let (path, target) = (station.at("work/probe.tmp"), station.at("work/probe"));
    let begun = Instant::now();
    fs::write(&path, "probe").expect("write");
    File::open(&path).and_then(|file| file.sync_all()).expect("sync");
    fs::rename(&path, target).expect("rename");
    File::open(station.at("work")).and_then(|directory| directory.sync_all()).expect("sync");
    begun.elapsed().as_secs_f64() * 1000.0
}

fn row(name: &str, values: impl Iterator<Item = f64>) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let median = values[values.len() / 2];
    let (least, most) = (values[0], values[values.len() - 1]);
    println!("  {name:<28} median {median:8.3}   least {least:8.3}   most {most:8.3}");
}
