//! What is said of the PostgreSQL servers: what the monitor has written down.

use std::time::SystemTime;

use crate::config::Config;
use crate::error::Result;
use crate::model::{Moment, write_time};
use crate::monitor;
use crate::subscription::objection;

/// What is wrong with them, a line each; nothing if none are watched.
pub(super) fn alarms(config: &Config) -> Result<Vec<String>> {
    if config.monitor.is_none() {
        return Ok(Vec::new());
    }
    let Some(watched) = monitor::remembered(&config.paths)? else {
        return Ok(vec!["the monitor has not looked at the servers yet".to_owned()]);
    };
    if Moment::from(SystemTime::now()) > watched.believed_until {
        let looked = write_time(watched.looked.into());
        return Ok(vec![format!(
            "the monitor has not looked at the servers since {looked}: does the daemon run?"
        )]);
    }
    let lost = objection(config)?.map(|objection| format!("no dumps are made: {objection}"));
    let slony = match watched.slony {
        Some(Ok(view)) => view.complaints,
        Some(Err(why)) => vec![format!("how Slony stands is not known: {why}")],
        None => Vec::new(),
    };
    Ok(lost.into_iter().chain(slony).collect())
}
