//! Two hundred servers, of which half are silent.

use std::net::TcpListener;
use std::os::unix::fs::symlink;

use crate::support::Server;
use crate::watch::Watch;

/// How long a server may take, in seconds.
const LIMIT: f64 = 3.0;

/// The time of a round is a part of the demand: of a few, the fastest, for the machine may be busy. One after the other they would
/// take eight minutes.
const AT_MOST: f64 = LIMIT + 1.0;

/// So many rounds are tried.
const ROUNDS: usize = 5;

#[test]
fn half_of_two_hundred_servers_are_silent() {
    let server = Server::start();
    // It takes connections as long as its queue is short, and never says a word.
    let silent = TcpListener::bind("0.0.0.0:0").expect("bind a port");
    let port = silent.local_addr().expect("an address").port();
    let closed = crate::support::sshd::free_port();
    let mut nodes = Vec::new();
    for number in 1..=100 {
        // The same server under a hundred names; each is asked, and gets its heartbeat.
        let name = server.socket_dir().join(format!("s{number}"));
        symlink(server.socket_dir(), &name).expect("make a link");
        nodes.push(format!("{}:{}", name.display(), server.port()));
        nodes.push(if number > 90 {
            format!("127.0.2.{number}:{closed}")
        } else {
            format!("127.0.1.{number}:{port}")
        });
    }
    let settings = format!(
        "monitor_nodes={}\nmonitor_dbname=postgres\nmonitor_user=postgres\nmonitor_connect_timeout={LIMIT}\n\
         monitor_heartbeat=1\nmonitor_status_file={{at}}/status.json\n",
        nodes.join(", ")
    );
    let watch = Watch::new(&server, &settings);
    watch.start();
    let status = watch.wait_for("a round", || {
        // All hundred are one server: while they come at once, one or the other may have to wait for a round.
        let status = watch.json("status.json")?;
        (status["clusters"].as_array()?.len() == 100).then_some(status)
    });
    let count = |value: &serde_json::Value| value.as_array().map_or(0, Vec::len);
    let clusters = status["clusters"].as_array().unwrap();
    assert_eq!((clusters.len(), count(&status["clusterless"])), (100, 100), "{status:#}\n{}", watch.said());
    assert!(clusters.iter().all(|cluster| cluster["has_master"] == true));
    assert_fast(&watch, "half of 200 servers are silent");
    let state = watch.wait_for("the state", || watch.json("monitor.state"));
    let why = |host: &str| {
        let servers = state["servers"].as_array().unwrap();
        let server = servers.iter().find(|server| server["host"] == host).expect("a server");
        server["why"].as_str().unwrap_or_default().to_owned()
    };
    // By whose patience it is given up depends on how far it has come: into the queue of the system, or not.
    let silent = why("127.0.1.1");
    let words = ["nobody answers", "does not answer", "timed out"];
    assert!(words.iter().any(|words| silent.contains(words)), "{silent}");
    assert!(why("127.0.2.100").contains("refused"), "{}", why("127.0.2.100"));

    // The others answer, and do not take their heartbeat: there is one limit for both.
    // The session that ends it is there before: those that stall leave no room for another one.
    server.query("template1", "select 1");
    let lock = "begin; lock table heartbeat in access exclusive mode; select pg_sleep(120)";
    let mut stalling = server.psql("postgres", "postgres").arg("-c").arg(lock).spawn().expect("run psql");
    watch.wait_for("all to be lost", || {
        let status = watch.json("status.json")?;
        status["clusters"].as_array()?.iter().all(|cluster| cluster["has_master"] == false).then_some(())
    });
    assert_fast(&watch, "the others stall at their heartbeat");
    let stalled = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'";
    assert_eq!(server.query("template1", stalled), "t");
    stalling.wait().expect("wait for psql");
    watch.wait_for("all to be back", || {
        let status = watch.json("status.json")?;
        status["clusters"].as_array()?.iter().all(|cluster| cluster["has_master"] == true).then_some(())
    });
    watch.stop();
}

/// One of the next rounds ends with the time that one server may take.
#[track_caller]
fn assert_fast(watch: &Watch<'_>, what: &str) {
    let times = || -> Vec<f64> {
        let said = watch.said();
        let rest = said.split("looked at the servers seconds=").skip(1);
        rest.filter_map(|rest| rest.split_whitespace().next()?.parse().ok()).collect()
    };
    let before = times().len();
    let fastest = (1..=ROUNDS).find_map(|number| {
        let seconds = watch.wait_for("a round", || times().get(before + number).copied());
        (seconds < AT_MOST).then_some(seconds)
    });
    let fastest = fastest.unwrap_or_else(|| panic!("{what}: {:?}", times()));
    println!("{what}, for {LIMIT} s each: a round takes {fastest:.2} s");
    assert!(fastest >= LIMIT, "{what}: nobody was waited for: {fastest}");
}
