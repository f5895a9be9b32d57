//! `list`: every node with its stage, its series, its last site log, and how far its site has come.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::config::Config;
use crate::disk;
use crate::error::Result;
use crate::ground::{self, Acknowledged, Ground};
use crate::logs::{alarm, standing};
use crate::model::{Node, Shelf};
use crate::protocol::{Kind, Registry, Stem, TriggerFile};
use crate::subscription::look;
use crate::subscription::stage::Stage;

/// One node, as programs see it.
#[derive(Debug, Serialize)]
struct Row {
    /// Its name.
    node: String,
    /// Its stage.
    stage: &'static str,
    /// How many series it has; those of an open request do not count yet.
    series: usize,
    /// The counter of the newest log in its directory.
    last_log: Option<u64>,
    /// How long ago that was written.
    last_log_age_seconds: Option<u64>,
    /// The last log that its site says it has applied.
    acknowledged: Option<u64>,
    /// How many logs lie there that it has not acknowledged.
    behind: Option<u64>,
    /// How long ago its next log was written.
    next_log_age_seconds: Option<u64>,
    /// What an operator must know of it.
    notes: Vec<String>,
}

/// Prints the list.
pub fn list(config: &Config, json: bool) -> Result<String> {
    let rows = rows(config)?;
    let alarms = alarms(config).unwrap_or_else(|error| vec![error.chain()]);
    if json {
        let text = serde_json::to_string_pretty(&serde_json::json!({ "nodes": rows, "alarms": alarms }));
        return text.map(|text| text + "\n").map_err(|error| crate::error::Error::Fatal(error.to_string()));
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["node", "stage", "series", "last log", "age", "acked", "behind", "note"]);
    for row in rows {
        let dash = || "-".to_owned();
        table.add_row([
            row.node,
            row.stage.to_owned(),
            row.series.to_string(),
            row.last_log.map_or_else(dash, |counter| counter.to_string()),
            row.last_log_age_seconds.map_or_else(dash, |seconds| age(Duration::from_secs(seconds))),
            row.acknowledged.map_or_else(dash, |counter| counter.to_string()),
            row.behind.map_or_else(dash, |logs| logs.to_string()),
            row.notes.join("; "),
        ]);
    }
    for number in 2..7 {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    // The table pads every line on both sides.
    let lines = table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    Ok(lines.chain(alarms).map(|line| line + "\n").collect())
}

fn rows(config: &Config) -> Result<Vec<Row>> {
    let paths = &config.paths;
    let registry = ground::registry(paths)?;
    let mut nodes = BTreeSet::new();
    for entry in registry.entries() {
        let name = entry.name().unwrap_or_default();
        nodes.extend(name.strip_suffix(".new").unwrap_or(name).parse::<Node>());
    }
    let of_trigger = |name: &str| TriggerFile::parse(name)?.ok().map(|file| file.node);
    let of_request = |name: &str| name.strip_suffix(".new.cut")?.parse().ok();
    nodes.extend(disk::names(&paths.triggerdir)?.iter().filter_map(|name| of_trigger(name.to_str()?)));
    nodes.extend(disk::names(&paths.tables_dir)?.iter().filter_map(|name| of_request(name.to_str()?)));
    Ok(nodes.into_iter().map(|node| row(config, &registry, &node)).collect())
}

/// A node whose files cannot be read is a row too: that is when the operator looks.
fn row(config: &Config, registry: &Arc<Registry>, node: &Node) -> Row {
    let read = Ground::read(&config.paths, registry.clone(), node);
    let read = read.and_then(|ground| row_of(config, &ground, node));
    read.unwrap_or_else(|error| {
        tracing::error!(%node, error = error.chain(), "cannot read the node's files");
        Row {
            node: node.to_string(),
            stage: "unreadable",
            series: 0,
            last_log: None,
            last_log_age_seconds: None,
            acknowledged: None,
            behind: None,
            next_log_age_seconds: None,
            notes: vec![error.chain()],
        }
    })
}

fn row_of(config: &Config, ground: &Ground, node: &Node) -> Result<Row> {
    let paths = &config.paths;
    let requested =
        Stem::ALL.into_iter().find(|stem| disk::exists(&paths.trigger(node, *stem, Kind::Request)));
    let stage = Stage::of(&look(paths, node, ground, requested));
    let is_registered = ground.list().is_some();
    let shelf = if is_registered && disk::exists(&ground.site.directory) {
        disk::shelf(&ground.site.directory, config.slony_node)?
    } else {
        Shelf::default()
    };
    let said =
        if is_registered { Acknowledged::read(paths, &ground.site, node) } else { Acknowledged::default() };
    let now = SystemTime::now();
    let standing = standing(&shelf, said.counter, config.life.site_logs, now);
    let last = shelf.newest();
    let written = last.and_then(|last| shelf.written(last));
    Ok(Row {
        node: node.to_string(),
        stage: stage.word(),
        series: ground.list().map_or(0, crate::model::SeriesList::len),
        last_log: last.map(crate::model::Counter::value),
        last_log_age_seconds: written
            .map(|written| now.duration_since(written).unwrap_or_default().as_secs()),
        acknowledged: said.counter.map(crate::model::Counter::value),
        behind: standing.behind(),
        next_log_age_seconds: standing.next_age().map(|age| age.as_secs()),
        notes: stop_note(ground, node).into_iter().chain(standing.note()).chain(said.faults).collect(),
    })
}

fn stop_note(ground: &Ground, node: &Node) -> Option<String> {
    let stopped = ground.stopped.as_ref()?;
    let before = stopped.before;
    let Some(why) = &stopped.why else { return Some(format!("catching up from {before}")) };
    let command = format!("subscription_manager ddl {node} {before} --send|--skip");
    Some(format!("stopped before {before}: {why}; decide with `{command}`"))
}

/// What is wrong with the archives, a line each.
fn alarms(config: &Config) -> Result<Vec<String>> {
    let changed = alarm::changed(config)?.into_iter().map(|name| {
        format!(
            "archive {} has changed since it was split: the sites have its old content; compare with `resplit --dry-run`",
            name.counter
        )
    });
    let missing = alarm::missing(config)?.map(|counter| {
        format!("archive {counter} is missing, and later ones are there: the splitter waits for it")
    });
    Ok(changed.chain(missing).collect())
}

/// Two units at the most: what an operator reads at a glance.
fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn ages_are_short() {
        let text = |seconds| super::age(std::time::Duration::from_secs(seconds));
        assert_eq!([text(5), text(61), text(3_720), text(90_000)], ["5 s", "1 min", "1 h 2 min", "1 d 1 h"]);
    }
}
