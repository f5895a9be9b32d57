//! `series`: what Slony-I replicates, and who subscribes to it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Form;
use super::table;
use crate::config::Config;
use crate::db::{self, Database, ReplicatedSeries};
use crate::error::Result;
use crate::ground;
use crate::model::{Node, Series, SeriesPattern, count, size};
use crate::overview::Severity;

/// One series. PROTOCOL.md documents the fields.
#[derive(Debug, Serialize)]
struct SeriesView {
    series: String,
    /// Whether its changes come into the archives.
    replicated: bool,
    set: Option<i32>,
    origin: Option<i32>,
    rows: Option<u64>,
    bytes: Option<u64>,
    /// Who subscribes to it.
    nodes: Vec<String>,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Said {
    series: Vec<SeriesView>,
}

/// Prints what is replicated or subscribed, of that what the pattern means.
pub async fn series(config: &Config, pattern: Option<&SeriesPattern>, form: Form) -> Result<String> {
    let database = Database::new(&config.database, &config.cluster);
    let session = database.connect().await?;
    let replicated = db::replicated(&database, &session).await?;
    let mut subscribers: BTreeMap<Series, Vec<Node>> = BTreeMap::new();
    for (node, list) in ground::lists(&config.paths)? {
        for subscription in &list {
            subscribers.entry(subscription.series.clone()).or_default().push(node.clone());
        }
    }
    let mut said = Said { series: views(replicated, subscribers, pattern) };
    if let Some(text) = form.json(&said) {
        return text;
    }
    let lost: Vec<bool> = said.series.iter().map(|one| !one.replicated && !one.nodes.is_empty()).collect();
    let header = ["series", "set", "origin", "rows", "size", "nodes"];
    let lines = table::lines(header, 1..5, said.series.drain(..).map(row));
    let grave = |at: usize| at.checked_sub(1).and_then(|at| lost.get(at)).copied().unwrap_or_default();
    let paint = form.paint();
    Ok(lines
        .iter()
        .enumerate()
        .map(|(at, line)| paint.grave(if grave(at) { Severity::Error } else { Severity::Ok }, line) + "\n")
        .collect())
}

/// Everything that is replicated, and what is subscribed all the same, in the order of the names.
fn views(
    replicated: Vec<ReplicatedSeries>,
    mut subscribers: BTreeMap<Series, Vec<Node>>,
    pattern: Option<&SeriesPattern>,
) -> Vec<SeriesView> {
    let names = |nodes: Vec<Node>| nodes.iter().map(Node::to_string).collect::<Vec<_>>();
    let mut views: BTreeMap<Series, SeriesView> = BTreeMap::new();
    for one in replicated {
        let nodes = names(subscribers.remove(&one.series).unwrap_or_default());
        let view = SeriesView {
            series: one.series.to_string(),
            replicated: one.is_received,
            set: Some(one.set),
            origin: Some(one.origin),
            rows: one.size.rows,
            bytes: Some(one.size.bytes),
            nodes,
        };
        views.insert(one.series, view);
    }
    for (series, nodes) in subscribers {
        let view = SeriesView {
            series: series.to_string(),
            replicated: false,
            set: None,
            origin: None,
            rows: None,
            bytes: None,
            nodes: names(nodes),
        };
        views.insert(series, view);
    }
    views.retain(|series, _| pattern.is_none_or(|pattern| pattern.matches(series)));
    views.into_values().collect()
}

fn row(view: SeriesView) -> [String; 6] {
    let dash = || "-".to_owned();
    let number = |number: Option<i32>| number.map_or_else(dash, |number| number.to_string());
    let lost = if view.replicated { "" } else { " (not replicated)" };
    [
        view.series + lost,
        number(view.set),
        number(view.origin),
        view.rows.map_or_else(dash, count),
        view.bytes.map_or_else(dash, size),
        if view.nodes.is_empty() { dash() } else { view.nodes.join(" ") },
    ]
}
