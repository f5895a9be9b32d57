//! What a client may add to its request and its word: `accept`, `request`, `counter`; and a word that never comes.

use std::fs;
use std::io::Read as _;

use sha2::{Digest as _, Sha256};

use crate::support::{Site, Station};
use crate::tree::{assert_contents, contents, cut, without_logs};
use crate::{change, cluster};

/// The files that a `.sqldone` names, each checked against its size and digest.
#[track_caller]
fn checked_files(station: &Station<'_>, sqldone: &str) -> Vec<(String, Vec<u8>)> {
    let files = sqldone.lines().filter_map(|line| line.strip_prefix("file "));
    files
        .map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            let bytes =
                fs::read(station.at(&format!("triggers/{}", words[0]))).expect("read a file of the answer");
            let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(words[1..], [bytes.len().to_string(), digest], "{}", words[0]);
            (words[0].to_owned(), bytes)
        })
        .collect()
}

#[test]
fn the_sql_comes_packed_as_the_client_accepts_it() {
    let station = Station::started(cluster(), "");
    for (node, accept, ending) in
        [("plain", "", ""), ("gzip", "accept gzip\n", ".gz"), ("zstd", "accept zstd\n", ".zst")]
    {
        let site = Site::new(cluster(), node);
        site.ask(&station, &format!("{accept}packing.a subscribe"));
        let files = checked_files(&station, &site.await_sql(&station));
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        let expected = ["createns", "subscribe_series"].map(|name| format!("{node}.{name}.sql{ending}"));
        assert_eq!(names, expected);
        for (name, bytes) in &files {
            let mut text = String::new();
            match ending {
                ".gz" => flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).map(drop),
                ".zst" => zstd::Decoder::new(bytes.as_slice())
                    .and_then(|mut it| it.read_to_string(&mut text))
                    .map(drop),
                _ => bytes.as_slice().read_to_string(&mut text).map(drop),
            }
            .expect("unpack");
            let path = station.at(&format!("work/{name}.unpacked"));
            fs::write(&path, text).expect("write the SQL");
            site.apply(&path);
        }
        assert_eq!(site.answer(&station, true), "success true\npacking.a\n");
        change("packing.a");
        site.assert_equal(&station, &["packing.a"]);
    }
}

#[test]
fn the_name_of_a_request_is_echoed_and_required() {
    let station = Station::started(cluster(), "");
    let site = Site::new(cluster(), "nso");
    let before = contents(&station);
    site.ask(&station, "request 2026-11-20.a:1\npacking.b subscribe");
    let sqldone = site.await_sql(&station);
    assert_eq!(sqldone.lines().nth(1), Some("request 2026-11-20.a:1"), "{sqldone}");
    // A late word on another request is set aside, and the open one waits on; a word that names none is refused.
    let applied = "nso.subscription_series.sqlapplied";
    station.drop_file(applied, "request other\nsuccess true\n");
    let aside = format!("triggers/rejected/{applied}");
    station.wait_for("the word to be set aside", || station.has(&format!("{aside}.reason")).then_some(()));
    assert_eq!(station.read(&aside), "request other\nsuccess true\n");
    assert!(!station.has("triggers/nso.subscription_series.done"));
    station.drop_file(applied, "success true\n");
    let done = station.await_file("nso.subscription_series.done");
    let reason = "the answer lacks the line `request` of the open request";
    assert_eq!(done, format!("success false\nreason {reason}\nrequest 2026-11-20.a:1\n"));
    fs::remove_file(station.at("triggers/nso.subscription_series.done")).expect("remove .done");
    for file in [&aside, &format!("{aside}.reason")] {
        fs::remove_file(station.at(file)).expect("remove what was set aside");
    }
    assert_contents(&contents(&station), &before);

    site.ask(&station, "request r2\npacking.b subscribe");
    site.await_sql(&station);
    site.apply_sql(&station);
    assert_eq!(site.answer(&station, true), "success true\nrequest r2\npacking.b\n");
    site.ask(&station, "request r3\npacking.nothing subscribe");
    let sqldone = site.await_sql(&station);
    assert_eq!(sqldone, "failure unknown: packing.nothing\nrequest r3\n");
}

#[test]
fn a_site_that_has_run_past_the_cut_is_refused() {
    let station = Station::started(cluster(), "");
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "packing.b subscribe");
    site.ask(&station, "packing.c subscribe");
    let cut = cut(&site.await_sql(&station));
    let done = site.answer_with(&station, &format!("counter {}\nsuccess true\n", cut + 1));
    let reason = format!("the site has applied logs up to {}, but the SQL holds the state of {cut}", cut + 1);
    assert!(done.starts_with(&format!("success false\nreason {reason}")), "{done}");
    assert!(done.ends_with("\npacking.b\n"), "{done}");
    assert_eq!(station.read("etc/nso.lst"), "packing.b\n");

    site.ask(&station, "packing.c subscribe");
    site.await_sql(&station);
    site.apply_sql(&station);
    let done = site.answer_with(&station, &format!("counter {}\nsuccess true\n", site.counter()));
    assert_eq!(done, "success true\npacking.b\npacking.c\n");
    change("packing.c");
    site.assert_equal(&station, &["packing.b", "packing.c"]);
}

#[test]
fn a_request_that_nobody_answers_is_rolled_back() {
    let station = Station::started(cluster(), "");
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "packing.a subscribe");
    station.stop();
    station.configure("request_days=0");
    station.start();
    let lists = |station: &Station<'_>| {
        ["etc/nso.lst", "etc/nso.cuts", "etc/slon_parser.cfg"].map(|name| station.read(name))
    };
    let before = lists(&station);
    site.ask(&station, "packing.b subscribe\npacking.a unsubscribe");
    let done = station.await_file("nso.subscription_series.done");
    assert_eq!(
        done,
        "success false\nreason nobody said within 0 days whether the SQL could be applied\npacking.a\n"
    );
    assert_eq!(lists(&station), before);
    let left: Vec<_> = without_logs(station.tree()).into_keys().collect();
    assert_eq!(
        left,
        [
            "etc/nso.cuts",
            "etc/nso.lst",
            "etc/slon_parser.cfg",
            "site_logs/nso/",
            "triggers/nso.subscription_series.done",
            "triggers/rejected/"
        ]
    );
    site.assert_equal(&station, &["packing.a"]);
}
