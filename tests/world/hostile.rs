//! A drop directory in which anybody may put anything. Whatever it is: nothing outside is touched, nobody else waits, and
//! what is set aside has its reason beside it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use crate::cluster;
use crate::kinds::{CONTENTS, Outside, THINGS};
use crate::process::peak_memory;
use crate::support::{Site, Station};
use crate::tree::{self, Contents};

/// Megabytes that the daemon may use, whatever lies there.
const MEMORY: u64 = 96;

/// Everything but the drop directory and the logs.
fn untouched(station: &Station<'_>) -> Contents {
    let mut tree = tree::without_logs(station.tree());
    tree.retain(|name, _| !name.starts_with("triggers/"));
    tree
}

/// A site that has a series.
fn with_a_site(settings: &str) -> (Station<'static>, Site<'static>) {
    let station = Station::started(cluster(), settings);
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "hostile.a subscribe");
    (station, site)
}

/// Puts a thing of each kind under names of the drop directory: `name(number)`, for each kind.
fn plant(
    station: &Station<'_>,
    outside: &Outside,
    name: impl Fn(usize) -> String,
) -> Vec<(&'static str, String)> {
    let mut planted = Vec::new();
    for (what, make) in THINGS {
        let name = name(planted.len());
        make(&station.at(&format!("triggers/{name}")), outside.path());
        planted.push((*what, name));
    }
    for (what, bytes) in CONTENTS {
        let name = name(planted.len());
        fs::write(station.at(&format!("triggers/{name}")), bytes).expect("write");
        planted.push((*what, name));
    }
    let name = name(planted.len());
    fs::hard_link(outside.path().join("secret"), station.at(&format!("triggers/{name}"))).expect("link");
    planted.push(("a hard link to a file of others", name));
    planted
}

/// A node that is answered only after the drop directory was looked at.
#[track_caller]
fn probe(station: &Station<'_>, node: &str) {
    let site = Site::new(cluster(), node);
    site.subscribe(station, "hostile.b subscribe");
    site.assert_equal(station, &["hostile.b"]);
}

#[test]
fn requests_of_every_kind_are_set_aside_with_the_reason() {
    let (station, site) = with_a_site("settle=1\nrescan=1");
    let outside = Outside::new(&station);
    let (before, state) = (untouched(&station), outside.state());
    for stem in ["subscription_series", "subscribe_series"] {
        // Slow readers of a FIFO and the like must not keep these waiting.
        let planted = plant(&station, &outside, |number| format!("x{number:02}k.{stem}.tgr"));
        for (what, name) in &planted {
            let (aside, reason) =
                (format!("triggers/rejected/{name}"), format!("triggers/rejected/{name}.reason"));
            station.wait_for(what, || {
                (station.has(&aside) && station.has(&reason) && !station.has(&format!("triggers/{name}")))
                    .then_some(())
            });
            assert!(!station.read(&reason).trim().is_empty(), "{what}");
            let sqldone = name.replace(".tgr", ".sqldone");
            assert!(station.await_file(&sqldone).starts_with("failure "), "{what}");
        }
        for (_, name) in &planted {
            fs::remove_file(station.at(&format!("triggers/{}", name.replace(".tgr", ".sqldone"))))
                .expect("remove");
        }
    }
    station.wait_for("the ends of all requests", || (untouched(&station) == before).then_some(()));
    assert_eq!(outside.state(), state);
    let left: Vec<_> = station.names().into_iter().filter(|name| is_dropped(name)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!station.said().contains('\u{1b}'), "escapes do not reach the log");
    site.assert_equal(&station, &["hostile.a"]);
    assert!(peak_memory(&station) < MEMORY, "{} MB", peak_memory(&station));
}

/// Whether the name is of a file in the drop directory itself.
fn is_dropped(name: &str) -> bool {
    name.starts_with("triggers/") && !name.starts_with("triggers/rejected/")
}

