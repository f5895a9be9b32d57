//! docs/moving.md: a tree as the NetDRMS scripts leave it is taken over in place, and can be given back.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::station::log_name;
use crate::support::{Site, Station};
use crate::tools::{OldSite, SERIES, write};
use crate::{alone, cluster};

/// What the deployed parser does, as far as others can see it: for each line of the registry it keeps of every archive the
/// rows of the tables in the list, and all lines that are no rows. It knows nothing of commits, cuts and master tables.
struct Parser {
    registry: PathBuf,
    /// The last archive that it has parsed.
    at: u64,
}

impl Parser {
    /// Parses what slon has named meanwhile.
    fn run(&mut self) {
        let archives = cluster().archive_dir();
        while let Ok(text) = fs::read_to_string(archives.join(log_name(self.at + 1))) {
            self.at += 1;
            for (directory, list) in self.lines() {
                let tables =
                    fs::read_to_string(&list).unwrap_or_else(|error| panic!("{}: {error}", list.display()));
                let tables: BTreeSet<_> = tables.lines().map(|line| line.trim().to_lowercase()).collect();
                fs::write(directory.join(log_name(self.at)), cut_down(&text, &tables))
                    .expect("write a site log");
            }
        }
    }

    /// The registry as Perl's `split` reads it.
    fn lines(&self) -> Vec<(PathBuf, PathBuf)> {
        let text = fs::read_to_string(&self.registry).expect("read the registry");
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
        words
            .map(|words| match words[..] {
                [directory, list] => (PathBuf::from(directory), PathBuf::from(list)),
                _ => panic!("the deployed parser does not understand `{words:?}`"),
            })
            .collect()
    }
}

/// The archive with the rows of these tables alone.
fn cut_down(archive: &str, tables: &BTreeSet<String>) -> String {
    let mut in_rows = false;
    let mut kept = String::new();
    for line in archive.split_inclusive('\n') {
        let fields: Vec<_> = line.split('\t').collect();
        let is_kept = match (in_rows && line != "\\.\n", &fields[..]) {
            (true, [_, _, _, _, schema, table, ..]) => tables.contains(&format!("{schema}.{table}")),
            _ => true,
        };
        in_rows = line.starts_with("COPY ") || (in_rows && line != "\\.\n");
        kept += if is_kept { line } else { "" };
    }
    kept
}

/// Makes a tree as the scripts leave it: their directories end with a slash, their lists keep the case of the request, and
/// an operator has written a comment into the registry.
fn netdrms(station: &Station<'_>) -> Parser {
    fs::create_dir(station.at("site_logs/old")).expect("create a directory");
    fs::write(station.at("etc/old.lst"), "tools.A\ntools.b\n").expect("write a list");
    let line =
        format!("{}/ {}\n", station.at("site_logs/old").display(), station.at("etc/old.lst").display());
    fs::write(station.at("etc/slon_parser.cfg"), format!("# sites of the cluster\n{line}"))
        .expect("write a registry");
    Parser { registry: station.at("etc/slon_parser.cfg"), at: cluster().archiver_counter() }
}

/// Applies what the deployed parser has written, and compares.
#[track_caller]
fn assert_equal_by_parser(site: &OldSite<'_>, parser: &mut Parser) {
    cluster().sync();
    let original = cluster().original(&SERIES).counter;
    parser.run();
    while site.counter() < original {
        let output = site.psql(&site.log(site.counter() + 1));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    site.compare(original);
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("list a directory");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_tree_of_the_netdrms_scripts_is_taken_over_and_given_back() {
    let _turn = alone();
    let station = Station::new(cluster(), "site_dialects=old:slony");
    let mut parser = netdrms(&station);
    let site = OldSite::dumped(&station, "takeover");
    write();
    assert_equal_by_parser(&site, &mut parser);
    let (registry, list) = (station.read("etc/slon_parser.cfg"), station.read("etc/old.lst"));
    let theirs = names(&station.at("site_logs/old"));

    // The parser is stopped, and more comes before the daemon starts: it goes on behind the last log of the site.
    write();
    cluster().sync();
    let found = station.command(&["check"]);
    let said = String::from_utf8_lossy(&found.stdout).into_owned();
    assert_ne!(found.status.code(), Some(2), "{said}{}", String::from_utf8_lossy(&found.stderr));
    for harm in ["foreign-entry", "registry-unreadable", "list-missing", "leftover", "stale-new", "gap]"] {
        assert!(!said.contains(harm), "{said}");
    }
    let before = (station.tree(), site.counter());
    station.start();
    write();
    site.assert_equal_by_psql();
    assert!(site.counter() > before.1);
    assert_eq!((station.read("etc/slon_parser.cfg"), station.read("etc/old.lst")), (registry, list));
    assert!(names(&station.at("site_logs/old")).is_superset(&theirs), "what the parser wrote stays");

    // A new site comes, by the daemon.
    let fresh = Site::new(cluster(), "fresh");
    fresh.subscribe(&station, "tools.b subscribe");
    write();
    fresh.assert_equal(&station, &["tools.b"]);
    site.assert_equal_by_psql();

    // The way back. The registry and the lists are as the deployed parser reads them, and it goes on behind the last split.
    station.stop();
    parser.at = station.counter().expect("a counter");
    assert_eq!(parser.lines().len(), 2, "{}", station.read("etc/slon_parser.cfg"));
    assert_eq!(station.read("etc/fresh.lst"), "tools.b\n");
    assert!(station.read("etc/slon_parser.cfg").starts_with("# sites of the cluster\n"));
    write();
    assert_equal_by_parser(&site, &mut parser);
    let log = fs::read_to_string(fresh.log(&station, parser.at)).expect("a log of the new site");
    assert!(log.contains("archiveTracking_offline"), "{log}");

    // And forth again: what the parser has written meanwhile is not written anew.
    fs::remove_file(station.at("work/split.counter")).expect("forget the place");
    let theirs = fs::read(site.log(parser.at)).expect("a log");
    station.start();
    write();
    site.assert_equal_by_psql();
    assert_eq!(fs::read(site.log(parser.at)).expect("a log"), theirs);
}
