//! `list`: every node with its stage, its series, its last site log, and how far its site has come.

use std::time::Duration;

use super::{Form, table};
use crate::config::Config;
use crate::error::Result;
use crate::model::{age, printable, size};
use crate::overview::{NodeView, Overview, Severity};

/// The headers of the columns.
const HEADER: [&str; 11] =
    ["node", "stage", "series", "last log", "age", "acked", "ago", "behind", "lag", "disk", "note"];

/// Prints the list.
pub fn list(config: &Config, form: Form) -> Result<String> {
    let overview = Overview::look(config)?;
    if let Some(text) = form.json(&overview) {
        return text;
    }
    let paint = form.paint();
    let severities: Vec<Severity> = overview.nodes.iter().map(|node| node.severity).collect();
    let lines = table::lines(HEADER, 2..10, overview.nodes.into_iter().map(row));
    // The note is the last column: it begins where its header does.
    let note = lines.first().map_or(0, |header| header.chars().count() - "note".len());
    let severity =
        |at: usize| at.checked_sub(1).and_then(|at| severities.get(at)).copied().unwrap_or_default();
    let nodes = lines.iter().enumerate().map(|(at, line)| {
        let begin = line.char_indices().nth(note).map_or(line.len(), |(begin, _)| begin);
        let (row, note) = line.split_at(begin);
        format!("{row}{}\n", paint.grave(severity(at), note))
    });
    let alarms = overview.alarms.iter().map(|alarm| paint.grave(Severity::Error, &printable(alarm)) + "\n");
    let away = (!overview.running)
        .then(|| paint.grave(Severity::Error, "no daemon runs: no request is served") + "\n");
    Ok(nodes.chain(alarms).chain(away).collect())
}

fn row(node: NodeView) -> [String; 11] {
    let dash = || "-".to_owned();
    let number = |number: Option<u64>| number.map_or_else(dash, |number| number.to_string());
    let seconds =
        |seconds: Option<u64>| seconds.map_or_else(dash, |seconds| age(Duration::from_secs(seconds)));
    [
        node.node,
        node.stage.to_owned(),
        node.series.to_string(),
        number(node.last_log),
        seconds(node.last_log_age_seconds),
        number(node.acknowledged),
        seconds(node.acknowledged_age_seconds),
        number(node.behind),
        seconds(node.next_log_age_seconds),
        size(node.disk_bytes),
        node.notes.join("; "),
    ]
}
