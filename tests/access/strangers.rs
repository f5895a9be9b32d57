//! Files of a stranger: set aside with the reason, and nothing of the node is touched.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::Site;
use crate::{OTHER, change_rules, cluster, id, me, rule, set_aside, station, triggers};

const TGR: &str = "nso.subscription_series.tgr";

/// What lies there of requests: lists, cuts, the registry.
fn requests(station: &crate::support::Station<'_>) -> Vec<(String, String)> {
    station.tree().into_iter().filter(|(name, _)| name.starts_with("etc/") && name != "etc/access").collect()
}

#[test]
fn a_stranger_disturbs_no_open_request() {
    let station = station(&rule("nso", &me(), "*.*"), "");
    station.start();
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "hmi.m subscribe");
    site.await_sql(&station);
    change_rules(&station, &rule("nso", OTHER, "*.*"));
    let before = (triggers(&station), requests(&station));
    let request = site.request("aia.e subscribe");
    let failure = "success false\n";
    for (name, text) in [
        (TGR, request.as_str()),
        ("nso.subscribe_series.tgr", &request),
        ("nso.subscription_series.sqlapplied", failure),
        ("nso.subscribe_series.sqlapplied", failure),
        ("nso.counter", "7\n"),
        // Not even a request: its owner is looked at first.
        (TGR, "node nso\nrubbish\n"),
    ] {
        station.drop_file(name, text);
        let reason = set_aside(&station, name);
        assert_eq!(reason, format!("it is of user `{}`, who may not speak for nso: see access_file\n", me()));
        assert_eq!(station.read(&format!("triggers/rejected/{name}")), text);
        assert_eq!((triggers(&station), requests(&station)), before, "{name}");
    }
    // One that is written slowly, or is no file at all, gets no answer either.
    fs::write(station.at(&format!("triggers/{TGR}")), "node nso\n").expect("write");
    set_aside(&station, TGR);
    symlink("/etc/passwd", station.at(&format!("triggers/{TGR}"))).expect("symlink");
    set_aside(&station, TGR);
    assert_eq!((triggers(&station), requests(&station)), before);

    change_rules(&station, &rule("nso", &format!("{OTHER} {}", me()), "*.*"));
    site.apply_sql(&station);
    assert!(site.answer(&station, true).starts_with("success true\n"));
    site.assert_equal(&station, &["hmi.m"]);
    assert!(!station.said().contains("supersedes"));
}

#[test]
fn a_stranger_ends_no_dump() {
    let station = station(&rule("nso", &me(), "*.*"), "dump_rate=100000\n");
    station.start();
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "aia.large subscribe");
    station.wait_for("the cut", || station.has("site_logs/nso.new").then_some(()));
    change_rules(&station, &rule("nso", OTHER, "*.*"));
    station.drop_file(TGR, &site.request("hmi.m subscribe"));
    set_aside(&station, TGR);
    let answer = site.await_sql(&station);
    assert!(answer.starts_with("cut ") && answer.ends_with("\naia.large\n"), "{answer}");
    assert!(!station.said().contains("supersedes") && !station.said().contains("it is tried again"));
}

#[test]
fn many_files_of_strangers_keep_nobody_waiting_until_the_last_is_set_aside() {
    let station = station(&rule("nso", &me(), "*.*"), "");
    let site = Site::new(cluster(), "nso");
    for number in 0..300 {
        station.drop_file(&format!("x{number}.subscription_series.tgr"), "node x\nend\n");
    }
    site.ask(&station, "hmi.m subscribe");
    station.start();
    site.await_sql(&station);
    let is_strangers = |(name, _): &(String, String)| name.starts_with("triggers/x");
    station.wait_for("all to be set aside", || (!triggers(&station).iter().any(is_strangers)).then_some(()));
    let trail = station.read("work/audit.jsonl");
    let told = |event: &str| -> Vec<usize> {
        let event = format!("\"event\":\"{event}\"");
        trail.lines().enumerate().filter(|(_, line)| line.contains(&event)).map(|(at, _)| at).collect()
    };
    let (accepted, strangers) = (told("accepted"), told("set_aside"));
    assert_eq!((accepted.len(), strangers.len()), (1, 300), "{trail}");
    assert!(accepted[0] < strangers[299], "the request waited for all of them");
}

