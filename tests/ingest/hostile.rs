//! What a server may not make a site do: nothing of a bad bundle or log is applied, and nothing is written but in the
//! site's own directories.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

use crate::desk::{Desk, log, log_of, tree};
use crate::support::station::log_name;

/// A member of a bundle: its name, its kind and its bytes.
type Member<'m> = (&'m str, EntryType, &'m [u8]);

fn packed(members: &[Member<'_>]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, kind, bytes) in members {
        let mut header = Header::new_gnu();
        // As it stands: the crate would refuse most of these.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(if kind.is_file() || kind.is_gnu_longname() { bytes.len() as u64 } else { 0 });
        if !kind.is_file() && !kind.is_gnu_longname() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        let bytes = if kind.is_file() || kind.is_gnu_longname() { *bytes } else { b"" };
        archive.append(&header, bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn a_bundle_is_what_its_name_says_or_nothing_of_it_is_taken() {
    let desk = Desk::new("");
    let logs: Vec<(String, String)> = (8..=10).map(|counter| (log_name(counter), log(counter))).collect();
    let plain = |at: usize| (logs[at].0.as_str(), EntryType::Regular, logs[at].1.as_bytes());
    let as_name =
        |name: &'static str| vec![plain(0), (name, EntryType::Regular, b"-- EOL\n".as_slice()), plain(2)];
    let as_kind =
        |kind: EntryType| vec![plain(0), (logs[1].0.as_str(), kind, logs[1].1.as_bytes()), plain(2)];
    let good = [plain(0), plain(1), plain(2)];
    let with = |further: Member<'static>| [good.as_slice(), &[further]].concat();
    let eleven = log_name(11);
    let absolute = desk.at("pwned");
    let absolute: &'static str = absolute.to_str().unwrap().to_owned().leak();
    let mut cases = vec![
        ("outside", as_name("../../pwned"), "`../../pwned` in it is no log"),
        ("absolute", as_name(absolute), "in it is no log"),
        ("a path", as_name("x/slony1_log_2_00000000000000000009.sql"), "in it is no log"),
        ("hidden", as_name(".slony1_log_2_00000000000000000009.sql"), "in it is no log"),
        ("another name", as_name("authorized_keys"), "in it is no log"),
        ("another node", as_name("slony1_log_3_00000000000000000009.sql"), "a log of another Slony node"),
        ("one is missing", vec![plain(0), plain(2)], "log 9 is not in it"),
        ("the last is missing", vec![plain(0), plain(1)], "log 10 is not in it"),
        ("nothing", vec![], "log 8 is not in it"),
        ("twice", vec![plain(0), plain(1), plain(1), plain(2)], "is in it twice"),
        ("too many", with((eleven.leak(), EntryType::Regular, b"-- EOL\n")), "is none of its logs"),
        ("not whole", as_name("slony1_log_2_00000000000000000009.sql"), "its last line is not `-- EOL`"),
        ("a long name", with(("././@LongLink", EntryType::GNULongName, b"../../pwned\0")), "no plain file"),
    ];
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Directory,
        EntryType::GNUSparse,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ] {
        cases.push(("a kind", as_kind(kind), "no plain file"));
    }
    let here = || {
        let mut tree = tree(desk.root.path());
        tree.retain(|path, _| !path.starts_with(desk.at("site_logs")) && !path.starts_with(desk.at("work")));
        tree
    };
    desk.catches_up();
    let before = here();
    for (what, members, words) in cases {
        desk.write("slony_logs_8-10.tar.gz", packed(&members));
        let run = desk.run();
        assert!(run.status.code() == Some(4) && run.said.contains(words), "{what}: {run:#?}");
        assert_eq!(desk.state(), "at 7", "{what}");
        assert!(here() == before, "{what}: {:#?}", here().keys());
    }
    // Damaged on its way, or at the server.
    let whole = packed(&good);
    let mut turned = whole.clone();
    let middle = turned.len() / 2;
    turned[middle] ^= 0x55;
    let mut trailed = whole.clone();
    trailed.extend(b"trailing rubbish");
    for bytes in
        [whole[..whole.len() / 2].to_vec(), whole[..whole.len() - 4].to_vec(), turned, trailed, vec![]]
    {
        desk.write("slony_logs_8-10.tar.gz", bytes);
        desk.run().expect_says(4, "bundle slony_logs_8-10.tar.gz");
        assert_eq!(desk.state(), "at 7");
        assert!(here() == before);
    }
    desk.write("slony_logs_8-10.tar.gz", whole);
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(10));
}

#[test]
fn a_bomb_is_not_swallowed() {
    let desk = Desk::new("");
    // More than a gigabyte of zeros.
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    let mut header = Header::new_gnu();
    header.set_path(log_name(8)).unwrap();
    header.set_mode(0o644);
    header.set_entry_type(EntryType::Regular);
    header.set_size(1100 << 20);
    header.set_cksum();
    packer.write_all(header.as_bytes()).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..1100 {
        packer.write_all(&zeros).unwrap();
    }
    // Not wanted, but in it.
    desk.own("update _jsoc.sl_archive_tracking set at_counter = 8");
    desk.write("slony_logs_8-9.tar.gz", packer.finish().unwrap());
    desk.run().expect_says(4, "more comes out of it than can be believed");
    assert_eq!(desk.names("logs/jsoc"), "");
}

#[test]
fn a_log_is_what_its_name_says_or_it_is_not_applied() {
    let desk = Desk::new("");
    let good = log(9);
    let in_a_row = &good[..good.find("-- EOL").unwrap()];
    let row = |command: &str| log_of(9, &format!("1\t17\t1\t1\taia\tl\t{command}\n"));
    for (what, text, words) in [
        ("no end", good.replace("\n-- EOL\n", "\n"), "is not whole at the server"),
        ("cut in a row", format!("{in_a_row}-- EOL\n"), "is not whole at the server"),
        ("cut behind a row", format!("{}\n-- EOL\n", good.split("\\.\n").next().unwrap()), "site log"),
        ("more behind the end", format!("{good}select 1;\n"), "is not whole at the server"),
        ("another counter", log(10), "site log"),
        ("another cluster", good.replace("_jsoc", "_other"), "site log"),
        ("no table", row("I\t0\t{id,9}").replace("\tl\t", "\tnone\t"), "site log"),
        ("no column", row("I\t0\t{nothing,9}"), "site log"),
        ("no value", row("I\t0\t{id,nine}"), "site log"),
        ("nothing", String::new(), "is not whole at the server"),
    ] {
        desk.publish([8]);
        desk.write(&log_name(9), text);
        let run = desk.run();
        assert!(run.status.code() == Some(4) && run.said.contains(words), "{what}: {run:#?}");
        assert_eq!(desk.state(), Desk::all_up_to(8), "{what}");
        assert_eq!(desk.names("logs/jsoc"), "slony_counter.txt", "{what}");
        assert_eq!(desk.read("site_logs/nso/slony_counter.txt"), "8\n", "{what}");
    }
    desk.publish([9]);
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(9));
}

#[test]
fn links_and_other_things_with_the_names_of_logs_are_not_followed() {
    let desk = Desk::new("");
    let at = |name: &str| desk.at(&format!("site_logs/nso/{name}"));
    fs::write(desk.at("elsewhere"), log(8)).unwrap();
    std::os::unix::fs::symlink(desk.at("elsewhere"), at(&log_name(8))).unwrap();
    fs::create_dir(at(&log_name(9))).unwrap();
    desk.catches_up();
    assert_eq!(desk.state(), "at 7");
    // What lies here in their way does not lead outside either.
    fs::remove_file(at(&log_name(8))).unwrap();
    fs::remove_dir(at(&log_name(9))).unwrap();
    desk.publish([8]);
    let victim = desk.at("victim");
    fs::write(&victim, "mine").unwrap();
    std::os::unix::fs::symlink(&victim, desk.at(&format!("logs/jsoc/.nso/.{}.part", log_name(8)))).unwrap();
    desk.catches_up();
    assert_eq!((desk.state(), fs::read_to_string(victim).unwrap()), (Desk::all_up_to(8), "mine".to_owned()));
}
