//! What a person sees: nobody, five nodes at work, a thousand.

use std::fs;
use std::time::Duration;

use crate::browser::{Browser, browser};
use crate::client::{address, get};
use crate::cluster;
use crate::lag::sample;
use crate::nodes::{acknowledge, delay, names, register, showing, stop};
use crate::support::{Site, Station};

/// A text that would do harm if it were taken for anything but text.
const HOSTILE: &str =
    "<img src=x onerror=document.title='harm'> & \"quoted\" </script><script>alert(1)</script>";

/// The names in the table of nodes, from above.
fn order(browser: &Browser) -> Vec<String> {
    browser.texts("#nodes td.name")
}

#[test]
fn nobody_is_a_page_too() {
    let station = showing(&[]);
    let address = address(&station);
    let browser = browser();
    browser.open(&address, "/");
    assert_eq!(browser.texts("#nodes"), ["Nobody has subscribed yet."]);
    assert_eq!(browser.texts("header b"), ["all is well"]);
    assert_eq!(browser.texts("#errors p"), ["None since the daemon was started."]);
    assert!(browser.texts("#dumps table").is_empty());
    browser.picture("status-empty");
    browser.assert_quiet(&address);
    // The title is what is seen of a page among others: it follows, too.
    assert_eq!(browser.value("document.title"), "subscription_manager: all is well");
    register(&station, &names(1));
    stop(&station, "site0000", "it cannot be routed");
    browser.await_true("document.title === 'subscription_manager: somebody must look'");
}

#[test]
fn five_nodes_at_work_are_told_apart() {
    let station =
        Station::new(cluster(), "http_listen=127.0.0.1:0\nrescan=1\nsite_log_days=0\ndump_rate=100000\n");
    let nodes = ["boulder", "lmsal", "mps", "rob", "sao"].map(str::to_owned);
    register(&station, &nodes);
    // None gets logs of slon's here, so that each stands where it is put.
    for node in ["lmsal", "mps", "sao"] {
        fs::write(station.at(&format!("etc/{node}.stopped")), "before 4711\n").expect("catch up");
    }
    fs::write(station.at("etc/boulder.stopped"), "before 4711\npaused moving to new disks\n").expect("pause");
    stop(&station, "rob", "the statement in line 17 names hmi.m_45s, which this node has, and aia.lev1");
    delay(&station, "lmsal", Duration::from_secs(7_200));
    fs::write(station.at("work/lag.jsonl"), a_day(&nodes)).expect("write samples");
    station.start();
    let site = Site::new(cluster(), "nso");
    let address = address(&station);
    // Before the dump begins: it does not wait for a browser that others have.
    let browser = browser();
    site.ask(&station, "big.wide subscribe");
    browser.open(&address, "/");
    // The page finds out by itself.
    browser.await_true("document.querySelector('#dumps progress')?.value > 0");
    assert!(browser.texts("#dumps td.name").contains(&"nso".to_owned()));
    browser.await_true("document.querySelectorAll('#nodes td.name').length === 6");
    assert_eq!(order(&browser), ["rob", "boulder", "nso", "lmsal", "mps", "sao"], "those in need first");
    assert_eq!(browser.texts("header b"), ["somebody must look"]);
    let lmsal = browser.texts("#nodes tbody tr:nth-child(4) td");
    assert_eq!(lmsal[..7], ["lmsal", "idle", "1", "3", "1", "2", "2 h"], "{lmsal:?}");
    assert!(browser.texts("#nodes tr.error td.notes")[0].contains("line 17"));
    assert!(browser.texts("#nodes tr.warning td.notes")[0].starts_with("paused before 4711: moving"));
    assert_eq!(browser.value("document.querySelectorAll('#nodes svg path').length"), 5, "a plot each");
    let title = browser.value("document.querySelector('#nodes tbody tr:nth-child(4) svg title').textContent");
    assert_eq!(title, "at most 2 h over the last day");
    browser.picture("status-busy");
    // On a phone nothing is wider than the screen.
    browser.resize(400, 800);
    browser.await_true("document.documentElement.scrollWidth <= window.innerWidth");
    browser.resize(1_280, 900);
    stop(&station, "rob", HOSTILE);
    let hostile = form_urlencoded(HOSTILE);
    browser.open(&address, &format!("/?q={hostile}&sort=name"));
    assert_eq!(browser.value("document.querySelector('input[name=q]').value"), HOSTILE);
    browser.await_true("document.querySelectorAll('#nodes td.name').length === 1");
    assert_eq!(order(&browser), ["rob"]);
    assert!(browser.texts("#nodes tr.error td.notes")[0].contains(HOSTILE), "it is seen as it is");
    assert_eq!(browser.value("document.title"), "subscription_manager: somebody must look");
    assert_eq!(browser.value("document.querySelectorAll('img').length"), 0);
    browser.assert_quiet(&address);
}

