//! Files that are no requests: each is refused with its reason, is moved aside, changes nothing else, and the next good
//! request is served.

use std::fs;
use std::path::Path;

use crate::cluster;
use crate::support::{Site, Station};
use crate::tree::{Contents, without_logs};

/// How a bad file comes into being at the path that it is given.
type Make = fn(&Path);

/// Texts that are refused, with the beginning of the reason.
const TEXTS: &[(&str, &str)] = &[
    ("", "line 1: no line `node NAME`: who asks?"),
    ("# only a comment\n\n", "line 2: no line `node NAME`: who asks?"),
    ("archive 0\nhmi.m_45s subscribe\nend\n", "line 3: no line `node NAME`: who asks?"),
    ("node bad\nend\n", "line 2: no line `schema.series subscribe` or `unsubscribe`: nothing is asked for"),
    ("node other\nhmi.m_45s subscribe\nend\n", "the request is of node other, its file of node bad"),
    ("node ../../x\nhmi.m_45s subscribe\nend\n", "line 1: `../../x` is no node name"),
    ("node bad\nhmi.m_45s.extra subscribe\nend\n", "line 2: "),
    ("node bad\nhmi subscribe\nend\n", "line 2: `hmi` is not schema.table"),
    ("node bad\nhmi.m_45s\nend\n", "line 2: hmi.m_45s needs `subscribe` or `unsubscribe` behind it"),
    ("node bad\nhmi.m_45s subscrbe\nend\n", "line 2: `subscrbe` behind hmi.m_45s is neither"),
    ("node bad\narchive many\nhmi.m_45s subscribe\nend\n", "line 2: `archive` must be a whole number"),
    ("node bad\nhmi.m_45s subscribe\nhmi.m_45s unsubscribe\nend\n", "line 3: hmi.m_45s is both"),
    ("node bad\nhmi.m_45s unsubscribe\nend\n", "bad is a new site and has nothing to unsubscribe"),
    ("node bad\nhmi.no_such subscribe\nno.such subscribe\nend\n", "unknown: hmi.no_such, no.such"),
    ("node bad\nhmi.drms_series subscribe\nend\n", "not replicated: hmi.drms_series"),
    ("node bad\nhmi.x\"; drop_table subscribe\nend\n", "line 2: "),
    ("node bad\nhmi.m_45s\0 subscribe\nend\n", "line 2: a NUL byte: this is no text"),
    ("node bad\rhmi.m_45s subscribe\rend\r", "line 1: a lone carriage return"),
];

/// Things that are not even read.
const UNREAD: &[(&str, Make, &str)] = &[
    (
        "a symbolic link",
        |path| std::os::unix::fs::symlink("/etc/passwd", path).expect("symlink"),
        "a symbolic link is not read",
    ),
    ("a FIFO", |path| mkfifo(path), "this is no plain file"),
    ("a directory", |path| fs::create_dir(path).expect("mkdir"), "this is no plain file"),
    (
        "a full directory",
        |path| fs::create_dir_all(path.join("in/it")).expect("mkdir"),
        "this is no plain file",
    ),
    (
        "a huge file",
        |path| fs::File::create(path).and_then(|file| file.set_len(1 << 40)).expect("create a sparse file"),
        "more than 4194304 bytes are not read",
    ),
];

fn mkfifo(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o644.into(), 0).expect("mkfifo");
}

/// Everything but the drop directory: what bad input must not touch. Logs of the good site come all the while.
fn untouched(station: &Station<'_>) -> Contents {
    let mut tree = without_logs(station.tree());
    tree.retain(|name, _| !name.starts_with("triggers/"));
    tree
}

/// The reason in `.sqldone`, which is removed as a client does.
#[track_caller]
fn refusal(station: &Station<'_>, what: &str) -> String {
    let sqldone = station.await_file("bad.subscription_series.sqldone");
    // Until then the request is not closed.
    station.wait_for("the end of the request", || (!station.has("etc/bad.new.cut")).then_some(()));
    fs::remove_file(station.at("triggers/bad.subscription_series.sqldone")).expect("remove .sqldone");
    let reason = sqldone.strip_prefix("failure ").and_then(|rest| rest.strip_suffix('\n'));
    reason.unwrap_or_else(|| panic!("{what}: {sqldone}")).to_owned()
}

/// What lies in `triggers`, `rejected` left out.
fn triggers(station: &Station<'_>) -> Vec<String> {
    let names = station.names().into_iter();
    names.filter(|name| name.starts_with("triggers/") && !name.starts_with("triggers/rejected/")).collect()
}

/// A site that has a series, so that there is something that could be damaged.
fn with_a_site(settings: &str) -> (Station<'static>, Site<'static>) {
    let station = Station::started(cluster(), settings);
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "aia.lev1 subscribe");
    (station, site)
}

const TGR: &str = "bad.subscription_series.tgr";

