//! Looking at what lies there of a node.

use super::stage::{Open, Seen};
use crate::disk;
use crate::ground::Ground;
use crate::model::Node;
use crate::paths::{Paths, shown};
use crate::protocol::{Kind, OpenRequest, Outcome, Phase, Stem};

/// What lies there of a node. Which request is whole the caller knows: that takes more than one look.
pub fn look(paths: &Paths, node: &Node, ground: &Ground, whole_request: Option<Stem>) -> Seen {
    let files = Stem::ALL
        .into_iter()
        .flat_map(|stem| Kind::ALL.map(|kind| (stem, kind)))
        .filter(|(stem, kind)| disk::exists(&paths.trigger(node, *stem, *kind)))
        .collect();
    let open = ground.open.as_ref().map(open);
    Seen {
        files,
        whole_request,
        failure: Stem::ALL.into_iter().any(|stem| says_failure(paths, node, stem)),
        outcome: open.and_then(|open| outcome(paths, node, open.stem)),
        open,
    }
}

fn open(request: &OpenRequest) -> Open {
    let published = match &request.phase {
        Phase::Published { since, .. } => Some(*since),
        Phase::Accepted | Phase::Cut(_) => None,
    };
    Open { stem: request.stem, published }
}

fn says_failure(paths: &Paths, node: &Node, stem: Stem) -> bool {
    let path = paths.trigger(node, stem, Kind::SqlDone);
    matches!(disk::read_dropped(&path), Ok(Some(file)) if file.bytes.starts_with(b"failure"))
}

/// What a whole `.sqlapplied` says. One that cannot be read at all says nothing; the request's age ends that.
fn outcome(paths: &Paths, node: &Node, stem: Stem) -> Option<Outcome> {
    let path = paths.trigger(node, stem, Kind::SqlApplied);
    match disk::read_dropped(&path) {
        Ok(file) => Outcome::parse(&file?.bytes),
        Err(error) => {
            tracing::warn!(%node, path = shown(&path), error = error.chain(), "cannot read the subscriber's word");
            None
        }
    }
}
