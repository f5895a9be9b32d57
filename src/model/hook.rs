//! What happens that an operator can hook a command to.

use serde::{Deserialize, Serialize};

/// What a command is run for. PROTOCOL.md documents the words: they are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// A request was accepted.
    RequestReceived,
    /// Its SQL may be fetched.
    SqlReady,
    /// The site has applied it.
    Finished,
    /// The lists are the old ones again: the site could not apply it, did not answer, or has asked anew.
    RolledBack,
    /// The manager has refused it.
    Failed,
    /// A site does not keep up.
    NodeBehind,
    /// It does again.
    NodeRecovered,
    /// The next log of a site is gone: it must resubscribe.
    NodeExpired,
    /// Rows are missing: an archive that has committed is not there, or slon has not written one.
    ArchiveGap,
    /// An archive cannot be split, for all nodes or for one.
    ArchiveStopped,
    /// The logs of a node wait for an operator's word about a statement.
    DdlHeld,
    /// The log-shipping node's database is away.
    DatabaseLost,
    /// It is there again.
    DatabaseFound,
    /// The daemon has started.
    Started,
    /// The daemon ends.
    Stopped,
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::RequestReceived,
        Self::SqlReady,
        Self::Finished,
        Self::RolledBack,
        Self::Failed,
        Self::NodeBehind,
        Self::NodeRecovered,
        Self::NodeExpired,
        Self::ArchiveGap,
        Self::ArchiveStopped,
        Self::DdlHeld,
        Self::DatabaseLost,
        Self::DatabaseFound,
        Self::Started,
        Self::Stopped,
    ];

    /// The word, as it stands in the object that a command is told.
    pub fn word(self) -> &'static str {
        self.key().trim_start_matches("hook_")
    }

    /// The key of the configuration, which is written `hook.<word>` there.
    pub fn key(self) -> &'static str {
        match self {
            Self::RequestReceived => "hook_request_received",
            Self::SqlReady => "hook_sql_ready",
            Self::Finished => "hook_finished",
            Self::RolledBack => "hook_rolled_back",
            Self::Failed => "hook_failed",
            Self::NodeBehind => "hook_node_behind",
            Self::NodeRecovered => "hook_node_recovered",
            Self::NodeExpired => "hook_node_expired",
            Self::ArchiveGap => "hook_archive_gap",
            Self::ArchiveStopped => "hook_archive_stopped",
            Self::DdlHeld => "hook_ddl_held",
            Self::DatabaseLost => "hook_database_lost",
            Self::DatabaseFound => "hook_database_found",
            Self::Started => "hook_started",
            Self::Stopped => "hook_stopped",
        }
    }

    /// Whether it tells of a request, which is in the audit trail.
    pub fn is_of_request(self) -> bool {
        matches!(
            self,
            Self::RequestReceived | Self::SqlReady | Self::Finished | Self::RolledBack | Self::Failed
        )
    }

    /// Whether it tells of how things stand, which is found out by looking.
    pub fn is_of_state(self) -> bool {
        !self.is_of_request() && !matches!(self, Self::Started | Self::Stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_one_in_the_object() {
        for hook in Hook::ALL {
            assert_eq!(serde_json::to_value(hook).unwrap(), hook.word());
        }
    }
}
