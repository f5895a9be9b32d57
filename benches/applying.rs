//! `make bench`: applying site logs, beside `psql -f` of the same logs into the same kind of database. The two take turns;
//! ratios within one run, absolute times on a busy machine mean nothing.
//!
//! `cargo bench --bench applying -- WORDS` takes only the cases whose names hold one of the words. `BENCH_RUNS` (5) is how
//! often each is measured.
#![allow(dead_code, unreachable_pub, reason = "the pair of databases is that of the tests, and does more")]
#![allow(clippy::unwrap_used, reason = "a bench panics like a test")]

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "../tests/apply/log.rs"]
mod log;
#[path = "../tests/apply/pair.rs"]
mod pair;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use log::{log, row, rows};
use pair::{OWNER, Pair};
use subscription_manager::subscriber::{Commit, OnDrift};

/// A case: its logs, and what is in the tables before.
struct Case {
    name: &'static str,
    /// How many times as fast as psql it is to be.
    wanted: f64,
    logs: Vec<String>,
    before: &'static str,
}

/// As a usual DRMS record: eight columns.
const COLUMNS: &str = "recnum bigint primary key, sunum bigint, t_rec double precision, quality int, camera int, \
    datamean real, wavelnth text, history text";

const TABLES: usize = 5;

const EMPTY: &str = "";

const FILLED: &str = "insert into t0 select i, i * 7, 1.0e9 + i * 45.5, i % 3, 1, i / 3.0, 'w' || i % 10, 'reprocessed ' || i \
    from generate_series(0, 99999) i; analyze t0;";

fn main() {
    // `cargo test --all-targets` runs benches once to see that they work; this one is for `make bench` only.
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    words.retain(|word| !word.starts_with("--"));
    let runs = std::env::var("BENCH_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let tables: String = (0..TABLES).map(|n| format!("create table t{n} ({COLUMNS});")).collect();
    let pair = Pair::new("c", &tables);
    println!("applying site logs, medians of {runs} runs in turn with psql -f");
    println!("{:<40} {:>9} {:>9} {:>7} {:>7}", "case", "psql, s", "ours, s", "ratio", "wanted");
    for case in cases() {
        if words.is_empty() || words.iter().any(|word| case.name.contains(word.as_str())) {
            measure(&pair, &case, runs);
        }
    }
}

fn cases() -> Vec<Case> {
    let one = |of: &dyn Fn(usize) -> String, count: usize| {
        vec![log("c", 1, false, &rows("c", &(0..count).map(of).collect::<Vec<_>>()))]
    };
    let small = (1..=500).map(|counter| {
        let of = |at: usize| insert(0, (counter - 1) * 20 + at);
        log("c", counter as u64, false, &rows("c", &(0..20).map(of).collect::<Vec<_>>()))
    });
    vec![
        Case { name: "100,000 inserts", wanted: 5.0, logs: one(&|id| insert(0, id), 100_000), before: EMPTY },
        Case {
            name: "100,000 inserts into five tables",
            wanted: 5.0,
            logs: one(&|id| insert(id % TABLES, id), 100_000),
            before: EMPTY,
        },
        Case { name: "50,000 updates by key", wanted: 2.0, logs: one(&update, 50_000), before: FILLED },
        Case { name: "50,000 deletes by key", wanted: 2.0, logs: one(&delete, 50_000), before: FILLED },
        Case { name: "500 logs of 20 inserts", wanted: 1.0, logs: small.collect(), before: EMPTY },
    ]
}

fn insert(table: usize, id: usize) -> String {
    let text = |number: usize| Some(number.to_string());
    let values = [
        ("recnum", text(id)),
        ("sunum", text(id * 7)),
        ("t_rec", Some(format!("{}.5", 1_000_000_000 + id * 45))),
        ("quality", text(id % 3)),
        ("camera", if id.is_multiple_of(5) { None } else { text(1) }),
        ("datamean", Some(format!("{}.25", id / 3))),
        ("wavelnth", Some(format!("w{}", id % 10))),
        ("history", Some(format!("reprocessed, {id} \"times\""))),
    ];
    let args: Vec<_> = values.iter().flat_map(|(name, value)| [Some(*name), value.as_deref()]).collect();
    row("public", &format!("t{table}"), "I", 0, &args)
}

fn update(id: usize) -> String {
    let (quality, history, id) = ((id % 7).to_string(), format!("again {id}"), (id * 2).to_string());
    let args = ["quality", &quality, "history", &history, "recnum", &id].map(Some);
    row("public", "t0", "U", 2, &args)
}

fn delete(id: usize) -> String {
    row("public", "t0", "D", 0, &[Some("recnum"), Some(&(id * 2).to_string())])
}

fn measure(pair: &Pair, case: &Case, runs: usize) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let files: Vec<_> =
        (1..).zip(&case.logs).map(|(counter, log)| write(directory.path(), counter, log)).collect();
    let (mut psqls, mut ours) = (Vec::new(), Vec::new());
    // The first turn warms both up.
    for turn in 0..=runs {
        pair.own(&reset(case));
        let times = [psql(pair, &files), apply(pair, &files)];
        assert_equal(pair, case);
        if turn > 0 {
            psqls.push(times[0]);
            ours.push(times[1]);
        }
    }
    let ratio = median(psqls.iter().zip(&ours).map(|(psql, ours)| psql / ours).collect());
    println!(
        "{:<40} {:>9.3} {:>9.3} {ratio:>7.1} {:>7.1}",
        case.name,
        median(psqls),
        median(ours),
        case.wanted
    );
}

fn reset(case: &Case) -> String {
    let tables: Vec<_> = (0..TABLES).map(|n| format!("t{n}")).collect();
    let tables = tables.join(", ");
    format!("truncate {tables}; {} update \"_c\".sl_archive_tracking set at_counter = 0", case.before)
}

/// Neither has left anything out.
fn assert_equal(pair: &Pair, case: &Case) {
    let sums: Vec<_> = ["psqls", "ours"]
        .map(|database| {
            (0..TABLES)
                .map(|n| {
                    pair.server.query(
                        database,
                        &format!("select count(*), sum(hashtext(t::text)::bigint) from t{n} t"),
                    )
                })
                .collect::<Vec<_>>()
        })
        .into();
    assert_eq!(sums[0], sums[1], "{}", case.name);
}

fn write(directory: &Path, counter: u64, log: &str) -> PathBuf {
    let path = directory.join(format!("slony1_log_2_{counter:020}.sql"));
    File::create(&path).unwrap().write_all(log.as_bytes()).unwrap();
    path
}

/// One psql for each log, as deployed sites run it.
fn psql(pair: &Pair, files: &[PathBuf]) -> f64 {
    let begun = Instant::now();
    for file in files {
        let mut psql = pair.server.psql("psqls", OWNER);
        let output = psql.arg("-q").arg("-f").arg(file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    begun.elapsed().as_secs_f64()
}

/// One session for all logs; connecting is part of it.
fn apply(pair: &Pair, files: &[PathBuf]) -> f64 {
    let begun = Instant::now();
    let mut applier = pair.second(OnDrift::Warn);
    for (at, file) in files.iter().enumerate() {
        let name = file.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let commit = if at + 1 == files.len() { Commit::Now } else { Commit::Soon };
        let done = pair.runtime().block_on(applier.apply(File::open(file).unwrap(), name, commit)).unwrap();
        assert_eq!(done.drifted, 0);
    }
    begun.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
