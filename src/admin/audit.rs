//! The line of the audit trail that says what an operator is about to change.

use std::time::SystemTime;

use crate::config::Config;
use crate::disk;
use crate::error::Result;
use crate::model::{Node, write_time};
use crate::protocol::{AuditEntry, Event};

/// What writes it, once however often it is called. To be called before the change: nothing is changed that no line tells
/// of.
pub(super) fn once(
    config: &Config,
    node: Option<&Node>,
    event: Event,
    what: &str,
) -> impl Fn() -> Result<()> + Send + Sync + use<> {
    let now = write_time(SystemTime::now());
    let who = disk::own_name();
    let key = format!("{who} {} {now}", std::process::id());
    let entry = AuditEntry {
        node: node.map(Node::to_string),
        who: Some(who),
        reason: Some(what.to_owned()),
        ..AuditEntry::new(key, event, now)
    };
    let path = config.paths.audit();
    move || disk::append_once(&path, &entry.marks(), &entry.write())
}
