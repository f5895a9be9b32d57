//! `cancel`: an open request is rolled back. The one who works on the node does it: the daemon, or, where none runs, this
//! process in its place.

use std::time::{Duration, Instant, SystemTime};

use crate::access::Access;
use crate::config::Config;
use crate::disk;
use crate::error::{Error, Result};
use crate::ground::{self, Instance, read};
use crate::model::{Node, write_time};
use crate::protocol::{Cancel, Event, Kind, OpenRequest, Stem, TriggerFile};
use crate::subscription::{self, Service};

/// How often it is looked whether it is done.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the daemon may take for it, beside two looks: a disk in trouble, a database that gives no cut.
const PATIENCE: Duration = Duration::from_secs(60);

/// Rolls the node's open request back, and says how it ended. Where none is open, what an earlier command has left is ended.
pub async fn cancel(config: &Config, node: &Node) -> Result<String> {
    ground::put_on_disk(&config.paths)?;
    let Some(open) = open_request(config, node)? else {
        if !disk::exists(&config.paths.cancel(node)) {
            super::known::registered(config, node)?;
        }
        obeyed(config, node).await?;
        let file = |stem| TriggerFile { node: node.clone(), stem, kind: Kind::Request };
        let lies = |file: &TriggerFile| disk::exists(&config.paths.triggerdir.join(file.to_string()));
        let waits = Stem::ALL.map(file).into_iter().find(lies);
        let waits =
            waits.map(|file| format!(", but `{file}` is not taken yet: remove it")).unwrap_or_default();
        return Ok(format!("{node} has no open request: there is nothing to cancel{waits}\n"));
    };
    let ended = end(config, node, &open).await?;
    let file = |kind| TriggerFile { node: node.clone(), stem: open.stem, kind };
    let told = [Kind::Done, Kind::SqlDone].map(file).into_iter().map(|file| file.to_string());
    let told = told.filter(|name| disk::exists(&config.paths.triggerdir.join(name))).collect::<Vec<_>>();
    let told =
        if told.is_empty() { String::new() } else { format!("; `{}` tells its site", told.join("` and `")) };
    Ok(format!("{ended}{told}\n"))
}

/// The node's open request, whatever else of the node can be read.
pub(super) fn open_request(config: &Config, node: &Node) -> Result<Option<OpenRequest>> {
    let registry = ground::registry(&config.paths)?;
    let site = config.paths.site(node, registry.find(node.as_str()));
    read(&site.open_request, OpenRequest::parse)
}

/// Ends a request, and says how it ended: its site may have been quicker.
pub(super) async fn end(config: &Config, node: &Node, open: &OpenRequest) -> Result<String> {
    let begun = write_time(SystemTime::now());
    super::audit::once(config, Some(node), Event::Cancel, "the open request is cancelled")()?;
    disk::write(&config.paths.cancel(node), &Cancel::of(open).write())?;
    obeyed(config, node).await?;
    let how = super::history::end_since(config, node, &begun)?;
    Ok(how.map_or_else(
        || format!("the request of {node} is no longer open"),
        |entry| {
            let reason = entry.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("the request of {node} has ended: {}{reason}", entry.event.word())
        },
    ))
}

/// Waits until the operator's word is obeyed, or obeys it.
async fn obeyed(config: &Config, node: &Node) -> Result<()> {
    let path = config.paths.cancel(node);
    let limit = config.rescan * 2 + PATIENCE;
    let since = Instant::now();
    while disk::exists(&path) {
        match Instance::take(&config.paths) {
            Ok(_instance) => alone(config, node).await?,
            Err(Error::Busy(_)) if since.elapsed() < limit => tokio::time::sleep(PAUSE).await,
            Err(Error::Busy(_)) => {
                return Err(Error::Fatal(format!(
                    "the daemon has not rolled the request of {node} back within {} s: it does so as soon as it can; its log says \
                     what it waits for",
                    limit.as_secs()
                )));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What the daemon would do.
async fn alone(config: &Config, node: &Node) -> Result<()> {
    ground::put_on_disk(&config.paths)?;
    let service = Service::new(config.clone(), Access::load(config)?);
    subscription::advance(&service, node).await?;
    if disk::exists(&config.paths.cancel(node)) {
        return Err(Error::Stopped(format!("the request of {node} could not be rolled back: see above")));
    }
    Ok(())
}
