//! The lines of the audit trail that tell of requests and of what strangers dropped. A line is a step of the plan that
//! makes it true, or stands before it: it is on disk before anything forgets the request.

use std::path::Path;
use std::time::SystemTime;

use super::decide::{UpdatePlan, is_expiry};
use crate::disk;
use crate::error::Result;
use crate::ground::Ground;
use crate::model::{Node, Series, Step, write_time};
use crate::paths::Paths;
use crate::protocol::{AuditEntry, Event, Kind, OpenRequest, Origin, Phase, TriggerFile};

/// The step that tells of an open request, as it and the node's list are before the plan.
pub(super) fn tell(
    paths: &Paths,
    node: &Node,
    ground: &Ground,
    open: &OpenRequest,
    event: Event,
    reason: Option<String>,
) -> Step {
    let now = SystemTime::now();
    let since = |origin: &Origin| now.duration_since(origin.accepted).unwrap_or_default().as_secs();
    let sent = match &open.phase {
        Phase::Published { sent, .. } => *sent,
        Phase::Accepted | Phase::Cut(_) => None,
    };
    let (added, removed, id) = asked(open, ground);
    let file = TriggerFile { node: node.clone(), stem: open.stem, kind: Kind::Request };
    step(
        paths,
        &AuditEntry {
            node: Some(node.to_string()),
            who: open.origin.as_ref().map(|origin| origin.owner.clone()),
            file: Some(file.to_string()),
            request: id,
            added: added.iter().map(Series::to_string).collect(),
            removed: removed.iter().map(Series::to_string).collect(),
            cut: open.cut().map(|cut| cut.counter.value()),
            rows: sent.map(|sent| sent.rows),
            bytes: sent.map(|sent| sent.bytes),
            seconds: open.origin.as_ref().map(since),
            reason,
            ..AuditEntry::new(key(node, open), event, write_time(now))
        },
    )
}

/// What the end of a request without success is called.
pub(super) fn failure(open: &OpenRequest, reason: &str) -> Event {
    match open.phase {
        _ if is_expiry(reason) => Event::Expired,
        Phase::Published { .. } => Event::RolledBack,
        Phase::Accepted | Phase::Cut(_) => Event::Refused,
    }
}

/// Tells of a file that is about to be set aside, or whose text is kept there.
pub(super) fn tell_of_file(paths: &Paths, path: &Path, node: Option<&Node>, reason: &str) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // Taken from its subscriber already, a request has its hidden name.
    let name =
        name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".claim")).unwrap_or(&name).to_owned();
    let (owner, time) = disk::owner_and_time(path).unzip();
    let (seconds, nanoseconds) = time.unwrap_or_default();
    let key = format!("{name} {seconds}.{nanoseconds}");
    let entry = AuditEntry {
        node: node.map(Node::to_string),
        who: owner.map(disk::user_name),
        file: Some(name),
        reason: Some(reason.to_owned()),
        ..AuditEntry::new(key, Event::SetAside, write_time(SystemTime::now()))
    };
    disk::append_once(&paths.audit(), &entry.marks(), &entry.write())
}

fn step(paths: &Paths, entry: &AuditEntry) -> Step {
    Step::Append { path: paths.audit(), marks: entry.marks(), line: entry.write() }
}

/// What tells a request from all others of its node. There is at the most one that an older version accepted.
fn key(node: &Node, open: &OpenRequest) -> String {
    let accepted = open.origin.as_ref().map(|origin| write_time(origin.accepted));
    format!("{node} {}", accepted.as_deref().unwrap_or("-"))
}

/// What the request adds and takes out, and its name. One that does not fit the node's list is shown as it asks.
fn asked(open: &OpenRequest, ground: &Ground) -> (Vec<Series>, Vec<Series>, Option<String>) {
    let Ok(request) = open.request() else { return (Vec::new(), Vec::new(), None) };
    let id = request.id.clone();
    match UpdatePlan::new(&request, ground.list()) {
        Ok(plan) => (plan.added, plan.removed, id),
        Err(_) => (request.subscribe, request.unsubscribe, id),
    }
}
