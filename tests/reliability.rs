//! RELIABILITY.md names a test for every fault, and each of them is there.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

use std::collections::HashSet;
use std::fs;
use std::path::Path;

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("RELIABILITY.md")).unwrap()
}

/// The rows of all tables, each with its line: what stands below a heading of a table.
fn rows(page: &str) -> Vec<(usize, Vec<&str>)> {
    let lines = page.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    lines
        .filter(|(_, line)| {
            line.starts_with('|') && !line.starts_with("|---") && !line.starts_with("| fault |")
        })
        .map(|(at, line)| (at, line.trim_matches('|').split(" | ").map(str::trim).collect()))
        .collect()
}

/// The tests that a cell names.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_fault_has_a_test_that_is_there() {
    let page = page();
    let rows = rows(&page);
    assert!(rows.len() >= 80, "only {} rows were found: is the page read as it is written?", rows.len());
    let mut faults = HashSet::new();
    for (line, cells) in rows {
        let [fault, happens, test] = cells[..] else {
            panic!("RELIABILITY.md:{line}: not three cells: {cells:?}")
        };
        assert!(!fault.is_empty() && !happens.is_empty(), "RELIABILITY.md:{line}: an empty cell");
        let tests = named(test);
        assert!(!tests.is_empty(), "RELIABILITY.md:{line}: no test");
        assert!(faults.insert((fault, test)), "RELIABILITY.md:{line}: stands there twice");
        for test in tests {
            let is_there = test.split_once("::").is_some_and(|(path, name)| is_test(path, name));
            assert!(is_there, "RELIABILITY.md:{line}: there is no test `{test}`");
        }
    }
}

/// Whether the file has a test of this name, which is not ignored.
fn is_test(path: &str, name: &str) -> bool {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| {
        line.trim_start_matches("async ")
            .strip_prefix("fn ")
            .is_some_and(|rest| rest.starts_with(&format!("{name}(")))
    });
    let attributes = lines[..at.unwrap_or(0)].iter().rev().take_while(|line| line.starts_with("#["));
    let attributes: Vec<_> = attributes.collect();
    attributes.iter().any(|line| line.starts_with("#[test") || line.starts_with("#[tokio::test"))
        && !attributes.iter().any(|line| line.starts_with("#[ignore"))
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    assert!(is_test("tests/reliability.rs", "every_fault_has_a_test_that_is_there"));
    assert!(!is_test("tests/reliability.rs", "every_fault"));
    assert!(!is_test("tests/reliability.rs", "is_test"), "a function that is no test");
    assert!(!is_test("tests/nowhere.rs", "every_fault_has_a_test_that_is_there"));
}
