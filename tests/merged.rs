//! Nothing is lost and nothing invented: random archives of all formats for random nodes, against a small model of who
//! gets what; and what is damaged, against the body of the fuzz target.
//!
//! `MERGED_ARCHIVES=n` makes more archives, `MERGED_SEED=n` other ones; a failure names the seed of its archive.
#![allow(clippy::unwrap_used, reason = "the helpers of tests panic like tests")]

#[path = "merged/harness.rs"]
mod harness;

#[path = "merged/make.rs"]
mod make;

use std::io::Read;
use std::path::{Path, PathBuf};

use make::{Audience, Cast, Item, Made, Random};
use subscription_manager::logs::{Destination, Expected, Routes, Survey, plan, write};
use subscription_manager::model::{Dialect, SeriesList, Unrouted};

/// A node of the model.
struct Node {
    /// Which of the cast's series it has.
    series: Vec<usize>,
    /// Whether it has the master table of each schema as such.
    masters: bool,
    dialect: Dialect,
    list: SeriesList,
}

#[test]
fn nothing_is_lost_or_invented() {
    let count = number("MERGED_ARCHIVES", 2000);
    let first = number("MERGED_SEED", 1);
    for seed in first..first + count {
        let passed = std::panic::catch_unwind(|| one(seed));
        assert!(passed.is_ok(), "MERGED_SEED={seed} MERGED_ARCHIVES=1");
    }
}

/// An archive that is larger than the window, and statements that are.
#[test]
fn nothing_is_lost_between_windows() {
    for seed in 1..=3 {
        let mut random = Random::new(seed);
        let cast = Cast::of(&mut random);
        let made = Made::of(&mut random, &cast, 10 << 20);
        let nodes = nodes(&mut random, &cast);
        compare(&made, &nodes, &split(&made, &nodes, None));
    }
}

/// Lines of a script that no window of the usual kind holds, and quotes in them that are nobody's name.
#[test]
fn scripts_may_have_any_lines() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/21-ddl-script/archive.sql");
    let script = std::fs::read_to_string(path).unwrap();
    let role = "role to local;\n";
    let long = "x".repeat(600_000);
    for line in [
        format!("select f('{long}');\n"),
        format!("-- {long}\nupdate hmi.m_45s set a = '';\n"),
        format!("delete from only \"hmi\".\"m_45s\" where \"a\"='{long}';\n"),
        "select \"hmi\".f('5\" pipes');\n".to_owned(),
        "select \"a\nb\", '\"', \"c;\";\n".to_owned(),
    ] {
        let archive = script.replacen(role, &format!("{role}{line}"), 1);
        let expected =
            Expected { cluster: "jsoc", name: "slony1_log_2_00000000000000000007.sql".parse().unwrap() };
        for window in [1, 9_000, 550_000, 8 << 20] {
            let survey = Survey::through(archive.as_bytes(), &expected, Vec::new(), window);
            assert!(survey.is_ok(), "a window of {window}: {:?}", survey.err());
        }
        assert!(harness::check(archive.as_bytes()));
    }
}

fn one(seed: u64) {
    let mut random = Random::new(seed);
    let cast = Cast::of(&mut random);
    let size = *random.one_of(&[0, 500, 5_000, 20_000]);
    let made = Made::of(&mut random, &cast, size);
    let nodes = nodes(&mut random, &cast);
    let logs = split(&made, &nodes, None);
    compare(&made, &nodes, &logs);
    let window = *random.one_of(&[1, 100, 9_000]);
    assert_eq!(split(&made, &nodes, Some(window)), logs, "a window of {window}");
    let alone = random.below(nodes.len());
    assert_eq!(split(&made, &nodes[alone..=alone], None)[..], logs[alone..=alone], "a node alone");
}

