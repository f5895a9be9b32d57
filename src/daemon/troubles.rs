//! What the daemon tries again, and why: `troubles.json` tells those who look on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::disk;
use crate::error::{Error, Result};
use crate::model::Node;
use crate::protocol::{Trouble, write_troubles};

/// What the daemon's tasks could not do when they tried last.
pub(super) struct Troubles {
    path: PathBuf,
    /// By node; the splitter's has no name.
    known: Mutex<BTreeMap<Option<Node>, Trouble>>,
}

impl Troubles {
    /// At the start: none is known. What an earlier run has told is removed.
    pub(super) fn new(path: PathBuf) -> Result<Arc<Self>> {
        disk::remove_fleeting(&path)?;
        Ok(Arc::new(Self { path, known: Mutex::default() }))
    }

    /// How the work of a node, or of the splitter, ended.
    pub(super) fn tell(&self, of: Option<&Node>, fault: Option<&Error>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = match (fault.map(Error::chain), known.get_mut(&of.cloned())) {
            (None, None) => false,
            (None, Some(_)) => known.remove(&of.cloned()).is_some(),
            (Some(error), Some(trouble)) => std::mem::replace(&mut trouble.error, error) != trouble.error,
            (Some(error), None) => {
                let trouble = Trouble::new(of.map(ToString::to_string), error, SystemTime::now());
                known.insert(of.cloned(), trouble).is_none()
            }
        };
        if changed {
            let troubles: Vec<_> = known.values().collect();
            let shown = match troubles.as_slice() {
                [] => disk::remove_fleeting(&self.path),
                troubles => disk::write_fleeting(&self.path, &write_troubles(troubles)),
            };
            // The log tells of the trouble all the same, and more of a disk that takes nothing.
            shown.unwrap_or_else(|error| tracing::debug!(error = error.chain(), "not shown to others"));
        }
    }

    /// At the end: nothing is tried any more.
    pub(super) fn end(&self) {
        let _ = disk::remove_fleeting(&self.path);
    }
}
