//! A node's directory that is not among the data centre's site logs: the node was removed, unless all of them are away.

use super::SiteConfig;
use crate::error::{Error, Result};
use crate::transport::{Entry, Host};

/// What lies in the node's directory at the server. [`Error::Stopped`]: the data centre has none.
pub(super) async fn list(host: &Host, config: &SiteConfig, site_logs: &str) -> Result<Vec<Entry>> {
    match host.list(&format!("{site_logs}/{}", config.node)).await {
        Err(error) if is_removed(host, site_logs, &error).await => Err(Error::Stopped(format!(
            "the data centre has no directory of the node {} in `{site_logs}`: it has removed the node, or never had it; set \
             `node` and `rmt_slony_dir` right, or ask its operator; `subscribe_series` with a list of your series says how \
             to begin anew",
            config.node
        ))),
        listed => listed,
    }
}

/// Whether an error says so of a directory in this one. A mount that is away takes this one with it.
async fn is_removed(host: &Host, site_logs: &str, error: &Error) -> bool {
    if !error.is_missing() {
        return false;
    }
    let above = if site_logs.is_empty() { "/" } else { site_logs };
    match host.list(above).await {
        Ok(_) => true,
        // What the account may not list is there.
        Err(error) => error.is_forbidden(),
    }
}