/// A node of everything, one of nothing, and others, with some series to none and some to several.
fn nodes(random: &mut Random, cast: &Cast) -> Vec<Node> {
    let all = 0..cast.series.len();
    let mut lists = vec![(all.clone().collect(), true), (Vec::new(), false)];
    // One node for each series: together they have all.
    lists.extend(all.clone().map(|series| (vec![series], false)));
    for _ in 0..random.below(3) {
        lists.push((all.clone().filter(|_| random.one_in(2)).collect(), random.one_in(4)));
    }
    let node = |(series, masters): (Vec<usize>, bool)| {
        let dialect = if random.one_in(3) { Dialect::Psql } else { Dialect::Slony };
        let list = cast.list(&series, masters);
        Node { series, masters, dialect, list }
    };
    let mut nodes: Vec<Node> = lists.into_iter().map(node).collect();
    nodes[0].dialect = Dialect::Slony;
    nodes
}

/// The site log of each node, in a window of this size or the usual one.
fn split(made: &Made, nodes: &[Node], window: Option<usize>) -> Vec<Vec<u8>> {
    let name = "slony1_log_2_00000000000000000007.sql".parse().unwrap();
    let expected = Expected { cluster: "jsoc", name };
    let destinations: Vec<Destination<'_>> = nodes
        .iter()
        .enumerate()
        .map(|(node, Node { dialect, list, .. })| Destination {
            node,
            unrouted: Unrouted::Skip,
            dialect: *dialect,
            list,
        })
        .collect();
    let archive = made.bytes.as_slice();
    let survey = match window {
        Some(window) => Survey::through(Trickle(archive), &expected, Vec::new(), window),
        None => Survey::of(archive, &expected, Vec::new()),
    };
    let mut survey = survey.unwrap_or_else(|error| panic!("{error}:\n{}", archive.escape_ascii()));
    let plan = plan(&survey, &Routes::new(&destinations), &made.numbers).unwrap();
    let mut written = vec![Vec::new(); plan.outputs.len()];
    write(&mut survey, || Ok(Trickle(archive)), &expected, &plan, &mut written).unwrap();
    let mut logs = vec![Vec::new(); nodes.len()];
    for (output, bytes) in plan.outputs.iter().zip(written) {
        for destination in &output.destinations {
            logs[*destination].clone_from(&bytes);
        }
    }
    logs
}

/// Hands out a few bytes at a time, and is interrupted.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let some = if self.0.len() > 1 << 20 { 1 << 16 } else { self.0.len() % 97 + 1 };
        let length = buffer.len().min(some);
        self.0.read(&mut buffer[..length])
    }
}

/// Goes through the archive and through all site logs together: each item stands next in the logs of exactly those who
/// have it, and when the archive ends nothing is left of them.
fn compare(made: &Made, nodes: &[Node], logs: &[Vec<u8>]) {
    let mut rest: Vec<&[u8]> = logs.iter().map(Vec::as_slice).collect();
    let mut take = |node: usize, bytes: &[u8], what: &str| {
        let log = rest[node];
        rest[node] = log.strip_prefix(bytes).unwrap_or_else(|| {
            let found = &log[..log.len().min(bytes.len() + 100)];
            panic!("{what} of node {node}:\n{}\nfound:\n{}", bytes.escape_ascii(), found.escape_ascii())
        });
    };
    for (node, Node { dialect, .. }) in nodes.iter().enumerate() {
        take(node, &made.header(*dialect), "the header");
    }
    // Who got the last statement; whose block of rows is open, and how it begins.
    let mut last: Vec<usize> = (0..nodes.len()).collect();
    let mut copying: Vec<usize> = Vec::new();
    let mut block: &[u8] = b"";
    let mut everything = made.bytes[..made.head].to_vec();
    for Item { raw, slony, psql, own, audience } in &made.items {
        let text = |node: usize| if nodes[node].dialect == Dialect::Psql { psql } else { slony };
        match audience {
            Audience::Copy => {
                block = raw;
                copying.clear();
                continue;
            }
            Audience::EndOfCopy => {
                last = std::mem::take(&mut copying);
                last.sort_unstable();
                for node in &last {
                    take(*node, raw, "the end of a block");
                }
                if last.contains(&0) {
                    everything.extend_from_slice(raw);
                }
                continue;
            }
            Audience::Previous => {}
            Audience::Row(_) | Audience::Master(..) => last = having(nodes, audience),
            Audience::All | Audience::Slony | Audience::Series(_) | Audience::Sequence(_) => {
                last = having(nodes, audience);
                last.retain(|node| *audience != Audience::Slony || nodes[*node].dialect == Dialect::Slony);
            }
        }
        for node in &last {
            if matches!(audience, Audience::Row(_) | Audience::Master(_, true)) && !copying.contains(node) {
                copying.push(*node);
                take(*node, block, "the begin of a block");
                if *node == 0 {
                    everything.extend_from_slice(block);
                }
            }
            let stripped = !nodes[*node].masters && matches!(audience, Audience::Master(..));
            take(*node, if stripped { own } else { text(*node) }, "an item");
        }
        if last.contains(&0) {
            everything.extend_from_slice(raw);
        } else {
            assert!(having(nodes, audience).is_empty(), "somebody has what the node of everything has not");
        }
    }
    everything.extend_from_slice(&made.trailer);
    everything.extend_from_slice(b"-- EOL\n");
    for node in 0..nodes.len() {
        take(node, &[&made.trailer[..], b"-- EOL\n"].concat(), "the trailer");
    }
    assert!(rest.iter().all(|rest| rest.is_empty()), "a site log goes on");
    let as_it_stands = made.items.iter().all(|item| item.raw == item.slony);
    assert!(!as_it_stands || logs[0] == everything, "the node of everything has something else");
}

