//! Whether the monitor has anything against a dump. It writes down what it knows; a dump asks no more than that file.

use std::time::SystemTime;

use crate::config::Config;
use crate::disk;
use crate::error::{Error, Result};
use crate::model::Moment;
use crate::protocol::Watched;

/// Why no dump is to be made from the log-shipping node's server now. Without a monitor, or with one that does not watch this
/// server or has not looked for long, nothing speaks against it.
pub fn objection(config: &Config) -> Result<Option<String>> {
    if config.monitor.is_none() {
        return Ok(None);
    }
    let path = config.paths.monitor_state();
    let Some(bytes) = disk::read_optional(&path)? else { return Ok(None) };
    let database = &config.database;
    match Watched::read(&bytes) {
        Ok(watched) => Ok(watched.objection(&database.host, database.port, Moment::from(SystemTime::now()))),
        // The monitor replaces it at its next round; if none runs, nobody may have to wait for that.
        Err(source) => {
            let error = Error::Malformed { path, source };
            tracing::warn!(error = error.chain(), "nothing is known of the servers");
            Ok(None)
        }
    }
}