#[test]
fn words_of_every_kind_are_no_answer() {
    let (station, site) = with_a_site("rescan=1");
    let outside = Outside::new(&station);
    let state = outside.state();
    // Of nodes of which no request is open: set aside.
    let planted = plant(&station, &outside, |number| format!("x{number:02}k.subscription_series.sqlapplied"));
    for (what, name) in &planted {
        let reason = format!("triggers/rejected/{name}.reason");
        station.wait_for(what, || {
            (station.has(&reason) && !station.has(&format!("triggers/{name}"))).then_some(())
        });
    }
    // Of a node whose request waits for it: nothing of it counts, and the site's own word does.
    site.ask(&station, "hostile.c subscribe");
    site.await_sql(&station);
    let open = station.read("etc/nso.new.cut");
    let path = station.at("triggers/nso.subscription_series.sqlapplied");
    for (number, (what, make)) in THINGS.iter().enumerate() {
        make(&path, outside.path());
        probe(&station, &format!("probe{number}"));
        assert!(station.has("triggers/nso.subscription_series.sqlapplied"), "{what} stays where it is");
        assert_eq!(station.read("etc/nso.new.cut"), open, "{what}");
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(&path).expect("remove");
        } else {
            fs::remove_file(&path).expect("remove");
        }
    }
    site.apply_sql(&station);
    assert!(site.answer(&station, true).starts_with("success true\n"));
    site.assert_equal(&station, &["hostile.a", "hostile.c"]);
    assert_eq!(outside.state(), state);
    assert!(peak_memory(&station) < MEMORY, "{} MB", peak_memory(&station));
}

#[test]
fn acknowledgements_of_every_kind_are_not_believed() {
    let (station, site) = with_a_site("");
    let outside = Outside::new(&station);
    let state = outside.state();
    site.assert_equal(&station, &["hostile.a"]);
    station.stop();
    fs::create_dir(station.at("planted")).expect("mkdir");
    let before = station.tree();
    for (what, name) in plant(&station, &outside, |number| format!("../planted/{number}")) {
        let path = station.at("triggers/nso.counter");
        fs::rename(station.at(&format!("triggers/{name}")), &path).expect("rename");
        let output = station.command(&["tidy"]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("nso.counter"), "{what}: {output:?}");
        assert!(station.command(&["list"]).status.success(), "{what}");
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(&path).expect("remove");
        } else {
            fs::remove_file(&path).expect("remove");
        }
        assert_eq!(station.tree(), before, "{what}");
    }
    assert_eq!(outside.state(), state);
}

#[test]
fn names_of_every_kind_lead_nowhere() {
    let (station, site) = with_a_site("rescan=1");
    let outside = Outside::new(&station);
    let (before, state) = (untouched(&station), outside.state());
    let long = "n".repeat(255 - ".subscription_series.tgr".len());
    let nodes: &[&[u8]] = &[
        b"..%2f..%2fetc%2fx",
        b"%2e%2e",
        b"..",
        b"...",
        b"a b",
        b" ",
        b"a\nb",
        b"a\tb",
        b"\x01\x7f",
        b"\x1b[2J",
        b"\xff\xfe",
        b"caf\xe9",
        "größe".as_bytes(),
        b"-rf",
        b"--help",
        b"*",
        b"$(id)",
        b"`id`",
        b";id",
        b"a'b\"c",
        b"a\\b",
        b"lost+found",
        b"nso.new",
        b"nso.held",
        b"slony_errors",
        long.as_bytes(),
    ];
    for node in nodes {
        let name = [node, b".subscription_series.tgr".as_slice()].concat();
        let path = station.at("triggers").join(OsStr::from_bytes(&name));
        fs::write(path, "node nso\nhostile.b subscribe\nend\n").expect("write");
    }
    for node in nodes {
        let name = [node, b".subscription_series.tgr".as_slice()].concat();
        let name = OsStr::from_bytes(&name);
        // Hidden names mean nothing to anybody.
        let hidden = node.starts_with(b".");
        let place = if hidden { "triggers" } else { "triggers/rejected" };
        station.wait_for(&format!("{name:?}"), || station.at(place).join(name).exists().then_some(()));
        assert_eq!(station.at("triggers").join(name).exists(), hidden, "{name:?}");
    }
    // Names of nodes that look like something else, and twins but for their case, are nodes like any other.
    for node in ["NSO", "Nso", "rejected", "subscription_series", "tgr", "new"] {
        probe(&station, node);
    }
    let registered = untouched(&station);
    let of_others: Vec<_> = before.iter().filter(|(name, _)| *name != "etc/slon_parser.cfg").collect();
    for (name, content) in of_others {
        assert_eq!(registered.get(name), Some(content), "{name}");
    }
    assert_eq!(outside.state(), state);
    let said = station.said();
    assert!(!said.contains('\u{1b}') && !said.contains('\u{7f}'), "control characters do not reach the log");
    site.assert_equal(&station, &["hostile.a"]);
}