#[test]
fn a_node_that_the_rules_do_not_name_may_do_nothing() {
    let station = station(&rule("nso", &me(), "*.*"), "");
    station.start();
    let site = Site::new(cluster(), "mps");
    site.ask(&station, "hmi.m subscribe");
    set_aside(&station, "mps.subscription_series.tgr");
    assert!(triggers(&station).is_empty(), "{:?}", triggers(&station));
    // The node of the file's name is what counts, and the request must be of it.
    station.drop_file(TGR, &site.request("hmi.m subscribe"));
    let refused = station.await_file("nso.subscription_series.sqldone");
    assert_eq!(refused, "failure the request is of node mps, its file of node nso\n");
}

#[test]
fn what_only_the_manager_writes_is_not_taken_from_others() {
    let station = station(&rule("nso", &me(), "*.*"), "");
    station.start();
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "hmi.m subscribe");
    site.await_sql(&station);
    let before = triggers(&station);
    let names = [
        "nso.subscription_series.cleanup",
        "nso.subscribe_series.sqldone",
        "nso.createns.sql.gz",
        ".nso.sql.tar.gz.ready",
    ];
    if id(&["-u"]) != "0" {
        // Files of another user cannot be made; the decision about them can be asked for.
        use subscription_manager::{access::Access, config::Config, protocol::writer};
        let access =
            Access::load(&Config::load(&station.at("manager.cfg")).expect("it is good")).expect("so is this");
        for name in names {
            let writer = writer(name).expect("a name of ours");
            assert!(access.may_write(&writer, id(&["-u"]).parse().expect("a number")).is_ok(), "{name}");
            assert!(access.may_write(&writer, 4_000_000_000).is_err(), "{name}");
        }
        return;
    }
    for name in names {
        let hidden = station.at("etc/.strange");
        fs::write(&hidden, "success true\nhmi.m\n").expect("write");
        std::os::unix::fs::chown(&hidden, Some(65_534), None).expect("chown");
        fs::rename(&hidden, station.at(&format!("triggers/{name}"))).expect("rename");
        // It is hidden, so that no event tells of it.
        let reason = set_aside(&station, name);
        assert!(reason.ends_with("only the manager writes files of this name\n"), "{reason}");
        assert_eq!(triggers(&station), before, "{name}");
    }
    site.apply_sql(&station);
    assert!(site.answer(&station, true).starts_with("success true\n"));
}

#[test]
fn a_strangers_acknowledgement_does_not_count() {
    let station = station(&rule("nso", &me(), "*.*"), "slony_node=2\n");
    station.start();
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "hmi.n subscribe");
    let counter = station.caught_up();
    fs::write(station.at("site_logs/nso/slony_counter.txt"), format!("{counter}\n")).expect("write");
    let acknowledged = || {
        let list = station.command(&["list", "--json"]);
        let list: serde_json::Value = serde_json::from_slice(&list.stdout).expect("JSON");
        list["nodes"][0].clone()
    };
    assert_eq!(acknowledged()["acknowledged"], counter);
    change_rules(&station, &rule("nso", OTHER, "*.*"));
    let row = acknowledged();
    assert_eq!(row["acknowledged"], serde_json::Value::Null);
    assert!(row["notes"].to_string().contains("may not speak for nso"), "{row}");
}

