//! Commands that hang, and servers that cannot be written to.

use crate::support::{Server, home};
use crate::watch::Watch;

#[test]
fn a_command_that_hangs_keeps_nobody_from_watching() {
    let server = Server::start();
    let (host, port) = (server.socket_dir().display(), server.port());
    let settings = format!(
        "monitor_nodes={host}:{port}\nmonitor_dbname=postgres\nmonitor_user=watcher\nmonitor_heartbeat=0.2\n\
         monitor_trigger_timeout=3600\nmonitor_status_file={{at}}/status.json\nmonitor_on_up={{at}}/hang 'two words'\n\
         monitor_on_primary_down={{at}}/tell master_down\nmonitor_on_primary_up={{at}}/tell master_up\n"
    );
    server.execute("postgres", "create role watcher superuser login");
    let watch = Watch::new(&server, &settings);
    watch.put(
        "hang",
        "#!/bin/sh\necho \"$1\" $$ >\"$0.part\"; mv \"$0.part\" \"$0.here\"; sleep 3600\n",
        0o755,
    );
    watch.start();
    let hangs = watch.wait_for("the command", || std::fs::read_to_string(watch.path("hang.here")).ok());
    let process = hangs.strip_prefix("two words ").expect("one argument").trim().to_owned();
    watch.look_again();

    // A primary that takes no writes is none.
    server.execute("postgres", "alter role watcher set default_transaction_read_only = on");
    watch.wait_for("it to be lost", || {
        let status = watch.json("status.json")?;
        (status["clusters"][0]["lost"].as_array()?.len() == 1).then_some(())
    });
    // Who only looks finds the same, and leaves nothing there.
    let once: serde_json::Value = serde_json::from_slice(&watch.once(&["--json"]).stdout).expect("JSON");
    assert_eq!(once["servers"][0]["state"], "lost", "{once:#}");
    let why = once["servers"][0]["why"].as_str().expect("a reason");
    assert!(why.contains("write the heartbeat") && why.contains("read-only transaction"), "{why}");
    watch.look_again();
    assert_eq!(watch.told(), [], "the commands run one after the other");

    // What was not told is told after a restart, in its order.
    watch.kill();
    home::send("KILL", process.parse().expect("a process number"));
    watch.put("hang", "#!/bin/sh\nexit 0\n", 0o755);
    server.execute("postgres", "alter role watcher reset default_transaction_read_only");
    watch.start();
    let told = watch.wait_for("both to be told", || Some(watch.told()).filter(|told| told.len() == 2));
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["master_down", "master_up"]);
    assert_eq!(told[0].1["trigger"]["host"], server.socket_dir().to_str().unwrap());
    watch.stop();
}

#[test]
fn a_command_has_its_time_and_the_statement_says_who_is_a_standby() {
    let server = Server::start();
    let (host, port) = (server.socket_dir().display(), server.port());
    let settings = format!(
        "monitor_nodes={host}:{port}\nmonitor_dbname=postgres\nmonitor_user=postgres\nmonitor_heartbeat=0.2\n\
         monitor_trigger_timeout=1\nmonitor_status_file={{at}}/status.json\nmonitor_on_up={{at}}/hang\n\
         monitor_on_primary_down={{at}}/tell primary_down\nmonitor_on_standby_up=/nowhere/page-me\n\
         monitor_standby_statement=select exists (select from pg_roles where rolname = 'demoted')\n"
    );
    let watch = Watch::new(&server, &settings);
    watch.put("hang", "#!/bin/sh\nsleep 3600\n", 0o755);
    watch.start();
    watch.wait_for("the limit", || {
        watch.said().contains("it took longer than 1 s and was ended").then_some(())
    });
    assert!(watch.said().contains("there is no program /nowhere/page-me"), "{}", watch.said());
    server.execute("postgres", "create role demoted");
    let told = watch.wait_for("the change", || Some(watch.told()).filter(|told| !told.is_empty()));
    assert_eq!((told[0].0.as_str(), &told[0].1["trigger"]["is_slave"]), ("primary_down", &true.into()));
    watch.wait_for("the command that is not there", || {
        watch.said().contains("there is no such command").then_some(())
    });
    watch.stop();
}

#[test]
fn a_command_comes_to_its_end_when_the_monitor_ends() {
    let server = Server::start();
    let (host, port) = (server.socket_dir().display(), server.port());
    let settings = format!(
        "monitor_nodes={host}:{port}\nmonitor_dbname=postgres\nmonitor_user=watcher\nmonitor_heartbeat=0.2\n\
         monitor_status_file={{at}}/status.json\nmonitor_on_primary_down={{at}}/long\n"
    );
    server.execute("postgres", "create role watcher superuser login");
    let watch = Watch::new(&server, &settings);
    let long = "#!/bin/sh\necho begin >>\"$0.told\"; until [ -e \"$0.go\" ]; do sleep 0.1; done; echo end >>\"$0.told\"\n";
    watch.put("long", long, 0o755);
    watch.start();
    watch.wait_for("the primary", || {
        (watch.json("status.json")?["clusters"][0]["has_master"] == true).then_some(())
    });
    watch.settle();
    server.execute("postgres", "alter role watcher nologin");
    let told = || std::fs::read_to_string(watch.path("long.told")).unwrap_or_default();
    watch.wait_for("the command", || (told() == "begin\n").then_some(()));
    // It ends after the monitor was asked to.
    std::thread::scope(|scope| {
        let ending = scope.spawn(|| watch.stop());
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(!ending.is_finished(), "it does not wait for the command");
        watch.put("long.go", "", 0o644);
        ending.join().expect("it ends well");
    });
    assert_eq!(told(), "begin\nend\n");
    assert_eq!(watch.json("monitor.state").expect("a state")["untold"], serde_json::json!([]));
    watch.start();
    watch.look_again();
    watch.settle();
    watch.stop();
    assert_eq!(told(), "begin\nend\n", "it is told twice");
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused_with_all_its_faults() {
    let server = Server::start();
    let watch = Watch::new(&server, "monitor_config={at}/monitor.json\n");
    let refused = |what: &[&str]| {
        let output = watch.once(&[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(what.iter().all(|what| said.contains(what)), "{said}");
    };
    refused(&["monitor.json`: there is no such file"]);
    watch.put("monitor.json", "{\n  \"user\": 7,\n  \"nodez\": []\n}\n", 0o600);
    refused(&[
        "line 2, column 11: `user` must be a text that is not empty",
        "line 3, column 3: `nodez` is no key",
        "`dbname` is missing",
    ]);
    watch.put("monitor.json", "{}", 0o666);
    refused(&["can be changed by others than its owner"]);
    watch.put(
        "manager.cfg",
        &std::fs::read_to_string(watch.path("manager.cfg")).unwrap().replace("monitor_config", "#"),
        0o644,
    );
    refused(&["no servers are configured"]);
}
