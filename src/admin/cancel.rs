//! `cancel`: an open request is rolled back. The one who works on the node does it: the daemon, or, where none runs, this
//! process in its place.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

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

/// What became of a node's open request.
#[derive(Debug, Serialize)]
pub struct Cancelled {
    node: String,
    changed: bool,
    /// How it ended; `None` if none was open.
    ended: Option<Ended>,
    /// Files that tell its site.
    told: Vec<String>,
    /// A request that nobody has taken yet.
    waiting: Option<String>,
}

/// How a request ended.
#[derive(Debug, Serialize)]
pub(super) struct Ended {
    /// As in the audit trail; `None` if another one has ended it, and nothing is told.
    event: Option<Event>,
    reason: Option<String>,
}

/// Rolls the node's open request back, and says how it ended. Where none is open, what an earlier command has left is ended.
pub async fn cancel(config: &Config, node: &Node) -> Result<Cancelled> {
    ground::put_on_disk(&config.paths)?;
    let Some(open) = open_request(config, node)? else {
        if !disk::exists(&config.paths.cancel(node)) {
            super::known::registered(config, node)?;
        }
        obeyed(config, node).await?;
        let waiting = there(config, node, Stem::ALL.map(|stem| (stem, Kind::Request))).into_iter().next();
        return Ok(Cancelled {
            node: node.to_string(),
            changed: false,
            ended: None,
            told: Vec::new(),
            waiting,
        });
    };
    let ended = end(config, node, &open).await?;
    let told = there(config, node, [Kind::Done, Kind::SqlDone].map(|kind| (open.stem, kind)));
    Ok(Cancelled { node: node.to_string(), changed: true, ended: Some(ended), told, waiting: None })
}

/// Those of a node's files that lie in the drop directory.
fn there<const N: usize>(config: &Config, node: &Node, files: [(Stem, Kind); N]) -> Vec<String> {
    let names = files.map(|(stem, kind)| TriggerFile { node: node.clone(), stem, kind }.to_string());
    names.into_iter().filter(|name| disk::exists(&config.paths.triggerdir.join(name))).collect()
}

/// The node's open request, whatever else of the node can be read.
pub(super) fn open_request(config: &Config, node: &Node) -> Result<Option<OpenRequest>> {
    let registry = ground::registry(&config.paths)?;
    let site = config.paths.site(node, registry.find(node.as_str()));
    read(&site.open_request, OpenRequest::parse)
}

/// Ends a request, and says how it ended: its site may have been quicker.
pub(super) async fn end(config: &Config, node: &Node, open: &OpenRequest) -> Result<Ended> {
    let begun = write_time(SystemTime::now());
    super::audit::once(config, Some(node), Event::Cancel, "the open request is cancelled")()?;
    disk::write(&config.paths.cancel(node), &Cancel::of(open).write())?;
    obeyed(config, node).await?;
    let entry = super::history::end_since(config, node, &begun)?;
    Ok(Ended { event: entry.as_ref().map(|entry| entry.event), reason: entry.and_then(|entry| entry.reason) })
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

impl Ended {
    /// In words, of this node.
    pub(super) fn describe(&self, node: &str) -> String {
        let Some(event) = self.event else { return format!("the request of {node} is no longer open") };
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("the request of {node} has ended: {}{reason}", event.word())
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = &self.node;
        match &self.ended {
            Some(ended) => write!(f, "{}", ended.describe(node))?,
            None => write!(f, "{node} has no open request: there is nothing to cancel")?,
        }
        if let Some(name) = &self.waiting {
            write!(f, ", but `{name}` is not taken yet: remove it")?;
        }
        if !self.told.is_empty() {
            write!(f, "; `{}` tells its site", self.told.join("` and `"))?;
        }
        writeln!(f)
    }
}
