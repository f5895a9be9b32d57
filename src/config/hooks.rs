//! Which commands are run when something happens, and from when on a node is behind.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Hook;
use crate::settings::Reader;

/// Commands, and what they are run for.
#[derive(Debug, Clone)]
pub struct HooksConfig {
    /// The words of each command.
    pub commands: BTreeMap<Hook, Vec<String>>,
    /// The longest that one may take.
    pub timeout: Duration,
    /// From when on a node is behind.
    pub limits: Limits,
}

/// Two limits, so that a node that stays near one of them is not told of again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One that has come to this is behind.
    pub behind: Lag,
    /// One that was behind and is no further than this has recovered.
    pub recovered: Lag,
}

/// How far a node is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Logs that it has not acknowledged; `None`: they are not counted.
    pub logs: Option<u64>,
    /// How long ago the first of them was written; `None`: nobody asks.
    pub age: Option<Duration>,
}

/// Every key with its default.
pub(super) const KNOWN: &[(&str, Option<&str>)] = &[
    ("hook_request_received", None),
    ("hook_sql_ready", None),
    ("hook_finished", None),
    ("hook_rolled_back", None),
    ("hook_failed", None),
    ("hook_node_behind", None),
    ("hook_node_recovered", None),
    ("hook_node_expired", None),
    ("hook_archive_gap", None),
    ("hook_archive_stopped", None),
    ("hook_ddl_held", None),
    ("hook_database_lost", None),
    ("hook_database_found", None),
    ("hook_started", None),
    ("hook_stopped", None),
    // Seconds: a mail to a server that is slow to answer takes less.
    ("hook_timeout", Some("60")),
    // How many logs an hour has differs from cluster to cluster: the age alone is asked.
    ("behind_logs", Some("0")),
    ("recovered_logs", Some("0")),
    // Seconds: a site fetches every few minutes.
    ("behind_age", Some("3600")),
    ("recovered_age", Some("600")),
];

/// The keys as they are written in the file: to the `config` crate a dot is a path.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("hook.request_received", "hook_request_received"),
    ("hook.sql_ready", "hook_sql_ready"),
    ("hook.finished", "hook_finished"),
    ("hook.rolled_back", "hook_rolled_back"),
    ("hook.failed", "hook_failed"),
    ("hook.node_behind", "hook_node_behind"),
    ("hook.node_recovered", "hook_node_recovered"),
    ("hook.node_expired", "hook_node_expired"),
    ("hook.archive_gap", "hook_archive_gap"),
    ("hook.archive_stopped", "hook_archive_stopped"),
    ("hook.ddl_held", "hook_ddl_held"),
    ("hook.database_lost", "hook_database_lost"),
    ("hook.database_found", "hook_database_found"),
    ("hook.started", "hook_started"),
    ("hook.stopped", "hook_stopped"),
];

impl HooksConfig {
    pub(super) fn read(read: &mut Reader<'_>) -> Self {
        let commands: BTreeMap<_, _> =
            Hook::ALL.into_iter().filter_map(|hook| Some((hook, read.command(hook.key())?))).collect();
        let asked = |read: &mut Reader<'_>, key| Some(read.number::<u64>(key)).filter(|limit| *limit > 0);
        let (logs, age) = (asked(read, "behind_logs"), asked(read, "behind_age"));
        let mut below = |key, limit: Option<u64>, of| {
            let limit = limit?;
            let recovered = read.number::<u64>(key);
            if recovered >= limit {
                read.fault(key, &format!("must be less than `{of}`"));
            }
            Some(recovered)
        };
        let recovered_logs = below("recovered_logs", logs, "behind_logs");
        let recovered_age = below("recovered_age", age, "behind_age");
        if logs.or(age).is_none() && commands.contains_key(&Hook::NodeBehind) {
            read.fault(Hook::NodeBehind.key(), "is never run: `behind_logs` and `behind_age` are 0");
        }
        let seconds = |age: Option<u64>| age.map(Duration::from_secs);
        Self {
            commands,
            timeout: Duration::from_secs(read.positive("hook_timeout")),
            limits: Limits {
                behind: Lag { logs, age: seconds(age) },
                recovered: Lag { logs: recovered_logs, age: seconds(recovered_age) },
            },
        }
    }

    /// Whether a command is hooked to any of these.
    pub fn has(&self, is_meant: impl Fn(Hook) -> bool) -> bool {
        self.commands.keys().any(|hook| is_meant(*hook))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_has_its_keys() {
        for hook in Hook::ALL {
            assert!(KNOWN.contains(&(hook.key(), None)), "{hook:?}");
            let written = format!("hook.{}", hook.word());
            assert!(ALIASES.contains(&(written.as_str(), hook.key())), "{hook:?}");
        }
    }
}
