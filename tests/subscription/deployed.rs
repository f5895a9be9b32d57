//! The deployed dialect, `subscribe_series`: one tarball, clients that remove and append what they like, and take any
//! `.done` for success.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use flate2::read::GzDecoder;

use crate::feed::Feed;
use crate::support::{Site, Station};
use crate::tree::{assert_contents, contents, nothing};
use crate::{change, cluster};

/// The group and the user that a subscriber's ssh account has, where the tests may choose (any but the daemon's will do).
const ELSEWHERE: u32 = 60;

/// Whether the tests run as root, and so can play two users.
fn is_root() -> bool {
    fs::metadata("/proc/self").expect("stat /proc/self").uid() == 0
}

/// Asks as the deployed script does: words behind the verb, no `end`, renamed into place with the subscriber's group.
fn ask(station: &Station<'_>, node: &str, lines: &str) {
    let hidden = station.at(&format!("triggers/.{node}.part"));
    let text = format!("node={node}\narchive=0\nretention=60\ntapegroup=0\n{lines}\n");
    fs::write(&hidden, text).expect("write a trigger");
    if is_root() {
        chown(&hidden, None, Some(ELSEWHERE)).expect("chown a trigger");
    }
    fs::rename(hidden, station.at(&format!("triggers/{node}.subscribe_series.tgr")))
        .expect("rename a trigger");
}

/// Waits for the tarball, unpacks it, and removes it and `.sqldone` as the client does; returns the members' names and
/// the text of `.sqldone`.
#[track_caller]
fn fetch(station: &Station<'_>, node: &str, into: &Path) -> (Vec<String>, String) {
    let sqldone = station.await_file(&format!("{node}.subscribe_series.sqldone"));
    assert!(sqldone.starts_with("cut "), "{sqldone}");
    fs::create_dir(into).expect("create a directory");
    let path = station.at(&format!("triggers/{node}.sql.tar.gz"));
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(&path).expect("open the tarball")));
    let mut names = Vec::new();
    for member in archive.entries().expect("read the tarball") {
        let mut member = member.expect("read the tarball");
        names.push(member.path().expect("a name").display().to_string());
        member.unpack_in(into).expect("unpack");
    }
    fs::remove_file(path).expect("remove the tarball");
    fs::remove_file(station.at(&format!("triggers/{node}.subscribe_series.sqldone")))
        .expect("remove .sqldone");
    (names, sqldone)
}

/// Appends to `.cfg` and copies it to `.sqlapplied` in place, with a shell of the subscriber's own account.
#[track_caller]
fn append(station: &Station<'_>, node: &str, line: &str) {
    let mut shell = Command::new("sh");
    let script = r#"echo "$2" >>"$1.cfg" && cp "$1.cfg" "$1.sqlapplied""#;
    shell.args(["-c", script, "sh", &format!("{node}.subscribe_series"), line]);
    shell.current_dir(station.at("triggers"));
    if is_root() {
        shell.uid(ELSEWHERE).gid(ELSEWHERE);
    }
    assert!(shell.status().expect("run sh").success());
}

/// A data centre whose drop directory belongs to the subscribers' group.
fn station(settings: &str) -> Station<'static> {
    let station = Station::started(cluster(), settings);
    if is_root() {
        let triggers = station.at("triggers");
        chown(&triggers, None, Some(ELSEWHERE)).expect("chown triggers");
        fs::set_permissions(&triggers, fs::Permissions::from_mode(0o775)).expect("chmod triggers");
    }
    station
}