#[test]
fn a_text_that_is_no_request_is_refused_with_its_reason() {
    let (station, site) = with_a_site("");
    let before = untouched(&station);
    let rubbish: Vec<u8> = (0..5000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 | 1).collect();
    let texts = TEXTS.iter().map(|(text, reason)| (text.as_bytes(), *reason));
    for (text, reason) in texts.chain([(rubbish.as_slice(), "line 1: byte ")]) {
        let shown = String::from_utf8_lossy(text);
        let hidden = station.at("triggers/.bad.part");
        fs::write(&hidden, text).expect("write a trigger");
        fs::rename(hidden, station.at(&format!("triggers/{TGR}"))).expect("rename a trigger");
        let said = refusal(&station, &shown);
        assert!(said.starts_with(reason), "{said:?} does not begin with {reason:?}, for {shown}");
        let kept = fs::read(station.at(&format!("triggers/rejected/{TGR}"))).expect("read the rejected file");
        assert!(kept == text, "the file is kept to the byte, for {shown}");
        let beside = station.read(&format!("triggers/rejected/{TGR}.reason"));
        assert_eq!(beside, format!("{said}\n"));
        assert_eq!(untouched(&station), before, "{shown}");
        station.wait_for("an empty drop directory", || triggers(&station).is_empty().then_some(()));
    }
    let again = Site::new(cluster(), "bad");
    again.subscribe(&station, "aia.lev1 subscribe");
    again.assert_equal(&station, &["aia.lev1"]);
    site.assert_equal(&station, &["aia.lev1"]);
}

#[test]
fn what_is_no_plain_file_is_not_read() {
    let (station, site) = with_a_site("");
    let before = untouched(&station);
    for (what, make, reason) in UNREAD {
        make(&station.at(&format!("triggers/{TGR}")));
        assert_eq!(refusal(&station, what), *reason, "{what}");
        let beside = format!("triggers/rejected/{TGR}.reason");
        station.wait_for(&beside, || station.has(&beside).then_some(()));
        assert_eq!(station.read(&beside), format!("{reason}\n"));
        fs::remove_file(station.at(&beside)).expect("remove the reason");
        assert!(station.has(&format!("triggers/rejected/{TGR}")), "{what}");
        assert!(triggers(&station).is_empty(), "{what}");
        assert_eq!(untouched(&station), before, "{what}");
    }
    site.assert_equal(&station, &["aia.lev1"]);
}

#[test]
fn a_name_without_a_node_is_set_aside() {
    let (station, site) = with_a_site("");
    let before = untouched(&station);
    let long = "n".repeat(200);
    for node in ["", "a b", "nso.new", "-rf", "*", "é", "n\u{1b}[2J", long.as_str()] {
        let name = format!("{node}.subscription_series.tgr");
        // Not `drop_file`: with a dot before it the longest would be too long.
        fs::write(station.at(&format!("triggers/{name}")), "node nso\nhmi.m_45s subscribe\nend\n")
            .expect("write");
        if node.is_empty() {
            // A hidden name; those are left alone.
            continue;
        }
        let aside = format!("triggers/rejected/{name}");
        station.wait_for(&aside, || {
            (station.has(&aside) && station.has(&format!("{aside}.reason"))).then_some(())
        });
        assert!(station.read(&format!("{aside}.reason")).ends_with("is no node name\n"));
    }
    assert_eq!(untouched(&station), before);
    assert_eq!(triggers(&station), ["triggers/.subscription_series.tgr"]);
    assert!(!station.said().contains('\u{1b}'), "escapes do not reach the log");
    site.ask(&station, "hmi.m_45s subscribe");
    assert!(site.await_sql(&station).starts_with("cut "));
}

#[test]
fn strays_are_set_aside_with_the_reason() {
    let (station, _site) = with_a_site("");
    let before = untouched(&station);
    station.drop_file("nso.subscription_series.cfg", "node nso\nhmi.m_45s subscribe\nnew_site true\n");
    station.drop_file("nso.subscription_series.sqlapplied", "node nso\nsuccess true\n");
    let done = station.await_file("nso.subscription_series.done");
    let reason = "no SQL is waiting for this node's word: ask again with a new request";
    assert_eq!(done, format!("success false\nreason {reason}\naia.lev1\n"), "with the series of the node");
    for (kind, reason) in [("cfg", "no request of this node is open"), ("sqlapplied", reason)] {
        let name = format!("triggers/rejected/nso.subscription_series.{kind}.reason");
        station.wait_for(&name, || station.has(&name).then_some(()));
        assert_eq!(station.read(&name), format!("{reason}\n"));
    }
    assert_eq!(triggers(&station), ["triggers/nso.subscription_series.done"]);
    assert_eq!(untouched(&station), before);
}

#[test]
fn a_new_site_is_refused_while_its_directory_is_something_else() {
    let (station, site) = with_a_site("");
    let (directory, bad) = (station.at("site_logs/bad"), Site::new(cluster(), "bad"));
    let makes: [(&str, Make); 3] = [
        ("a link to a directory", |path| {
            let elsewhere = path.with_file_name("elsewhere");
            fs::create_dir(&elsewhere).expect("mkdir");
            std::os::unix::fs::symlink(elsewhere, path).expect("symlink");
        }),
        ("a link to nothing", |path| std::os::unix::fs::symlink("nothing", path).expect("symlink")),
        ("a file", |path| fs::write(path, "").expect("write")),
    ];
    let reason = "the data centre has a link or a file where the directory of bad is to be: its operator must remove that";
    for (what, make) in makes {
        make(&directory);
        bad.ask(&station, "aia.lev1 subscribe");
        assert_eq!(refusal(&station, what), reason, "{what}");
        fs::remove_file(&directory).expect("remove it");
    }
    // An empty one is as good as none.
    fs::create_dir(&directory).expect("mkdir");
    bad.subscribe(&station, "aia.lev1 subscribe");
    bad.assert_equal(&station, &["aia.lev1"]);
    site.assert_equal(&station, &["aia.lev1"]);
}
