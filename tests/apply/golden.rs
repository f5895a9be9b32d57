//! Every site log of the golden cases.

use std::path::Path;

use crate::pair::Pair;

/// The tables of the golden cases, with every column that their logs name.
const TABLES: &str = r"
    create schema hmi; create schema aia; create schema mdi;
    create table hmi.m_45s (recnum bigint, note text, a text, b text, c text, d text, e text, id int, data text, n text, t text, u text);
    create table aia.lev1 (recnum bigint, note text, a text, b text, c text, id int, data text);
    create sequence hmi.m_45s_seq; create sequence aia.lev1_seq;
";

/// `site logs -> those that psql applies there`.
#[test]
fn golden_site_logs_leave_the_same() {
    let mut pair = Pair::new("jsoc", TABLES);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut logs: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|case| case.unwrap().path())
        .filter(|case| case.is_dir())
        .flat_map(|case| std::fs::read_dir(case).unwrap().map(|file| file.unwrap().path()))
        .filter(|file| {
            file.extension().is_some_and(|ending| ending == "sql") && !file.ends_with("archive.sql")
        })
        .collect();
    logs.sort();
    let (mut applied, mut refused) = (0, Vec::new());
    for path in &logs {
        let log = std::fs::read(path).unwrap();
        if !log.starts_with(b"\\set") {
            continue;
        }
        pair.stand_before(7);
        match pair.apply(&log, 7) {
            Ok(_) => applied += 1,
            Err(error) => refused.push(format!("{}: {error}", path.display())),
        }
    }
    println!("{applied} applied, refused alike:\n{}", refused.join("\n"));
    assert!(applied > 60, "{applied} applied\n{}", refused.join("\n"));
}