#[test]
fn deployed_clients_are_served_as_by_the_deployed_scripts() {
    let station = station("");
    let site = Site::new(cluster(), "nso");
    let trigger = |kind: &str| format!("triggers/nso.subscribe_series.{kind}");
    ask(&station, "nso", "deployed.a subscribe 0 60 0\nmdi.fd_M_96m_lev18\tsubscribe");
    let (names, sqldone) = fetch(&station, "nso", &station.at("unpacked"));
    assert_eq!(names, ["nso.deployed.createns.sql", "nso.mdi.createns.sql", "nso.subscribe_series.sql"]);
    assert!(sqldone.ends_with("\ndeployed.a\nmdi.fd_m_96m_lev18\n"), "{sqldone}");
    for name in &names {
        site.apply(&station.at("unpacked").join(name));
    }
    let retention = "select retention || ' ' || archive || ' ' || owner from mdi.drms_series";
    assert_eq!(site.query(retention), "60 0 slony");

    let cfg = station.at(&trigger("cfg")).metadata().expect("stat .cfg");
    assert_eq!(cfg.mode() & 0o777, 0o664);
    assert!(!is_root() || cfg.gid() == ELSEWHERE, "the group of the request, not {}", cfg.gid());
    assert!(station.read(&trigger("cfg")).ends_with("subscribe\nnew_site true\n"));
    // The request is open although the client has removed what it was told.
    append(&station, "nso", "success true");
    station.await_file("nso.subscribe_series.done");
    assert_eq!(station.read(&trigger("done")), "success true\ndeployed.a\nmdi.fd_m_96m_lev18\n");
    assert!(!station.has(&trigger("sqlapplied")) && !station.has(&trigger("cfg")));
    change("deployed.a");
    site.assert_equal(&station, &["deployed.a", "mdi.fd_m_96m_lev18"]);

    // It leaves `.done` lying and asks again.
    ask(&station, "nso", "deployed.b subscribe\nmdi.fd_m_96m_lev18 unsubscribe");
    let (names, _) = fetch(&station, "nso", &station.at("again"));
    assert_eq!(names, ["nso.deployed.createns.sql", "nso.subscribe_series.sql"]);
    assert!(!station.has(&trigger("done")), "an old answer is gone before the new one is there");
    for name in &names {
        site.apply(&station.at("again").join(name));
    }
    append(&station, "nso", "success true");
    station.await_file("nso.subscribe_series.done");
    change("deployed.b");
    site.assert_equal(&station, &["deployed.a", "deployed.b"]);
}

/// The deployed client, operation by operation as it does them over ssh, from the trigger to the end. It takes no name
/// that holds `error`, reads the tarball in pieces by the size that it was told, and replaces `.sqlapplied` by a copy.
const DEPLOYED_CLIENT: &str = r#"
set -eu
at=$PWD; node=$1; into=$2
wait_for() {
    tries=0
    until ls "$at" | grep -q "$1"; do
        ls "$at" | grep -q error && { echo "a name with error: $(ls "$at")"; exit 1; }
        tries=$((tries + 1)); [ "$tries" -lt 600 ] || { echo "no $1"; exit 1; }
        sleep 0.1
    done
}
wait_for "$node.subscribe_series.sqldone"
if cat "$node.subscribe_series.sqldone" | grep -E 'error|failure'; then exit 1; fi
bytes=$(stat -c %s "$node.sql.tar.gz")
piece=4096; done=0
while [ "$done" -lt "$bytes" ]; do
    dd if="$node.sql.tar.gz" bs=$piece skip=$((done / piece)) count=1 2>/dev/null >>"$into"
    done=$((done + piece))
done
rm "$node.sql.tar.gz"
echo "success true" >>"$node.subscribe_series.cfg"
cp -f "$node.subscribe_series.cfg" "$node.subscribe_series.sqlapplied"
rm -f "$node.subscribe_series.sqldone"
wait_for "$node.subscribe_series.done"
rm "$node.subscribe_series.done"
if ls "$at" | grep "^$node"; then exit 1; fi
"#;

#[test]
fn the_deployed_clients_file_operations_work_for_another_user() {
    let station = station("");
    ask(&station, "nso", "deployed.a subscribe");
    let into = station.at("fetched.tar.gz");
    fs::write(&into, "").expect("make a file");
    let mut shell = Command::new("sh");
    shell.args(["-c", DEPLOYED_CLIENT, "sh", "nso"]).arg(&into).current_dir(station.at("triggers"));
    if is_root() {
        chown(&into, Some(ELSEWHERE), Some(ELSEWHERE)).expect("chown");
        shell.uid(ELSEWHERE).gid(ELSEWHERE);
    }
    let output = shell.output().expect("run sh");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}\n{}", String::from_utf8_lossy(&output.stderr), station.said());
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(&into).expect("open the tarball")));
    assert_eq!(archive.entries().expect("read the tarball").count(), 2);
    assert_eq!(station.read("etc/nso.lst"), "deployed.a\n");
}

#[test]
fn a_deployed_client_that_fails_is_rolled_back() {
    let station = station("");
    ask(&station, "nso", "deployed.a subscribe");
    fetch(&station, "nso", &station.at("unpacked"));
    append(&station, "nso", "success false");
    let done = station.await_file("nso.subscribe_series.done");
    assert!(done.starts_with("success false\n"), "{done}");
    fs::remove_file(station.at("triggers/nso.subscribe_series.done")).expect("remove .done");
    let mut expected = nothing();
    expected.insert("etc/slon_parser.cfg".to_owned(), String::new());
    let mut found = contents(&station);
    found.remove("triggers/");
    assert_contents(&found, &expected);
}

