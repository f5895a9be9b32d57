//! A server that is silent for a while, and a standby that is always late: by the settings of our own file.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::Server;
use crate::watch::Watch;

/// What was told so far, without the heartbeats.
fn changes(watch: &Watch<'_>) -> Vec<String> {
    let names = watch.told().into_iter().map(|(name, _)| name);
    names.filter(|name| name != "heartbeat").collect()
}

/// Where the servers are, by the status file.
fn places(watch: &Watch<'_>) -> Option<[usize; 3]> {
    let status = watch.json("status.json")?;
    let count = |list: &Value| list.as_array().map_or(0, Vec::len);
    let cluster = &status["clusters"][0];
    Some([count(&cluster["slaves"]), count(&cluster["lost"]), count(&status["clusterless"])])
}

#[test]
fn a_silent_server_makes_no_other_late_and_a_late_standby_does_not_flap() {
    let primary = Server::start();
    primary.execute("postgres", "create role watcher superuser login");
    let standby = Server::standby_of(&primary);
    standby.start_again();
    standby.execute("postgres", "alter system set recovery_min_apply_delay = '500ms'");
    standby.execute("postgres", "select pg_reload_conf()");
    let silent = TcpListener::bind("127.0.0.1:0").expect("bind a port");
    let port = silent.local_addr().expect("an address").port();
    let at = |server: &Server| format!("{}:{}", server.socket_dir().display(), server.port());
    // A round takes longer than a standby may be behind.
    let settings = format!(
        "monitor_nodes={}, {}, 127.0.0.1:{port}\nmonitor_dbname=postgres\nmonitor_user=watcher\nmonitor_heartbeat=1\n\
         monitor_max_sync_delay=5\nmonitor_recover_sync_delay=1\nmonitor_connect_timeout=6\n\
         monitor_status_file={{at}}/status.json\nmonitor_on_up={{at}}/tell up\nmonitor_on_heartbeat={{at}}/tell heartbeat\n\
         monitor_on_primary_down={{at}}/tell primary_down\nmonitor_on_primary_up={{at}}/tell primary_up\n\
         monitor_on_standby_down={{at}}/tell standby_down\nmonitor_on_standby_up={{at}}/tell standby_up\n",
        at(&primary),
        at(&standby)
    );
    let watch = Watch::new(&primary, &settings);
    watch.start();
    watch.wait_for("the standby", || places(&watch).filter(|places| *places == [1, 0, 1]));
    for _ in 0..2 {
        watch.look_again();
    }
    assert_eq!(changes(&watch), ["up"], "{}", watch.said());
    drop(silent);

    // One that is lost comes back only when it is near enough: the delay is between the two limits, three heartbeats
    // from the lower one, so that it takes a long rest of the whole machine to hide it.
    let reload = |settings: &str| {
        standby.execute("postgres", &format!("alter system set recovery_min_apply_delay = '{settings}'"));
        standby.execute("postgres", "select pg_reload_conf()");
    };
    standby.execute("postgres", "select pg_wal_replay_pause()");
    watch.wait_for("the standby to be lost", || places(&watch).filter(|places| *places == [0, 1, 1]));
    reload("4s");
    standby.execute("postgres", "select pg_wal_replay_resume()");
    let between = || {
        let state = watch.json("monitor.state")?;
        let delay = state["servers"][1]["delay_ms"].as_u64()?;
        (1_001..=5_000).contains(&delay).then(|| state["servers"][1]["state"].clone())
    };
    assert_eq!(watch.wait_for("a delay between the limits", between), "lost");
    reload("0");
    watch.wait_for("the standby to be back", || places(&watch).filter(|places| *places == [1, 0, 1]));
    watch.wait_for("all to be told", || {
        (changes(&watch) == ["up", "standby_down", "standby_up"]).then_some(())
    });
    let once: Value = serde_json::from_slice(&watch.once(&["--json"]).stdout).expect("JSON");
    assert_eq!(
        (&once["watched"], &once["servers"][1]["state"]),
        (&json!(true), &json!("standby")),
        "{once:#}"
    );
    standby.execute("postgres", "select pg_wal_replay_pause()");
    // Nobody watches: a standby that does not replay looks as near as the last heartbeat that there was.
    watch.settle();
    watch.kill();
    let once = watch.once(&["--json"]);
    let once: Value = serde_json::from_slice(&once.stdout).expect("JSON");
    assert_eq!((&once["watched"], &once["servers"][1]["delay_seconds"]), (&json!(false), &Value::Null));
    assert!(once["looked"].as_str().is_some_and(|looked| looked.ends_with('Z')), "{once:#}");
    let once = watch.once(&[]);
    let said = String::from_utf8_lossy(&once.stdout).into_owned();
    assert!(said.contains("nobody has watched since 20") && said.contains("is not known"), "{said}");
}
