//! SIGHUP with the monitor in the daemon: on, off, with faults, with another database; a command goes on meanwhile.

use serde_json::Value;

use crate::support::station::{MANAGER, log_name};
use crate::support::{Cluster, Station, home};

const TAKEN_OVER: &str = "the configuration is taken over";

/// Another configuration.
fn reload(station: &Station<'_>, settings: &str) {
    let times = || station.said().matches(TAKEN_OVER).count();
    let before = times();
    station.configure(settings);
    home::send("HUP", station.process());
    station.wait_for(TAKEN_OVER, || (times() > before).then_some(()));
}

fn looked(station: &Station<'_>) -> Option<u64> {
    let state: Value = serde_json::from_slice(&std::fs::read(station.at("work/monitor.state")).ok()?).ok()?;
    state["looked"].as_u64()
}

fn look_again(station: &Station<'_>) {
    let before = looked(station);
    station.wait_for("another look", || (looked(station) > before).then_some(()));
}

fn alarms(station: &Station<'_>) -> String {
    let output = station.command(&["list", "--json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    said["alarms"].to_string()
}

#[test]
fn the_daemon_takes_over_another_watch() {
    let cluster =
        Cluster::start("create schema hmi; create table hmi.m (recnum bigint primary key);", "", &["hmi"]);
    let server = cluster.server();
    server.execute("postgres", "create role watcher superuser login");
    let (host, port) = (server.socket_dir().display(), server.port());
    let station = Station::started(&cluster, "rescan=1");
    let tell = station.at("tell");
    let script = "#!/bin/sh\necho begin >>\"$0.told\"; until [ -e \"$0.go\" ]; do sleep 0.1; done; echo end >>\"$0.told\"\n";
    std::fs::write(&tell, script).unwrap();
    std::fs::set_permissions(&tell, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let monitor = format!(
        "rescan=1\nmonitor_nodes={host}:{port}\nmonitor_dbname=postgres\nmonitor_user=watcher\nmonitor_heartbeat=0.3\n\
         monitor_status_file={host}/status.json\nmonitor_on_primary_down={}\n",
        tell.display()
    );

    // On.
    reload(&station, &monitor);
    station.wait_for("a look", || looked(&station));
    station.wait_for("nothing to be wrong", || (alarms(&station) == "[]").then_some(()));

    // A command runs over a change, and is told once.
    server.execute("postgres", "alter role watcher nologin");
    let told = || std::fs::read_to_string(station.at("tell.told")).unwrap_or_default();
    station.wait_for("the command", || (told() == "begin\n").then_some(()));
    reload(&station, &monitor.replace("heartbeat=0.3", "heartbeat=0.2"));
    look_again(&station);
    look_again(&station);
    assert_eq!(told(), "begin\n", "the watch does not wait for it, and nobody is told again");
    std::fs::write(station.at("tell.go"), "").unwrap();
    station.wait_for("its end", || (told() == "begin\nend\n").then_some(()));
    server.execute("postgres", "alter role watcher login");
    station.wait_for("the server to be back", || (alarms(&station) == "[]").then_some(()));

    // Another database: that one is asked how Slony stands.
    let unknown = || alarms(&station).contains("how Slony stands is not known");
    assert!(!unknown());
    reload(&station, &format!("{monitor}pg_dbname=postgres\n"));
    station.wait_for("the other database to be asked", || unknown().then_some(()));
    reload(&station, &monitor);
    station.wait_for("the first one to be asked", || (!unknown()).then_some(()));

    // A file with a fault: the watch goes on.
    std::fs::write(station.at("monitor.json"), "{\n  \"user\": 7\n}").unwrap();
    let file = format!("rescan=1\nmonitor_config={}\n", station.at("monitor.json").display());
    station.configure(&file);
    home::send("HUP", station.process());
    station.wait_for("the fault", || {
        station.said().contains("line 2, column 11: `user` must be a text").then_some(())
    });
    look_again(&station);

    // Off; while a monitor in the foreground watches, that one's word holds; when it ends the daemon has its place.
    reload(&station, "rescan=1");
    assert_eq!(alarms(&station), "[]");
    station.configure(&monitor);
    let config = station.at("manager.cfg").display().to_string();
    server.home().start_as_caller("manager-monitor", MANAGER.as_ref(), &["--config", &config, "monitor"]);
    look_again(&station);
    reload(&station, &monitor);
    station.wait_for("the other one to be noticed", || {
        station.said().contains("the servers are not watched from here; it is tried again").then_some(())
    });
    assert!(server.home().stop("manager-monitor").expect("it runs").success());
    look_again(&station);

    // A memory that cannot be read is an alarm beside the others.
    let counter = station.caught_up();
    station.stop();
    cluster.sync();
    std::fs::write(station.at("work/monitor.state"), "{").unwrap();
    std::fs::write(station.at("work/split.counter"), format!("{}\n", counter - 1)).unwrap();
    std::fs::remove_file(cluster.archive_dir().join(log_name(counter))).unwrap();
    let said = alarms(&station);
    let missing = format!("archive {counter} is missing");
    assert!(said.contains("monitor.state") && said.contains(&missing), "{said}");
}