#[test]
fn a_file_whose_owner_cannot_be_told_waits_and_is_set_aside_by_nobody() {
    let station = station(&(rule("nso", &me(), "*.*") + &rule("mps", OTHER, "*.*")), "");
    let etc = station.at("etc-of-the-system");
    start_with_own_users(&station, &etc);
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "hmi.m subscribe");
    site.await_sql(&station);
    site.apply_sql(&station);

    // The directory of users is away: nobody has a name.
    let (users, away) = (etc.join("passwd"), etc.join("passwd.away"));
    fs::rename(&users, &away).expect("take the users away");
    let word = "nso.subscription_series.sqlapplied";
    station.drop_file(word, "node nso\nsuccess true\n");
    station.drop_file("mps.subscription_series.tgr", "node mps\nhmi.m subscribe\nend\n");
    let told = "cannot tell whose files these are";
    station.wait_for("a word about it", || station.said().contains(told).then_some(()));
    // At a later look it is the same, and not said again.
    for name in ["not a node.subscription_series.tgr", "nor this.subscription_series.tgr"] {
        station.drop_file(name, "");
        set_aside(&station, name);
    }
    assert_eq!(station.said().matches(told).count(), 1, "{}", station.said());
    assert!(station.has(&format!("triggers/{word}")) && station.has("triggers/mps.subscription_series.tgr"));
    assert!(!station.has("triggers/nso.subscription_series.done"));

    fs::rename(&away, &users).expect("bring the users back");
    assert!(station.await_file("nso.subscription_series.done").starts_with("success true\n"));
    assert!(set_aside(&station, "mps.subscription_series.tgr").contains("may not speak for mps"));
    site.assert_equal(&station, &["hmi.m"]);
}

/// Starts the daemon with a directory for `/etc` that the test can change.
fn start_with_own_users(station: &crate::support::Station<'_>, etc: &std::path::Path) {
    let mut copy = std::process::Command::new("cp");
    // What cannot be read is not needed.
    copy.args(["-rL", "--no-preserve=mode", "/etc"]).arg(etc).stderr(std::process::Stdio::null());
    copy.status().expect("run cp");
    fs::write(etc.join("nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files dns\n")
        .expect("write nsswitch.conf");
    let unshare: &[&str] = if id(&["-u"]) == "0" {
        &["--mount"]
    } else {
        &["--user", "--map-current-user", "--keep-caps", "--mount"]
    };
    let script = "mount --bind \"$1\" /etc && shift && exec \"$@\"";
    let etc = etc.to_str().expect("a plain path");
    station.start_by("unshare", &[unshare, &["sh", "-c", script, "sh", etc]].concat());
    station.wait_for("the daemon to start", || station.counter().map(drop));
}

#[test]
fn a_request_that_comes_while_a_strangers_file_is_set_aside_is_served() {
    let station = station(&rule("nso", &me(), "*.*"), "");
    // The trail tells of a file before it is set aside; that takes seconds here.
    let trail = station.at("work/audit.jsonl");
    station.start_failing("inject=fsync:delay_enter=3000000:when=1", &[&trail]);
    station.wait_for("the daemon to start", || station.counter().map(drop));
    put_what_does_not_count(&station);
    let is_told = || fs::read_to_string(&trail).ok()?.contains("\"event\":\"set_aside\"").then_some(());
    station.wait_for("the line of the trail", is_told);
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "hmi.m subscribe");
    let sqldone = station.at("triggers/nso.subscription_series.sqldone");
    station.wait_for("the answer", || fs::read_to_string(&sqldone).ok()?.starts_with("cut ").then_some(()));
    assert!(!station.has(&format!("triggers/rejected/{TGR}")), "it was set aside in the other's place");
    site.apply_sql(&station);
    assert!(site.answer(&station, true).starts_with("success true\n"));
}

/// A stranger's file under the name of a request. Where files of another user cannot be made it is a link, which does not count
/// either.
fn put_what_does_not_count(station: &crate::support::Station<'_>) {
    let hidden = station.at("etc/.strange");
    if id(&["-u"]) == "0" {
        fs::write(&hidden, "node nso\nhmi.m subscribe\nend\n").expect("write");
        std::os::unix::fs::chown(&hidden, Some(65_534), None).expect("chown");
    } else {
        symlink("/etc/passwd", &hidden).expect("symlink");
    }
    fs::rename(&hidden, station.at(&format!("triggers/{TGR}"))).expect("rename");
}
