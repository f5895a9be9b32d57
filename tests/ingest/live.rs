//! Behind a live cluster: the real daemon splits, the real tool follows.

use std::fs;
use std::process::{Command, Stdio};

use crate::desk::{LIMIT, TOOL};
use crate::support::series::STANDARD;
use crate::support::site::OWNER;
use crate::support::{Cluster, Site, Station, Writer, wait};

fn configuration(station: &Station<'_>, site: &Site<'_>) -> std::path::PathBuf {
    let server = station.cluster().server();
    let at = station.at(&format!("{}-site", site.node()));
    fs::create_dir_all(&at).unwrap();
    let path = at.join("site.cfg");
    let text = format!(
        "node {}\nrmt_slony_dir {}\nwebdb_dir {}\npg_host {}\npg_port {}\npg_user {OWNER}\npg_dbname {}\n\
         ingestion_path {at}\ninterval 1\non_drift stop\n",
        site.node(),
        station.at("site_logs").display(),
        station.at("triggers").display(),
        server.socket_dir().display(),
        server.port(),
        site.database(),
        at = at.display(),
    );
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_site_follows_a_live_cluster_and_equals_it() {
    let cluster = Cluster::shared();
    let station = Station::started(cluster, "bundle_after=20\n");
    let (once, service) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    let list: String = STANDARD.iter().map(|series| format!("{series} subscribe\n")).collect();
    for site in [&once, &service] {
        site.subscribe(&station, list.trim_end());
    }
    let writer = Writer::start(cluster, STANDARD);
    let config = configuration(&station, &service);
    let log = station.at("service.log");
    let mut child = Command::new(TOOL)
        .arg(&config)
        .arg("--follow")
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let config = configuration(&station, &once);
    let runs = |count: usize| {
        for _ in 0..count {
            let output = Command::new(TOOL).arg(&config).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    };
    let rows = writer.rows();
    station.wait_for("rows", || (writer.rows() > rows + 3000).then_some(()));
    runs(3);
    station.wait_for("rows", || (writer.rows() > rows + 6000).then_some(()));
    // What lies there for the one that comes by now and then is bundled meanwhile.
    assert!(station.command(&["tidy"]).status.success());
    writer.stop();
    station.caught_up();
    runs(1);
    let original = cluster.original(STANDARD);
    station.wait_for("the splitter", || station.counter().filter(|at| *at >= original.counter));
    for site in [&once, &service] {
        let there = wait::within(LIMIT, || {
            runs(1);
            (site.counter() >= original.counter).then_some(())
        });
        assert!(
            there.is_some(),
            "{} at {}\n{}",
            site.node(),
            site.counter(),
            fs::read_to_string(&log).unwrap()
        );
        for (series, rows) in &original.rows {
            assert!(site.rows(series) == *rows, "{series} differs at {}", site.node());
        }
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{}", fs::read_to_string(&log).unwrap());
    // The daemon believes what they say.
    let list = String::from_utf8(station.command(&["list", "--json"]).stdout).unwrap();
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    for node in list["nodes"].as_array().unwrap() {
        assert!(node["acknowledged"].as_u64() >= Some(original.counter), "{node}");
    }
}