#[test]
fn a_thousand_nodes_can_be_looked_through() {
    let station = Station::new(cluster(), crate::nodes::SHOWING);
    let nodes = names(1_000);
    register(&station, &nodes);
    delay(&station, "site0777", Duration::from_secs(600));
    stop(&station, "site0500", "it cannot be routed");
    acknowledge(&station, "site0042", 9);
    station.start_unready();
    let address = address(&station);
    let browser = browser();
    browser.open(&address, "/");
    let first = order(&browser);
    assert_eq!(first.len(), 100, "a phone need not draw all of them");
    assert_eq!(first[..4], ["site0500", "site0042", "site0777", "site0000"]);
    assert!(browser.texts("#nodes .soft")[0].starts_with("and 900 more"));
    // The filter finds those that were not drawn, as they are typed.
    browser.type_into("input[name=q]", "site099");
    browser.await_true("document.querySelectorAll('#nodes td.name').length === 10");
    assert_eq!(order(&browser)[0], "site0990");
    assert_eq!(browser.value("document.activeElement.name"), "q", "who types is not disturbed");
    browser.open(&address, "/?sort=lag&all=1");
    let all = order(&browser);
    assert_eq!((all.len(), all[0].as_str()), (1_000, "site0777"));
    // The page follows by itself.
    acknowledge(&station, "site0777", 3);
    browser.await_true("document.querySelector('#nodes td.name').innerText !== 'site0777'");
    browser.assert_quiet(&address);
    // It has not gone: it takes connections, and says nothing more.
    crate::support::home::send("STOP", station.process());
    browser.await_true("document.body.classList.contains('stale')");
    assert!(browser.texts("#stale")[0].contains("does not answer"));
    crate::support::home::send("CONT", station.process());
    browser.await_true("!document.body.classList.contains('stale')");
    station.kill();
    browser.await_true("document.body.classList.contains('stale')");
}

#[test]
fn without_its_script_the_page_is_as_good() {
    let station = showing(&names(3));
    let address = address(&station);
    let page = get(&address, "/?q=site0001").body;
    assert!(page.contains("<noscript><meta http-equiv=\"refresh\""), "it asks again");
    assert!(page.contains("<td class=\"name\">site0001</td>") && !page.contains(">site0002<"), "{page}");
    assert!(page.contains("<form id=\"filter\" method=\"get\""), "and it can be filtered");
}

/// A day in which nodes fell behind and caught up, each in its way.
fn a_day(nodes: &[String]) -> Vec<u8> {
    let samples = (1..280_u64).rev().flat_map(|step| {
        let lag = |at: usize| -> u32 {
            let (step, at) = (u32::try_from(step).expect("small"), u32::try_from(at).expect("small"));
            match (step + 60 * at) % 280 {
                hill @ 0..60 => 20 * hill * (at % 3),
                flat => flat % 4,
            }
        };
        nodes
            .iter()
            .enumerate()
            .flat_map(move |(at, node)| sample(step * 5, node, lag(at)))
            .collect::<Vec<u8>>()
    });
    samples.collect()
}

/// Every byte as the query of an address may have it.
fn form_urlencoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}
