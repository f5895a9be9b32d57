//! `/metrics`, read by the parser of Prometheus's own Python client.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::client::{address, get};
use crate::cluster;
use crate::nodes::{delay, names, register, stop};
use crate::support::{Site, Station};

/// Reads the text and writes what it holds as JSON; fails where the text is not what it must be.
const PARSE: &str = "
import json, sys
from prometheus_client.parser import text_string_to_metric_families
families = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.name not in families, family.name
    samples = [{'name': s.name, 'labels': s.labels, 'value': s.value} for s in family.samples]
    families[family.name] = {'type': family.type, 'help': family.documentation, 'samples': samples}
json.dump(families, sys.stdout)
";

/// By the name of the family, which for a counter has no `_total`.
type Families = BTreeMap<String, Value>;

fn parsed(text: &str) -> Families {
    // Not any Python: the parser is a package of the system's.
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", PARSE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 with prometheus_client is needed; `make deps` installs it");
    python.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("write to the parser");
    let output = python.wait_with_output().expect("run the parser");
    assert!(output.status.success(), "the parser refuses this, or is not there (`make deps`):\n{text}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The value of the sample with these labels.
fn value(families: &Families, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let family = families.get(&format!("subscription_manager_{name}"))?;
    let is_it = |sample: &&Value| labels.iter().all(|(label, value)| sample["labels"][label] == *value);
    family["samples"].as_array()?.iter().find(is_it)?["value"].as_f64()
}

#[test]
fn the_numbers_are_those_of_the_installation() {
    let station = Station::new(cluster(), "http_listen=127.0.0.1:0\nrescan=1\nsite_log_days=0\n");
    let nodes = names(3);
    register(&station, &nodes);
    delay(&station, "site0001", Duration::from_secs(7_200));
    // Its logs wait for a decision, so that none of slon's comes.
    for node in &nodes {
        stop(&station, node, "a \"word\" \\ to decide about");
    }
    station.start();
    let site = Site::new(cluster(), "metrics");
    site.subscribe(&station, "big.wide subscribe");
    let counter = f64::from(u32::try_from(station.caught_up()).expect("a young cluster"));
    let address = address(&station);
    // What was seen a moment ago is shown again.
    let families = station.wait_for("the end of the request to be seen", || {
        let families = parsed(&get(&address, "/metrics").body);
        let is_idle = value(&families, "node_stage", &[("node", "metrics"), ("stage", "idle")]).is_some();
        let is_split = value(&families, "splitter_counter", &[]) >= Some(counter);
        (is_idle && is_split).then_some(families)
    });
    let node = |name: &str, node: &str| value(&families, name, &[("node", node)]);
    assert_eq!(node("node_behind_logs", "site0000"), Some(0.0));
    assert_eq!(node("node_behind_logs", "site0001"), Some(2.0));
    assert!((7_200.0..9_000.0).contains(&node("node_lag_seconds", "site0001").expect("a lag")));
    assert_eq!(node("node_acknowledged_counter", "site0001"), Some(1.0));
    assert_eq!(node("node_severity", "site0001"), Some(2.0));
    assert_eq!(node("node_acknowledged_counter", "metrics"), None, "it has said nothing");
    for (outcome, expected) in [("accepted", 1.0), ("offered", 1.0), ("applied", 1.0), ("refused", 0.0)] {
        assert_eq!(value(&families, "requests", &[("outcome", outcome)]), Some(expected), "{outcome}");
    }
    assert_eq!(value(&families, "dumped_rows", &[]), Some(8_000.0));
    assert!(value(&families, "splitter_committed_counter", &[]) >= Some(counter));
    assert!(value(&families, "archives_split", &[]).expect("a count") >= 1.0);
    assert_eq!(value(&families, "healthy", &[]), Some(1.0));
    assert_conventions(&families);
}

/// What <https://prometheus.io/docs/practices/naming> asks for; and PROTOCOL.md names each.
#[track_caller]
fn assert_conventions(families: &Families) {
    let page = include_str!("../../PROTOCOL.md");
    for (name, family) in families {
        let is_counter = family["type"] == "counter";
        let samples = family["samples"].as_array().expect("samples");
        let total =
            samples.iter().all(|s| s["name"].as_str().is_some_and(|n| n.ends_with("_total") == is_counter));
        assert!(total, "{name}: a counter ends with `_total`, and nothing else does");
        assert!(family["help"].as_str().is_some_and(|help| help.ends_with('.')), "{name} has no help");
        for unit in ["_ms", "_milliseconds", "_minutes", "_hours", "_kb", "_mb", "_percent"] {
            assert!(!name.ends_with(unit), "{name}: base units");
        }
        let written = if is_counter { format!("`{name}_total") } else { format!("`{name}") };
        assert!(page.contains(&written), "PROTOCOL.md does not name {written}");
    }
}
