//! Looking at what lies there of a node.

use std::path::Path;

use super::stage::{Open, Seen};
use crate::access::Access;
use crate::disk;
use crate::ground::Ground;
use crate::model::Node;
use crate::paths::{Paths, shown};
use crate::protocol::{Kind, OpenRequest, Outcome, Phase, Stem, TriggerFile, Writer};

/// What lies there of a node. Which request is whole the caller knows: that takes more than one look.
/// What a stranger has put there counts as not being there.
pub fn look(
    paths: &Paths,
    access: &Access,
    node: &Node,
    ground: &Ground,
    whole_request: Option<Stem>,
) -> Seen {
    let is_there = |(stem, kind): &(Stem, Kind)| {
        let file = TriggerFile { node: node.clone(), stem: *stem, kind: *kind };
        let path = paths.triggerdir.join(file.to_string());
        let owner = disk::owner(&path);
        owner.is_some_and(|owner| access.may_write(&file.writer(), owner).is_ok())
            && (access.is_open() || *kind == Kind::Accepted || !is_alias(&file, &path))
    };
    let files =
        Stem::ALL.into_iter().flat_map(|stem| Kind::ALL.map(|kind| (stem, kind))).filter(is_there).collect();
    let open = ground.open.as_ref().map(open);
    Seen {
        files,
        whole_request,
        failure: Stem::ALL.into_iter().any(|stem| says_failure(paths, access, node, stem)),
        outcome: open.and_then(|open| outcome(paths, access, node, open.stem)),
        open,
    }
}

/// Whether a file that only the manager writes may be one of its own that others may write, by another name: a site can link
/// its `.cfg`.
fn is_alias(file: &TriggerFile, path: &Path) -> bool {
    matches!(file.writer(), Writer::Manager) && disk::mode(path).is_none_or(|mode| mode & 0o022 != 0)
}

fn open(request: &OpenRequest) -> Open {
    let published = match &request.phase {
        Phase::Published { since, .. } => Some(*since),
        Phase::Accepted | Phase::Cut(_) => None,
    };
    Open { stem: request.stem, published }
}

fn says_failure(paths: &Paths, access: &Access, node: &Node, stem: Stem) -> bool {
    let path = paths.trigger(node, stem, Kind::SqlDone);
    let Ok(Some(file)) = disk::read_dropped(&path) else { return false };
    file.bytes.starts_with(b"failure") && access.may_write(&Writer::Manager, file.owner).is_ok()
}

/// What a whole `.sqlapplied` says. One that cannot be read at all says nothing; the request's age ends that.
fn outcome(paths: &Paths, access: &Access, node: &Node, stem: Stem) -> Option<Outcome> {
    let path = paths.trigger(node, stem, Kind::SqlApplied);
    match disk::read_dropped(&path) {
        Ok(file) => {
            let file = file.filter(|file| access.may_speak(node, file.owner).is_ok())?;
            Outcome::parse(&file.bytes)
        }
        Err(error) => {
            tracing::warn!(%node, path = shown(&path), error = error.chain(), "cannot read the subscriber's word");
            None
        }
    }
}
