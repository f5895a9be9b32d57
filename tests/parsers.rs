//! The bodies of the fuzz targets, on their seeds and on random damage to these: a short form of `make fuzz` for every test run.
//!
//! `PARSERS_DAMAGES=n` makes more of it, `PARSERS_SEED=n` other damage; a failure names the seed of its input and shows it.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

#[path = "parsers/bodies.rs"]
mod bodies;

use std::fs;
use std::panic;
use std::path::Path;

use subscription_manager::spelling::script::{Names, names};
use subscription_manager::subscriber::read_log;

/// Words of all formats, to be put anywhere.
const WORDS: &[&str] = &[
    "node ",
    "subscribe",
    "unsubscribe",
    "end\n",
    "request ",
    "cut ",
    "from ",
    " shown ",
    "list\n",
    "success true\n",
    "failure ",
    "before ",
    "why ",
    " send",
    "file ",
    "skipped ",
    "\"",
    "\"\"",
    ".",
    "..",
    "/",
    "\\",
    "\\\\",
    "\\.\n",
    ";",
    "'",
    "$$",
    "--",
    "/*",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\t",
    " ",
    "=",
    ":",
    "#",
    "{",
    "}",
    ",",
    "NULL",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "é",
    "18446744073709551616",
    "9223372036854775807",
    "-1",
    "0",
];

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parsers/seeds").join(name);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn every_parser_keeps_its_promises_on_damaged_texts() {
    let (damages, first) = (number("PARSERS_DAMAGES", 2000), number("PARSERS_SEED", 1));
    let mut failed = Vec::new();
    for (name, body) in bodies::ALL {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in &seeds {
            failed.extend(check(name, *body, seed, "a seed as it stands"));
        }
        for seed in first..first + damages {
            let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
            let input = damaged(&mut random, &seeds);
            if let Some(fault) = check(name, *body, &input, &format!("PARSERS_SEED={seed} PARSERS_DAMAGES=1"))
            {
                failed.push(fault);
                break;
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Depth and length of every kind are refused, or understood, in time and in the stack of a thread.
#[test]
fn hostile_text_is_survived() {
    let repeat = |text: &str, times: usize| text.repeat(times);
    for times in [11, 40, 100, 1000, 1990, 100_000] {
        for text in [
            format!("update a.b set x = {}1{}", repeat("(", times), repeat(")", times)),
            format!("select * from {}a.b{}", repeat("(", times), repeat(")", times)),
            format!("select * from a.b where {}1{}", repeat("x in (select ", times), repeat(")", times)),
            format!("select * from {}a.b{}", repeat("(select * from ", times), repeat(") t", times)),
            format!("select x{}", repeat("[", times)),
            repeat("(", times),
            repeat("select (", times),
            repeat("/*", times),
            format!("update a.b set x = 1{}", repeat(" + 1", times)),
            format!("update a.b set x = 1{}", repeat("::int", times)),
            format!("update a.b set x = {}1", repeat("- ", times)),
            format!("update a.b set x = {}1", repeat("not ", times)),
            format!("update a.b set x = {}1{}", repeat("case when 1 then ", times), repeat(" end", times)),
            format!("select 1 from a.b{}", repeat(" union select 1", times)),
            format!("select 1 from a.b{}", repeat(" join c on true", times)),
            format!("create table a.b (x {}int{})", repeat("array<", times), repeat(">", times)),
            format!("{}select 1 from a.b", repeat("explain ", times)),
            repeat("begin ", times),
            repeat("a.", times),
            repeat("delete from a.b;", times),
        ] {
            names(text.as_bytes());
        }
    }
    let rows = format!("insert into a.b values {}(1, 'x', null)", repeat("(-1, 'y', null),", 900));
    assert!(matches!(names(rows.as_bytes()), Names::Tables(_)));
}

/// Runs a body; what it panics of is in the output, and which input that was is returned.
fn check(name: &str, body: bodies::Body, input: &[u8], how: &str) -> Option<String> {
    let passed = panic::catch_unwind(|| body(input));
    passed.is_err().then(|| format!("{name}, {how}: {}", input.escape_ascii()))
}

/// One of the seeds with some changes: bytes, words, pieces of others, a cut.
fn damaged(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = random.pick(seeds).clone();
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        let end = at + random.below((input.len() - at).min(40) + 1);
        match random.below(6) {
            0 => input.truncate(at),
            1 => drop(input.splice(at..end, std::iter::empty())),
            2 => drop(input.splice(at..at, random.pick(WORDS).bytes())),
            3 => drop(input.splice(at..end, random.pick(WORDS).bytes())),
            4 => {
                let other = random.pick(seeds).clone();
                let from = random.below(other.len() + 1);
                drop(input.splice(at..end, other[from..].iter().copied().take(200)));
            }
            _ if at < input.len() => input[at] = u8::try_from(random.below(256)).unwrap(),
            _ => {}
        }
    }
    input
}

/// What holds of logs that are applied is asserted of some.
#[test]
fn the_seeds_of_site_logs_are_applied() {
    for seed in seeds("site_log") {
        let name = "slony1_log_2_00000000000000000007.sql".parse().unwrap();
        read_log(std::io::Cursor::new(&seed), "jsoc", name)
            .unwrap_or_else(|error| panic!("{}: {}", error.chain(), seed.escape_ascii()));
    }
}

#[test]
fn every_fuzz_target_has_a_body_and_seeds() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml")).unwrap();
    for (name, _) in bodies::ALL {
        let target = fs::read_to_string(targets.join(format!("{name}.rs"))).unwrap();
        assert!(target.contains(&format!("bodies::{name}(")), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
    }
    // `archive` has its own, in tests/merged.
    assert_eq!(fs::read_dir(targets).unwrap().count(), bodies::ALL.len() + 1);
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Numbers that look random and follow from the seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % limit as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
