//! Telling the server how far the site is: `slony_counter.txt` in the node's directory, or `<node>.counter` in the drop
//! directory where that one is not the site's to write.

use crate::error::{Error, Result};
use crate::model::Counter;
use crate::protocol::{read_acknowledgement, write_counter};
use crate::subscriber::SiteConfig;
use crate::transport::Host;

/// The file's name in the node's directory, and here beside the logs.
pub(super) const COUNTER_FILE: &str = "slony_counter.txt";

/// More than an acknowledgement ever has.
const LIMIT: u64 = 4096;

/// What the server has been told.
#[derive(Debug)]
pub(super) struct Acknowledgement {
    /// The file in the node's directory.
    own: String,
    /// The file in the drop directory.
    dropped: Option<String>,
    /// The last log that was acknowledged; `None`: not looked yet.
    told: Option<Counter>,
    /// The first place was refused.
    own_is_refused: bool,
}

impl Acknowledgement {
    /// Of this node, whose site logs lie in `directory` at the server.
    pub(super) fn new(config: &SiteConfig, directory: &str) -> Self {
        let dropped = config.triggerdir.as_ref().map(|drop| format!("{drop}/{}.counter", config.node));
        let own = format!("{directory}/{COUNTER_FILE}");
        Self { own, dropped, told: None, own_is_refused: false }
    }

    /// Whether the server knows that the site is here. It is asked once, then remembered.
    pub(super) async fn is_told(&mut self, host: &Host, place: Counter) -> bool {
        if self.told.is_none() {
            for path in [Some(&self.own), self.dropped.as_ref()].into_iter().flatten() {
                let there = host.read(path, LIMIT).await.ok().flatten();
                let there = there.and_then(|bytes| read_acknowledgement(&bytes).ok());
                self.told = self.told.max(there.filter(|there| *there == place));
            }
        }
        self.told == Some(place)
    }

    /// Tells the server. Only logs that are on disk at the site may be acknowledged.
    pub(super) async fn tell(&mut self, host: &Host, place: Counter) -> Result<()> {
        let bytes = write_counter(place);
        if !self.own_is_refused {
            match (host.put(&self.own, &bytes).await, &self.dropped) {
                (Ok(()), _) => {
                    self.told = Some(place);
                    return Ok(());
                }
                (Err(error @ Error::Line { .. }), _) | (Err(error), None) => return Err(error),
                (Err(error), Some(_)) => {
                    tracing::debug!(error = %error.chain(), "the drop directory takes the acknowledgement");
                    self.own_is_refused = true;
                }
            }
        }
        if let Some(dropped) = &self.dropped {
            host.put(dropped, &bytes).await?;
            self.told = Some(place);
        }
        Ok(())
    }
}
