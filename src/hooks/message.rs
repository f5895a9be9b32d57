//! What a command is told: one JSON object. PROTOCOL.md documents the fields: their names are a contract.

use serde::{Deserialize, Serialize};

use crate::model::Hook;
use crate::protocol::{AuditEntry, Event, Kind, TriggerFile};

/// Something that was found by looking, or that the daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What a command is run for.
    pub hook: Hook,
    /// What is known of it.
    #[serde(flatten)]
    pub facts: Facts,
}

/// What is known of it. What is not known, or does not belong to its kind, is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// What tells it from all others of its hook.
    pub key: String,
    /// When; RFC 3339 in UTC.
    pub at: String,
    /// Whose logs it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The archive before which it stops, which is missing, or behind which rows are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<u64>,
    /// The last log that the site says it has applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<u64>,
    /// How many logs lie there that it has not acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u64>,
    /// How long ago the first of them was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_log_age_seconds: Option<u64>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The version of the daemon that starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Condition {
    /// One of which nothing more is known.
    pub fn new(hook: Hook, node: Option<&str>, at: &str) -> Self {
        let key = format!("{} {at}", node.unwrap_or("-"));
        let facts = Facts { key, at: at.to_owned(), node: node.map(str::to_owned), ..Facts::default() };
        Self { hook, facts }
    }
}

/// What a line of the audit trail is told as; `None`: nobody is told of it.
pub fn hook_of(entry: &AuditEntry) -> Option<Hook> {
    Some(match entry.event {
        Event::Accepted => Hook::RequestReceived,
        Event::Offered => Hook::SqlReady,
        Event::Applied => Hook::Finished,
        Event::RolledBack | Event::Expired | Event::Superseded => Hook::RolledBack,
        Event::Refused => Hook::Failed,
        // A request that nobody could read has no other end. Other files are none.
        Event::SetAside if entry.file.as_deref().is_some_and(is_request) => Hook::Failed,
        // What an operator does he knows.
        Event::SetAside
        | Event::Ddl
        | Event::Resplit
        | Event::AcceptEmpty
        | Event::Fix
        | Event::Pause
        | Event::Resume
        | Event::Cancel
        | Event::Remove
        | Event::Subscribe => return None,
    })
}

fn is_request(file: &str) -> bool {
    matches!(TriggerFile::parse(file), Some(Ok(file)) if file.kind == Kind::Request)
}

/// The object in one line: the hook and the cluster, then what there is to say.
pub fn object(hook: Hook, cluster: &str, about: &impl Serialize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Object<'a, T> {
        hook: Hook,
        cluster: &'a str,
        #[serde(flatten)]
        about: &'a T,
    }
    // Strings and numbers: nothing that JSON could refuse.
    let mut line = serde_json::to_vec(&Object { hook, cluster, about }).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_trail_is_told_with_all_that_it_says() {
        let mut entry = AuditEntry::new("nso 1".into(), Event::Expired, "2".into());
        entry.node = Some("nso".into());
        entry.added = vec!["a.b".into()];
        let text = String::from_utf8(object(hook_of(&entry).unwrap(), "jsoc", &entry)).unwrap();
        assert_eq!(
            text,
            "{\"hook\":\"rolled_back\",\"cluster\":\"jsoc\",\"key\":\"nso 1\",\"event\":\"expired\",\"at\":\"2\",\
             \"node\":\"nso\",\"added\":[\"a.b\"]}\n"
        );
        let mut file = AuditEntry::new("f 1".into(), Event::SetAside, "2".into());
        file.file = Some("nso.subscription_series.tgr".into());
        assert_eq!(hook_of(&file), Some(Hook::Failed));
        file.file = Some("nso.subscription_series.sqlapplied".into());
        assert_eq!(hook_of(&file), None);
    }

    #[test]
    fn a_condition_is_remembered_as_it_is() {
        let mut condition = Condition::new(Hook::NodeBehind, Some("nso"), "2026");
        condition.facts.behind = Some(7);
        let text = serde_json::to_string(&condition).unwrap();
        assert_eq!(serde_json::from_str::<Condition>(&text).unwrap(), condition);
        assert_eq!(Condition::new(Hook::DatabaseLost, None, "2026").facts.key, "- 2026");
    }
}
