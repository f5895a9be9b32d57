//! Requests that a daemon had taken from their subscribers when it was killed. They lie there under hidden names, by which nobody
//! looks for them; the next start gives them back. Who ends a node's request in the meantime must know of them, or it comes
//! again.

use std::path::{Path, PathBuf};

use crate::disk::{self, Dropped};
use crate::error::{Error, Result};
use crate::ground::read;
use crate::model::Node;
use crate::paths::Paths;
use crate::protocol::{Kind, OpenRequest, Stem, TriggerFile};

/// A request under its hidden name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    stem: Stem,
    /// Where it lies.
    pub claim: PathBuf,
    /// Where its subscriber put it.
    pub path: PathBuf,
}

/// What was taken of a node and not given back. Under the hold, or where no daemon runs: otherwise it is just being accepted.
pub fn taken(paths: &Paths, node: &Node) -> Vec<Taken> {
    let of = |stem| {
        let file = TriggerFile { node: node.clone(), stem, kind: Kind::Request };
        Taken { stem, claim: paths.claim(&file), path: paths.trigger(node, stem, Kind::Request) }
    };
    Stem::ALL.into_iter().map(of).filter(|taken| disk::exists(&taken.claim)).collect()
}

/// Gives back what was taken of a node, but for the request that is open: that one is taken for good.
pub(super) fn return_taken(paths: &Paths, node: &Node, open_request: &Path) -> Result<()> {
    let open = read(open_request, OpenRequest::parse)?;
    for taken in taken(paths, node) {
        let dropped = match disk::read_dropped(&taken.claim) {
            // What cannot be read has not been accepted.
            Err(Error::Refused(_)) => None,
            dropped => dropped?,
        };
        let is_open =
            open.as_ref().zip(dropped).is_some_and(|(open, dropped)| is_of(open, taken.stem, &dropped));
        if is_open { disk::remove(&taken.claim)? } else { disk::give_back(&taken.claim, &taken.path)? }
    }
    Ok(())
}

/// Whether an open request was made of this file.
fn is_of(open: &OpenRequest, stem: Stem, file: &Dropped) -> bool {
    open.stem == stem
        && open.text == file.bytes
        && open.origin.as_ref().is_some_and(|origin| origin.written == file.modified)
}
