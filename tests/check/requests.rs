//! Requests that stand still, and what lies in the drop directory.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::case::Case;

fn open_request(phase: &str) -> String {
    format!("stem subscription_series\nsite known\n{phase}request\nnode nso\naia.lev1 subscribe\n")
}

fn days_ago(days: u64) -> u64 {
    let time = SystemTime::now() - Duration::from_secs(days * 86_400 + 3600);
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_request_that_stands_still_is_said() {
    let case = Case::new();
    let back = |case: &Case| case.remove("etc/nso.new.cut");
    let published = |days| open_request(&format!("cut 6\npublished {}\nlist\nhmi.m_45s\n", days_ago(days)));
    // In time.
    case.write("etc/nso.new.cut", &published(2));
    case.finds(&[]);
    case.breaks(
        ("warning", "overdue", "nso", "open for 4 days: the site has not answered"),
        |case| case.write("etc/nso.new.cut", &published(4)),
        back,
    );
    case.breaks(
        ("warning", "overdue", "nso", "its SQL is not made"),
        |case| {
            let accepted = "accepted 2020-01-01T00:00:00.000000Z\nowner nso\nwritten 1.0\n";
            case.write("etc/nso.new.cut", &open_request(accepted));
        },
        back,
    );
    case.breaks(
        ("error", "unreadable", "so", "so.new.cut"),
        |case| case.write("etc/so.new.cut", "rubbish"),
        |case| case.remove("etc/so.new.cut"),
    );
}

#[test]
fn what_nobody_takes_away_is_said() {
    let case = Case::new();
    for (name, text, days) in [
        ("nso.subscription_series.done", "success true\n", 4),
        ("so.subscribe_series.sqldone", "failure no\n", 4),
    ] {
        let path = format!("triggers/{name}");
        let node = name.split('.').next().unwrap();
        case.write(&path, text);
        case.finds(&[]);
        case.breaks(
            ("note", "unfetched", node, name),
            |case| case.age(&path, days),
            |case| case.remove(&path),
        );
    }
    for name in ["nso.subscription_series.cfg", "so.subscribe_series.sqlapplied"] {
        let path = format!("triggers/{name}");
        case.write(&path, "success true\n");
        case.finds(&[]);
        let what =
            if name.ends_with("cfg") { "no request of this node is open" } else { "no SQL is waiting" };
        case.breaks(("warning", "stray", name, what), |case| case.age(&path, 1), |case| case.remove(&path));
    }
    case.breaks(
        ("note", "rejected", "rejected", "could not be used: so.subscribe_series.tgr"),
        |case| {
            fs::create_dir(case.at("triggers/rejected")).unwrap();
            case.write("triggers/rejected/so.subscribe_series.tgr", "?");
            case.write("triggers/rejected/so.subscribe_series.tgr.reason", "why\n");
        },
        |case| case.remove("triggers/rejected"),
    );
    for path in ["site_logs/nso/.tmp-x", "triggers/.nso.sql.tar.gz.ready", "work/.tmp-y", "triggers/.a.claim"]
    {
        case.write(path, "half");
        case.finds(&[]);
        case.breaks(
            ("warning", "temporary", path, "older than a day"),
            |case| case.age(path, 2),
            |case| case.remove(path),
        );
    }
    // A dump may take longer than a day, and what it has made first waits for the rest.
    case.write("triggers/.tmp-z", "create schema");
    case.age("triggers/.tmp-z", 2);
    case.write("etc/nso.new.cut", &open_request("cut 6\nlist\nhmi.m_45s\n"));
    case.finds(&[]);
    case.breaks(
        ("warning", "temporary", ".tmp-z", "older than a day"),
        |case| case.remove("etc/nso.new.cut"),
        |case| case.remove("triggers/.tmp-z"),
    );
    // A subscriber's own, on its way in.
    case.write("triggers/.nso.subscription_series.tgr.part", "half");
    case.age("triggers/.nso.subscription_series.tgr.part", 9);
    case.finds(&[]);
}
