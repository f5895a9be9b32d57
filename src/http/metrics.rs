//! `/metrics`: the text format of Prometheus, version 0.0.4. Names and units are those that its conventions ask for: base
//! units, `_total` for what only grows. PROTOCOL.md lists them.

use std::fmt::{Display, Write as _};
use std::time::SystemTime;

use crate::overview::{NodeView, Severity, Status, lag_seconds};
use crate::protocol::DumpState;

/// All of them.
pub(super) fn write(status: &Status) -> String {
    let mut text = Text(String::new());
    daemon(&mut text, status);
    splitter(&mut text, status);
    requests(&mut text, status);
    nodes(&mut text, &status.overview.nodes);
    text.0
}

fn daemon(text: &mut Text, status: &Status) {
    let started = status.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    text.family("build_info", "gauge", "The version of the program.");
    text.labelled("build_info", &[("version", status.overview.version)], 1);
    text.family("start_time_seconds", "gauge", "When the daemon was started, since 1970.");
    text.plain("start_time_seconds", started.as_secs());
    text.family("healthy", "gauge", "1 while the loop and the splitter turn, as /healthz says.");
    text.plain("healthy", u8::from(status.fault.is_none()));
    text.family("alarms", "gauge", "What is wrong with the archives, as the status page lists it.");
    text.plain("alarms", status.overview.alarms.len());
    text.family("errors_total", "counter", "Lines of the log that say ERROR.");
    text.plain("errors_total", status.totals.errors);
}

fn splitter(text: &mut Text, status: &Status) {
    let splitter = &status.overview.splitter;
    let gauges = [
        ("splitter_counter", "The last archive that is split.", splitter.counter),
        ("splitter_committed_counter", "The last archive that slon has committed.", splitter.committed),
        ("splitter_behind_archives", "Archives that have committed and are not split.", splitter.behind),
        (
            "splitter_newest_archive_age_seconds",
            "How long ago slon wrote its newest archive.",
            splitter.newest_archive_age_seconds,
        ),
    ];
    for (name, help, value) in gauges {
        text.family(name, "gauge", help);
        if let Some(value) = value {
            text.plain(name, value);
        }
    }
    text.family("archives_split_total", "counter", "Archives that were split.");
    text.plain("archives_split_total", status.totals.archives_split);
}

fn requests(text: &mut Text, status: &Status) {
    text.family("requests_total", "counter", "What became of requests, by the events of the audit trail.");
    for (outcome, count) in &status.totals.requests {
        text.labelled("requests_total", &[("outcome", outcome)], count);
    }
    text.family("dumps", "gauge", "Dumps, by what they do.");
    for (word, state) in [("running", DumpState::Running), ("waiting", DumpState::Waiting)] {
        let count = status.overview.dumps.iter().filter(|dump| dump.state == state).count();
        text.labelled("dumps", &[("state", word)], count);
    }
    text.family("dumped_rows_total", "counter", "Rows in the SQL that was offered to sites.");
    text.plain("dumped_rows_total", status.totals.dumped_rows);
    text.family("dumped_bytes_total", "counter", "Bytes of the SQL that was offered to sites.");
    text.plain("dumped_bytes_total", status.totals.dumped_bytes);
}

/// A gauge of each node; `None` where it is not known, and then there is no line.
type OfNode = (&'static str, &'static str, fn(&NodeView) -> Option<u64>);

const OF_NODE: &[OfNode] = &[
    ("node_series", "Series that the node has.", |node| u64::try_from(node.series).ok()),
    ("node_behind_logs", "Logs that its site has not acknowledged.", |node| node.behind),
    ("node_lag_seconds", "How long ago the next log of its site was written; 0 if it has all.", lag_seconds),
    ("node_last_log_counter", "The newest log in its directory.", |node| node.last_log),
    ("node_acknowledged_counter", "The last log that its site says it has applied.", |node| {
        node.acknowledged
    }),
    ("node_acknowledged_age_seconds", "How long ago its site said so.", |node| node.acknowledged_age_seconds),
    ("node_disk_bytes", "What its directory takes.", |node| Some(node.disk_bytes)),
    ("node_severity", "How grave its notes are: 0 well, 1 warning, 2 error.", |node| {
        Some(match node.severity {
            Severity::Ok => 0,
            Severity::Warning => 1,
            Severity::Error => 2,
        })
    }),
];

fn nodes(text: &mut Text, nodes: &[NodeView]) {
    text.family("node_stage", "gauge", "1 for the stage in which the node is.");
    for node in nodes {
        text.labelled("node_stage", &[("node", &node.node), ("stage", node.stage)], 1);
    }
    for (name, help, of) in OF_NODE {
        text.family(name, "gauge", help);
        for node in nodes {
            if let Some(value) = of(node) {
                text.labelled(name, &[("node", &node.node)], value);
            }
        }
    }
}

/// The text as it grows. Writing into it does not fail.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP subscription_manager_{name} {help}");
        let _ = writeln!(self.0, "# TYPE subscription_manager_{name} {kind}");
    }

    fn plain(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "subscription_manager_{name} {value}");
    }

    fn labelled(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let label = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
        let labels: Vec<String> = labels.iter().map(label).collect();
        let _ = writeln!(self.0, "subscription_manager_{name}{{{}}} {value}", labels.join(","));
    }
}

/// The value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
