//! What must lie there, file for file, and what the splitter must have made of the archives.

use std::collections::BTreeMap;
use std::fs;

use crate::support::station::log_name;
use crate::support::{Cluster, Station};

/// Names below the installation, with the text of small files, the digest of site logs and the mode of directories.
pub(crate) type Contents = BTreeMap<String, String>;

/// What lies there now.
#[track_caller]
pub(crate) fn contents(station: &Station<'_>) -> Contents {
    let mut tree = station.tree();
    for (name, value) in &mut tree {
        if !name.ends_with('/') && !name.contains("/slony1_log_") {
            *value = fs::read_to_string(station.at(name)).unwrap_or_else(|_| value.clone());
        }
    }
    tree
}

/// Fails with the names that differ.
#[track_caller]
pub(crate) fn assert_contents(found: &Contents, expected: &Contents) {
    let names: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let differing: Vec<String> = names
        .into_iter()
        .filter(|name| found.get(*name) != expected.get(*name))
        .map(|name| {
            format!("{name}\n  found:    {:?}\n  expected: {:?}", found.get(name), expected.get(name))
        })
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// What lies in an installation in which nothing was ever asked for.
pub(crate) fn nothing() -> Contents {
    let directories = ["triggers/rejected/"].map(|name| (name.to_owned(), "755".to_owned()));
    directories.into_iter().collect()
}

/// A registered node without an open request: `cuts` are its sections of `.cuts`, the last one its list.
pub(crate) fn node(station: &Station<'_>, node: &str, cuts: &[(u64, &[&str])]) -> Contents {
    let sequence =
        |name: &&str| if crate::has_sequence(name) { format!(" {name}_seq") } else { String::new() };
    let section = |(from, list): &(u64, &[&str])| {
        let lines: String = list.iter().map(|name| format!("{name}{}\n", sequence(name))).collect();
        format!("from {from}\n{lines}")
    };
    let list: String =
        cuts.last().into_iter().flat_map(|(_, list)| *list).map(|name| format!("{name}\n")).collect();
    let at = |path: &str| station.at(path).display().to_string();
    Contents::from([
        (format!("etc/{node}.cuts"), cuts.iter().map(section).collect()),
        (format!("etc/{node}.lst"), list),
        (
            "etc/slon_parser.cfg".to_owned(),
            format!("{}\t{}\n", at(&format!("site_logs/{node}")), at(&format!("etc/{node}.lst"))),
        ),
        (format!("site_logs/{node}/"), "755".to_owned()),
    ])
}

/// The site logs that a directory must hold for these counters: what an installation makes of the same archives that has
/// had this list for ever, and never an open request. Both ends are included.
#[track_caller]
pub(crate) fn logs(cluster: &Cluster, directory: &str, list: &[&str], from: u64, to: u64) -> Contents {
    if from > to {
        return Contents::new();
    }
    let control = Station::new(cluster, "");
    let lines: String = list.iter().map(|name| format!("{name}\n")).collect();
    let at = |path: &str| control.at(path);
    fs::create_dir(at("site_logs/control")).expect("create a directory");
    fs::write(at("etc/control.lst"), lines).expect("write a list");
    let registry = format!("{}\t{}\n", at("site_logs/control").display(), at("etc/control.lst").display());
    fs::write(at("etc/slon_parser.cfg"), registry).expect("write a registry");
    fs::write(at("work/split.counter"), format!("{}\n", from - 1)).expect("write a counter");
    let output = control.command(&["split", "--until", &to.to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = control.tree();
    (from..=to)
        .map(|counter| {
            let name = log_name(counter);
            let made = tree.get(&format!("site_logs/control/{name}")).expect("every archive gives a log");
            (format!("site_logs/{directory}/{name}"), made.clone())
        })
        .collect()
}

/// Without site logs, and without those that are being written: where archives come and go on.
pub(crate) fn without_logs(mut contents: Contents) -> Contents {
    let is_log = |name: &str| {
        name.starts_with("site_logs/") && (name.contains("/slony1_log_") || name.contains("/.tmp-"))
    };
    contents.retain(|name, _| !is_log(name));
    contents
}

/// The site logs among the contents, of one directory, for these counters.
pub(crate) fn only_logs(contents: &Contents, directory: &str, from: u64, to: u64) -> Contents {
    let wanted = (from..=to).map(|counter| format!("site_logs/{directory}/{}", log_name(counter)));
    wanted.filter_map(|name| Some((name.clone(), contents.get(&name)?.clone()))).collect()
}

/// The cut that a `.sqldone` names.
#[track_caller]
pub(crate) fn cut(sqldone: &str) -> u64 {
    let cut = sqldone.strip_prefix("cut ").and_then(|rest| rest.lines().next()?.parse().ok());
    cut.unwrap_or_else(|| panic!("no cut in {sqldone:?}"))
}
