//! docs/troubleshooting.md knows every message, and no other: what is logged, what `check` finds, what people are told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// What stands for a part that differs from case to case.
const ANY: &str = "…";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source without its tests, with literals that go over several lines joined.
fn sources() -> Vec<String> {
    let mut found = Vec::new();
    collect(&root().join("src"), &mut found);
    assert!(found.len() > 100, "only {} sources were found", found.len());
    let joined = Regex::new(r"\\\n\s*").expect("an expression");
    let source = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("read a source");
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        joined.replace_all(code, "").into_owned()
    };
    found.iter().map(source).collect()
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("list a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// A literal as the page shows it: every placeholder is [`ANY`], quotes are quotes.
fn shown(literal: &str) -> String {
    let placeholders = Regex::new(r"\{[\w.:?]*\}").expect("an expression");
    placeholders.replace_all(literal, ANY).replace("\\\"", "\"").replace(&format!("`{ANY}`"), ANY)
}

/// The messages of the page: the first cells of all tables, without the ticks around each.
fn told() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).expect("read the page");
    let cells = page.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cell = line.trim_start_matches("| ").split(" | ").next().unwrap_or_default();
        // A tick within ticks is written with two around.
        let inside = cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
        inside.unwrap_or_else(|| panic!("no message: {cell}")).to_owned()
    });
    let cells: Vec<_> = cells.collect();
    let told: BTreeSet<_> = cells.iter().cloned().collect();
    assert_eq!(told.len(), cells.len(), "a message stands there twice");
    told
}

/// Macros whose last literal is a message.
const LOGGED: &str = r"\b(?:error|warn)!\(";

/// Calls whose last literal is the reason for which a request is refused.
const REFUSED: &str = r"(?:Error::Refused|RollBack)\(";

/// The last literal of each such call, as the page shows it.
fn said(sources: &[String], call: &str) -> BTreeSet<String> {
    let call = Regex::new(call).expect("an expression");
    let literal = Regex::new(r#""((?:[^"\\]|\\.)*)""#).expect("an expression");
    let word = Regex::new("[a-z]{3}").expect("an expression");
    let mut messages = BTreeSet::new();
    for source in sources {
        for found in call.find_iter(source) {
            let arguments = arguments(&source[found.end()..], &literal);
            let message = literal.captures_iter(arguments).last().map(|message| shown(&message[1]));
            // Of `"{}"` there is nothing to tell, nor where no words stand: they come from elsewhere.
            messages.extend(message.filter(|message| word.is_match(message)));
        }
    }
    messages
}

/// What stands between the parentheses of a call: up to the one that closes it, outside of literals.
fn arguments<'s>(text: &'s str, literal: &Regex) -> &'s str {
    let literals: Vec<_> = literal.find_iter(text).take(9).collect();
    let mut depth = 1;
    for (at, char) in text.char_indices() {
        if literals.iter().any(|literal| literal.range().contains(&at)) {
            continue;
        }
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    panic!("a call that does not end: {text}")
}

#[test]
fn every_error_warning_and_refusal_is_explained() {
    for (call, least) in [(LOGGED, 45), (REFUSED, 15)] {
        let (said, told) = (said(&sources(), call), told());
        assert!(said.len() > least, "only {} messages were found: {said:#?}", said.len());
        let missing: Vec<_> = said.difference(&told).collect();
        assert!(missing.is_empty(), "docs/troubleshooting.md does not explain what is said: {missing:#?}");
    }
}

#[test]
fn every_code_of_check_is_explained() {
    let sources = sources();
    let finding = Regex::new(r#"found\s*\.(?:error|warning|note)\(\s*"([a-z-]+)""#).expect("an expression");
    let codes: BTreeSet<_> = sources
        .iter()
        .flat_map(|source| finding.captures_iter(source).map(|found| found[1].to_owned()))
        .collect();
    assert!(codes.len() > 30, "only {} codes were found: {codes:#?}", codes.len());
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).expect("read the page");
    let (_, table) = page.split_once("## What `check` says").expect("the section");
    let (table, _) = table.split_once("\n## ").expect("another section");
    let row = Regex::new(r"(?m)^\| `([a-z-]+)` \|").expect("an expression");
    let told: BTreeSet<_> = row.captures_iter(table).map(|found| found[1].to_owned()).collect();
    assert_eq!(codes, told);
}

#[test]
fn no_message_is_explained_that_there_is_not() {
    let sources: Vec<_> = sources().iter().map(|source| shown(source)).collect();
    let is_said = |message: &String| {
        let parts =
            message.split(ANY).map(|part| part.trim_matches(['`', ' '])).filter(|part| !part.is_empty());
        let parts: Vec<_> = parts.collect();
        assert!(!parts.is_empty(), "nothing is sure of `{message}`");
        sources.iter().any(|source| parts.iter().all(|part| source.contains(part)))
    };
    let told = told();
    let gone: Vec<_> = told.iter().filter(|message| !is_said(message)).collect();
    assert!(
        gone.is_empty(),
        "no source says these of docs/troubleshooting.md: they were changed, or are gone: {gone:#?}"
    );
}

#[test]
fn a_message_is_found_however_it_is_written() {
    let source = r#"tracing::warn!(%node, error = call("a (b"), "the node {} {}", a(1)); error!("plain"); tracing::error!("{text}")"#;
    let expected = ["the node … …", "plain"].map(str::to_owned);
    assert_eq!(said(&[source.to_owned()], LOGGED), BTreeSet::from(expected));
}