/// Who has an item.
fn having(nodes: &[Node], audience: &Audience) -> Vec<usize> {
    let has = |node: &Node| match audience {
        Audience::All | Audience::Slony => true,
        Audience::Row(series) | Audience::Series(series) => {
            series.is_some_and(|series| node.series.contains(&series))
        }
        Audience::Master(series, _) => {
            node.masters || series.is_some_and(|series| node.series.contains(&series))
        }
        Audience::Sequence(of) => of.iter().any(|series| node.series.contains(series)),
        Audience::Copy | Audience::EndOfCopy | Audience::Previous => false,
    };
    (0..nodes.len()).filter(|node| has(&nodes[*node])).collect()
}

/// Every real archive and every golden one, cut at every byte.
#[test]
fn what_is_cut_is_no_archive() {
    for (path, archive) in archives() {
        let whole = harness::check(&archive);
        for length in 0..archive.len() {
            // One that is none may become one where it goes on behind its end.
            let passed = harness::check(&archive[..length]);
            assert!(!(whole && passed), "{}, cut at {length}", path.display());
        }
        let fault = path.with_file_name("fault").exists();
        assert!(whole || fault || path.extension().unwrap() == "txt", "{}", path.display());
    }
}

/// Every one with bytes replaced, taken out, put in and moved.
#[test]
fn what_is_damaged_never_panics() {
    let count = number("MERGED_DAMAGES", 60);
    let mut random = Random::new(number("MERGED_SEED", 1));
    for (path, archive) in archives() {
        for _ in 0..count {
            let mut damaged = archive.clone();
            for _ in 0..=random.below(3) {
                random.damage(&mut damaged);
            }
            let passed = std::panic::catch_unwind(|| harness::check(&damaged));
            assert!(passed.is_ok(), "{}:\n{}", path.display(), damaged.escape_ascii());
        }
    }
}

fn archives() -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut found = Vec::new();
    for group in ["golden", "archives"] {
        for directory in std::fs::read_dir(root.join(group)).unwrap() {
            let directory = directory.unwrap().path();
            let files = directory.is_dir().then(|| std::fs::read_dir(directory).unwrap());
            found.extend(files.into_iter().flatten().map(|file| file.unwrap().path()));
        }
    }
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    found.retain(|path| path.starts_with(root.join("archives")) || name(path) == "archive.sql");
    found.sort();
    assert!(found.len() > 80);
    found.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect(variable))
}
