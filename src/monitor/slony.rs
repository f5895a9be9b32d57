//! The same view for the Slony cluster: who is behind, and whether the log-shipping node's slon runs and archives.

use std::time::Duration;

use crate::config::MonitorConfig;
use crate::db::{self, Database};
use crate::error::{Error, Result};
use crate::protocol::watched::{SlonyLag, SlonyView};

/// A slon makes an event every ten seconds where nothing happens (`-t`): so much silence means nothing yet, however near standbys
/// must be.
const IDLE: Duration = Duration::from_secs(15);

/// Asks the log-shipping node.
pub(super) async fn look(database: &Database, config: &MonitorConfig) -> Result<SlonyView, String> {
    let limit = config.connect_timeout;
    let silent = |_| Err(Error::Silent(format!("it does not answer within {} s", limit.as_secs_f64())));
    let asked = tokio::time::timeout(limit, ask(database)).await.unwrap_or_else(silent);
    let mut view = asked.map_err(|error| error.chain())?;
    view.complaints = complaints(&view, config.max_sync_delay);
    Ok(view)
}

async fn ask(database: &Database) -> Result<SlonyView> {
    let session = database.connect().await?;
    let health = db::health(database, &session).await?;
    let lag = |lag: db::Lag| SlonyLag {
        origin: lag.origin.0,
        receiver: lag.receiver.0,
        events: lag.events,
        seconds: lag.time.as_secs(),
    };
    Ok(SlonyView {
        node: health.node.0,
        has_slon: health.has_slon,
        committed: health.committed.value(),
        archived_seconds: health.archived.as_secs(),
        event_seconds: health.event.map(|age| age.as_secs()),
        lags: db::lags(database, &session).await?.into_iter().map(lag).collect(),
        complaints: Vec::new(),
    })
}

/// What is wrong with it, a line each, where nobody may be behind for longer than `limit`.
fn complaints(view: &SlonyView, limit: Duration) -> Vec<String> {
    let mut said = Vec::new();
    let SlonyView { node, archived_seconds, .. } = view;
    let lost = "what is written at the origin does not arrive";
    match view.event_seconds {
        _ if !view.has_slon => {
            said.push(format!("no slon runs for the log-shipping node {node}: nothing is archived"));
        }
        None => said.push(format!("no event of another node has come to node {node}: {lost}")),
        // What has not arrived is in no lag either: of that this node knows only what it has.
        Some(event) if event > limit.max(IDLE).as_secs() => {
            said.push(format!("the newest event of another node is {event} s old: {lost}"));
        }
        Some(event) if archived_seconds.saturating_sub(event) > limit.as_secs() => {
            said.push(format!("the slon of node {node} has archived nothing for {archived_seconds} s"));
        }
        Some(_) => {}
    }
    for SlonyLag { origin, receiver, events, seconds } in &view.lags {
        if *events > 0 && *seconds > limit.as_secs() {
            said.push(format!("node {receiver} is {events} events, {seconds} s, behind node {origin}"));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_and_nothing_else() {
        let lag = |receiver, events, seconds| SlonyLag { origin: 1, receiver, events, seconds };
        let well = SlonyView {
            node: 2,
            has_slon: true,
            committed: 7,
            archived_seconds: 70,
            event_seconds: Some(10),
            lags: vec![lag(2, 3, 60), lag(3, 0, 900)],
            complaints: Vec::new(),
        };
        let limit = Duration::from_secs(60);
        let said = |view: SlonyView| complaints(&view, limit);
        assert_eq!(said(well.clone()), [""; 0]);
        // Also where nothing happens there are events, and an archive for each.
        assert_eq!(
            said(SlonyView { archived_seconds: 900, event_seconds: Some(899), ..well.clone() }),
            ["the newest event of another node is 899 s old: what is written at the origin does not arrive"]
        );
        assert_eq!(
            said(SlonyView { event_seconds: None, ..well.clone() }),
            ["no event of another node has come to node 2: what is written at the origin does not arrive"]
        );
        // Between two events of an idle origin nothing is amiss, however short the limit is.
        let idle =
            SlonyView { archived_seconds: 12, event_seconds: Some(12), lags: Vec::new(), ..well.clone() };
        assert_eq!(complaints(&idle, Duration::from_secs(2)), [""; 0]);
        assert_eq!(
            said(SlonyView { archived_seconds: 71, lags: vec![lag(3, 1, 61)], ..well.clone() }),
            ["the slon of node 2 has archived nothing for 71 s", "node 3 is 1 events, 61 s, behind node 1"]
        );
        assert_eq!(
            said(SlonyView { has_slon: false, ..well }),
            ["no slon runs for the log-shipping node 2: nothing is archived"]
        );
    }
}
