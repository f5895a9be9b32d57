//! Changes that meet no row, and connections that break.

use std::io::{Cursor, Read, Seek, SeekFrom};

use subscription_manager::subscriber::{Commit, OnDrift};

use crate::log::{log, row, rows};
use crate::pair::{OWNER, Pair};

fn change(command: &str, id: usize) -> String {
    let id = id.to_string();
    match command {
        "I" => row("public", "t", "I", 0, &[Some("id"), Some(&id), Some("v"), Some("x")]),
        "U" => row("public", "t", "U", 1, &[Some("v"), Some("y"), Some("id"), Some(&id)]),
        _ => row("public", "t", "D", 0, &[Some("id"), Some(&id)]),
    }
}

#[test]
fn what_meets_no_row_is_told() {
    let mut pair = Pair::new(
        "c",
        "create table t (id int primary key, v text); create table \"O dd\" (\"K ey\" text, l int, primary key (\"K ey\", l))",
    );
    let mut all: Vec<_> = (0..10).map(|id| change("I", id)).collect();
    all.extend((5..15).map(|id| change("U", id)));
    all.push(change("D", 77));
    let key = format!("it's\n{}", "x".repeat(200));
    all.push(row("public", "O dd", "D", 0, &[Some("K ey"), Some(&key), Some("l"), Some("1")]));
    let applied = pair.applies(log("c", 1, false, &rows("c", &all)).as_bytes(), 1);
    assert_eq!((applied.drifted, applied.drift.len()), (7, 7));
    assert!(
        applied.drift.contains(&"update of public.t where recnum = 10 meets no row".replace("recnum", "id"))
    );
    assert!(applied.drift.contains(&"delete of public.t where id = 77 meets no row".to_owned()));
    let odd = applied.drift.iter().find(|line| line.contains("O dd")).unwrap();
    assert!(odd.starts_with("delete of public.\"O dd\" where \\\"K ey\\\" = it\\'s\\nxxx"), "{odd}");
    assert!(odd.len() < 200 && odd.ends_with("… and l = 1 meets no row"), "{odd}");

    let many: Vec<_> = (100..150).map(|id| change("U", id)).collect();
    let applied = pair.applies(log("c", 2, false, &rows("c", &many)).as_bytes(), 2);
    assert_eq!((applied.drifted, applied.drift.len()), (50, 21));
    assert_eq!(applied.drift[20], "and 30 more changes that met no row");

    // The same with stop: nothing of it happens.
    pair.on_drift(OnDrift::Stop);
    let before = pair.state(1);
    for missed in [vec![change("I", 200), change("U", 300)], (290..320).map(|id| change("D", id)).collect()] {
        let error = pair.ours(log("c", 3, false, &rows("c", &missed)).as_bytes(), 3).unwrap_err();
        assert!(error.contains("site log slony1_log_2_00000000000000000003.sql is not applied: "), "{error}");
        assert!(error.contains("of public.t where id = ") && error.contains("meets no row"), "{error}");
        assert_eq!(pair.state(1), before);
    }
    let good = log("c", 3, false, &rows("c", &[change("I", 200), change("U", 200)]));
    assert_eq!(pair.applies(good.as_bytes(), 3).drifted, 0);
}

/// Ends all sessions of the role when it is read up to a place.
struct Killing<'p> {
    log: Cursor<Vec<u8>>,
    pair: &'p Pair,
    at: u64,
}

impl Read for Killing<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.log.read(into)?;
        if self.log.position() > self.at && count > 100 {
            self.at = u64::MAX;
            let sql =
                format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{OWNER}'");
            self.pair.query(&sql);
        }
        Ok(count)
    }
}

impl Seek for Killing<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.log.seek(to)
    }
}

#[test]
fn a_connection_that_breaks_leaves_nothing() {
    let pair = Pair::new("c", "create table t (id int primary key, v text)");
    let text = log("c", 1, false, &rows("c", &(0..60_000).map(|id| change("I", id)).collect::<Vec<_>>()));
    let before = pair.state(1);
    for at in [300_000, 1_500_000, text.len() as u64 - 200_000] {
        let mut applier = pair.second(OnDrift::Warn);
        let log = Killing { log: Cursor::new(text.clone().into_bytes()), pair: &pair, at };
        let name = "slony1_log_2_00000000000000000001.sql".parse().unwrap();
        let failed = pair.runtime().block_on(applier.apply(log, name, Commit::Now));
        failed.unwrap_err();
        assert_eq!(pair.state(1), before, "killed at {at}");
    }
    let mut applier = pair.second(OnDrift::Warn);
    let name = "slony1_log_2_00000000000000000001.sql".parse().unwrap();
    let done = pair.runtime().block_on(applier.apply(Cursor::new(text), name, Commit::Now)).unwrap();
    assert_eq!(done.rows, 60_000);
}

/// Nobody waits for a log to its end: the next use of the session begins anew.
#[test]
fn a_log_that_is_given_up_leaves_nothing() {
    let mut pair = Pair::new("c", "create table t (id int primary key, v text)");
    let text = log("c", 1, false, &rows("c", &(0..100).map(|id| change("I", id)).collect::<Vec<_>>()));
    let name = "slony1_log_2_00000000000000000001.sql".parse().unwrap();
    let mut applier = pair.second(OnDrift::Warn);
    let before = pair.state(1);
    for polls in 1..12 {
        pair.runtime().block_on(async {
            let mut apply = Box::pin(applier.apply(Cursor::new(&text), name, Commit::Now));
            for _ in 0..polls {
                let pause = tokio::time::timeout(std::time::Duration::from_micros(300), &mut apply);
                if pause.await.is_ok() {
                    break;
                }
            }
        });
        if pair.state(1) != before {
            break;
        }
    }
    drop(applier);
    let left = pair.query("select count(*) from t");
    assert!(left == "0" || left == "100", "{left}");
    if left == "0" {
        pair.ours(text.as_bytes(), 1).unwrap();
    }
    pair.psql(text.as_bytes()).unwrap();
    pair.assert_equal("given up");
}