/// Every name that the manager writes for a node, by stem.
fn written(node: &str, stem: &str) -> Vec<String> {
    let mut names: Vec<String> =
        ["cfg", "sqldone", "done", "cleanup"].iter().map(|kind| format!("{node}.{stem}.{kind}")).collect();
    names.extend(
        ["createns.sql", "subscribe_series.sql", "sql.tar.gz"].iter().map(|end| format!("{node}.{end}")),
    );
    let hidden: Vec<String> = names.iter().map(|name| format!(".{name}.ready")).collect();
    names.extend(hidden);
    names.push(format!(".{node}.{stem}.tgr.claim"));
    for reason in ["", ".reason"] {
        names.push(format!("rejected/{node}.{stem}.tgr{reason}"));
    }
    names
}

#[test]
fn what_is_planted_under_our_names_is_not_followed() {
    let station = Station::started(cluster(), "rescan=1");
    let outside = Outside::new(&station);
    let state = outside.state();
    // Those that take hold of what is there, and those that only stand in the way.
    let kinds: Vec<_> = THINGS.iter().filter(|(what, _)| !what.contains("megabytes")).collect();
    for (number, (what, make)) in kinds.iter().enumerate() {
        let node = format!("planted{number:02}");
        let site = Site::new(cluster(), &node);
        for round in ["new", "known"] {
            for name in written(&node, "subscription_series") {
                let path = station.at(&format!("triggers/{name}"));
                if !path.exists() && !path.is_symlink() {
                    make(&path, outside.path());
                }
            }
            let series = if round == "new" { "hostile.a" } else { "hostile.b" };
            // What was planted as an answer is set aside or replaced; the request is served all the same.
            site.ask(&station, &format!("{series} subscribe"));
            let sqldone = station.wait_for(what, || {
                let path = station.at(&format!("triggers/{node}.subscription_series.sqldone"));
                let is_plain =
                    fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() < 1 << 20);
                is_plain.then(|| fs::read_to_string(&path).ok()).flatten().filter(|text| !text.is_empty())
            });
            assert!(sqldone.starts_with("cut "), "{what}: {sqldone}");
            for ending in ["createns.sql", "subscribe_series.sql", "subscription_series.cfg"] {
                let path = station.at(&format!("triggers/{node}.{ending}"));
                assert!(fs::symlink_metadata(&path).expect("it is there").is_file(), "{what}: {ending}");
            }
            site.apply_sql(&station);
            assert!(site.answer(&station, true).starts_with("success true\n"), "{what}");
        }
        site.assert_equal(&station, &["hostile.a", "hostile.b"]);
        assert_eq!(outside.state(), state, "{what}");
    }
    // The directory of what is rejected.
    let link = station.at("triggers/aside");
    symlink(outside.path(), &link).expect("symlink");
    // At once: where there is none, the daemon makes one.
    let exchange = rustix::fs::RenameFlags::EXCHANGE;
    rustix::fs::renameat_with(
        rustix::fs::CWD,
        &link,
        rustix::fs::CWD,
        station.at("triggers/rejected"),
        exchange,
    )
    .expect("exchange");
    fs::write(station.at("triggers/a b.subscription_series.tgr"), "x").expect("write");
    station.wait_for("the file to be set aside", || {
        station.has("triggers/rejected/a b.subscription_series.tgr.reason").then_some(())
    });
    assert!(fs::symlink_metadata(station.at("triggers/rejected")).expect("it is there").is_dir());
    assert_eq!(outside.state(), state);
}

#[test]
fn a_device_is_never_opened_for_what_it_is() {
    let (station, site) = with_a_site("settle=1\nrescan=1");
    for (name, major, minor) in [("zero", 1, 5), ("tty", 5, 0)] {
        let file = format!("{name}.subscription_series.tgr");
        let device = rustix::fs::makedev(major, minor);
        let kind = rustix::fs::FileType::CharacterDevice;
        rustix::fs::mknodat(
            rustix::fs::CWD,
            station.at(&format!("triggers/{file}")),
            kind,
            0o666.into(),
            device,
        )
        .expect("this test makes a device, which only root may: run it as root, as CI does");
        let reason = format!("triggers/rejected/{file}.reason");
        station.wait_for(name, || station.has(&reason).then_some(()));
        let said = station.read(&reason);
        assert!(
            said == "this is no plain file\n" || said.contains("do not let the manager read it"),
            "{said}"
        );
    }
    site.assert_equal(&station, &["hostile.a"]);
    assert!(peak_memory(&station) < MEMORY, "{} MB", peak_memory(&station));
}
