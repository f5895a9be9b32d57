//! `monitor`: watches the PostgreSQL servers in the foreground, or looks at them once.

use std::time::{Duration, SystemTime};

use comfy_table::{Table, presets};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, MonitorConfig};
use crate::error::{Error, Result};
use crate::model::{Moment, age, printable, write_time};
use crate::monitor::{self, Glance, LAST_COMMAND, Watcher};
use crate::protocol::Watched;
use crate::protocol::watched::Server;

/// Watches until SIGTERM or SIGINT.
pub async fn watch(config: &Config) -> Result<String> {
    let settings = settings(config, monitor::load)?;
    let stop = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals =
            signal(kind).map_err(|error| Error::Fatal(format!("listen for signals: {error}")))?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    let mut watcher = Watcher::take(&config.paths).await?;
    watcher.watch(config, settings, &stop).await;
    watcher.end(LAST_COMMAND).await;
    Ok(String::new())
}

/// Looks at all servers once, beside whoever watches them, and prints how they are.
pub async fn look(config: &Config, json: bool) -> Result<String> {
    let glance = monitor::look(config, settings(config, monitor::load_to_look)?).await;
    Ok(if json { format!("{:#}\n", as_json(&glance)) } else { as_table(&glance) })
}

fn settings(
    config: &Config,
    read: impl Fn(&Config) -> Result<Option<MonitorConfig>>,
) -> Result<MonitorConfig> {
    let nothing = "no servers are configured: `monitor_config` names a file of plusmoin's form, `monitor_nodes` the servers";
    read(config)?.ok_or_else(|| Error::Fatal(nothing.into()))
}

fn role(server: &Server) -> Option<&'static str> {
    let has_answered = server.beat.is_some() || server.is_standby;
    has_answered.then_some(if server.is_standby { "standby" } else { "primary" })
}

fn as_json(Glance { watched, is_watched, looked }: &Glance) -> Value {
    let server = |server: &Server| {
        json!({
            "host": server.address.host,
            "port": server.address.port,
            "role": role(server),
            "cluster": server.place.cluster(),
            "state": server.place.word(),
            "since": write_time(server.since.into()),
            "delay_seconds": server.delay_ms.map(|delay| Duration::from_millis(delay).as_secs_f64()),
            "why": server.why,
        })
    };
    let slony = match &watched.slony {
        None => Value::Null,
        Some(Ok(view)) => json!(view),
        Some(Err(why)) => json!({ "unknown": why }),
    };
    json!({
        "watched": is_watched,
        "looked": looked.map(|looked| write_time(looked.into())),
        "servers": watched.servers.iter().map(server).collect::<Value>(),
        "slony": slony,
    })
}

fn as_table(Glance { watched, is_watched, looked }: &Glance) -> String {
    let now = Moment::from(SystemTime::now());
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["host", "port", "role", "cluster", "state", "since", "delay", "note"]);
    for server in &watched.servers {
        let dash = || "-".to_owned();
        table.add_row([
            server.address.host.clone(),
            server.address.port.to_string(),
            role(server).unwrap_or("-").to_owned(),
            server.place.cluster().map_or_else(dash, |cluster| cluster.to_string()),
            server.place.word().to_owned(),
            age(now.since(server.since)),
            server.delay_ms.map_or_else(dash, |delay| age(Duration::from_millis(delay))),
            printable(server.why.as_deref().unwrap_or_default()),
        ]);
    }
    let lines = table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    let since = looked.map_or_else(
        || "nobody watches".to_owned(),
        |looked| format!("nobody has watched since {}", write_time(looked.into())),
    );
    let unwatched = (!is_watched).then(|| format!("{since}: how far standbys are behind is not known"));
    lines.chain(unwatched).chain(slony(watched)).map(|line| line + "\n").collect()
}

/// How Slony stands, a line each.
fn slony(watched: &Watched) -> Vec<String> {
    match &watched.slony {
        None => Vec::new(),
        Some(Err(why)) => vec![format!("slony: {}", printable(why))],
        Some(Ok(view)) => {
            let archived = age(Duration::from_secs(view.archived_seconds));
            let slon = if view.has_slon { "slon runs" } else { "no slon runs" };
            let event = view.event_seconds.map_or_else(
                || "no event of another node".to_owned(),
                |event| format!("newest event of another node {} ago", age(Duration::from_secs(event))),
            );
            let state = format!(
                "slony: node {}: {slon}, archive {} {archived} ago, {event}",
                view.node, view.committed
            );
            let lags = view.lags.iter().filter(|lag| lag.events > 0).map(|lag| {
                let time = age(Duration::from_secs(lag.seconds));
                format!(
                    "slony: node {} is {} events, {time}, behind node {}",
                    lag.receiver, lag.events, lag.origin
                )
            });
            std::iter::once(state).chain(lags).collect()
        }
    }
}