#[test]
fn names_that_deployed_clients_cannot_tell_apart_are_refused() {
    let station = station("");
    ask(&station, "nso", "deployed.a subscribe");
    fetch(&station, "nso", &station.at("unpacked"));
    append(&station, "nso", "success true");
    station.await_file("nso.subscribe_series.done");
    let registry = station.read("etc/slon_parser.cfg");
    for node in ["so", "xnso"] {
        ask(&station, node, "deployed.a subscribe");
        let sqldone = station.await_file(&format!("{node}.subscribe_series.sqldone"));
        assert!(
            sqldone.starts_with(&format!("failure the name {node} cannot be told from nso")),
            "{sqldone}"
        );
        assert!(!station.has(&format!("triggers/{node}.subscribe_series.done")));
        let beside = format!("triggers/rejected/{node}.subscribe_series.tgr.reason");
        station.wait_for(&beside, || station.has(&beside).then_some(()));
    }
    assert_eq!(station.read("etc/slon_parser.cfg"), registry);
    // The document's clients match names exactly.
    let site = Site::new(cluster(), "so");
    site.subscribe(&station, "deployed.a subscribe");
    assert_eq!(station.read("etc/so.lst"), "deployed.a\n");
}

#[test]
fn a_deployed_client_that_does_not_answer_is_told_so_without_done() {
    let station = station("request_days=0");
    ask(&station, "nso", "deployed.a subscribe");
    let path = station.at("triggers/nso.subscribe_series.sqldone");
    let sqldone = station.wait_for("the refusal", || {
        fs::read_to_string(&path).ok().filter(|text| text.starts_with("failure "))
    });
    assert_eq!(sqldone, "failure nobody said within 0 days whether the SQL could be applied\n");
    station.wait_for("the end", || (!station.has("etc/nso.new.cut")).then_some(()));
    let triggers: Vec<_> = station.names().into_iter().filter(|name| name.starts_with("triggers/")).collect();
    assert_eq!(
        triggers,
        [
            "triggers/nso.subscribe_series.sqldone",
            "triggers/rejected/",
            "triggers/rejected/nso.subscribe_series.tgr",
            "triggers/rejected/nso.subscribe_series.tgr.reason"
        ]
    );
    assert!(!station.has("site_logs/nso.new") && !station.has("etc/nso.new.lst"));
    assert_eq!(station.read("etc/slon_parser.cfg"), "");
}

#[test]
fn who_leaves_a_series_is_told_the_end_when_the_logs_with_its_rows_are_there() {
    let feed = Feed::new(cluster());
    let station = station(&(feed.setting() + "\nrescan=1"));
    let site = Site::new(cluster(), "nso");
    let done = || station.has("triggers/nso.subscribe_series.done");
    ask(&station, "nso", "deployed.a subscribe\ndeployed.b subscribe");
    let (names, sqldone) = fetch(&station, "nso", &station.at("unpacked"));
    for name in &names {
        site.apply(&station.at("unpacked").join(name));
    }
    let first = crate::tree::cut(&sqldone);
    append(&station, "nso", "success true");
    station.await_file("nso.subscribe_series.done");
    // Rows of what it is about to leave, in archives that the splitter does not see yet.
    change("deployed.b");
    cluster().sync();
    ask(&station, "nso", "deployed.b unsubscribe");
    let (names, sqldone) = fetch(&station, "nso", &station.at("again"));
    let second = crate::tree::cut(&sqldone);
    assert!(second > first && station.counter().expect("a counter") <= first);
    for name in &names {
        site.apply(&station.at("again").join(name));
    }
    append(&station, "nso", "success true");
    station.await_file("nso.subscribe_series.cleanup");
    // A restart does not hurry it, and others are served.
    station.stop();
    station.start();
    ask(&station, "other", "deployed.c subscribe");
    station.await_file("other.subscribe_series.sqldone");
    feed.until(&station, second - 1);
    assert!(!done(), "a log with rows of the series is still to come");
    feed.until(&station, second);
    station.await_file("nso.subscribe_series.done");
    site.apply_logs(&station);
    assert!(site.counter() >= second);
    site.execute("drop table deployed.b");
    change("deployed.a");
    change("deployed.b");
    cluster().sync();
    let original = cluster().original(&["deployed.a"]);
    feed.until(&station, original.counter);
    site.assert_is(&station, &original);
}
