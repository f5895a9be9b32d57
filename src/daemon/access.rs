//! What follows from `access_file` at every look: other rules are read, directories are closed, and what nobody may have
//! any more is told.

use crate::access::{Access, News};
use crate::disk::{self, Readers};
use crate::error::Result;
use crate::ground;
use crate::paths::Paths;

/// Follows the file, and remembers what was said.
#[derive(Default)]
pub(super) struct Following {
    /// It was looked at before.
    began: bool,
    /// Why directories could not be closed.
    told: Option<String>,
}

impl Following {
    /// Looks at the file.
    pub(super) fn look(&mut self, access: &Access, paths: &Paths) {
        let news = access.refresh();
        match &news {
            None => {}
            Some(News::Changed) => tracing::info!("access_file has changed: its new rules hold"),
            Some(News::Well) => tracing::info!("access_file can be used again"),
            Some(News::Faulty(fault)) => tracing::error!("{fault}\nthe rules before go on"),
        }
        if !self.began && access.is_open() {
            tracing::warn!(
                "access_file is not set: whoever can drop a file may speak for any node, and have any series"
            );
        }
        if !self.began || news == Some(News::Changed) {
            tell(access, paths);
        }
        self.began = true;
        let failed = keep_apart(access, paths).err().map(|error| error.chain());
        if self.told != failed {
            if let Some(error) = &failed {
                tracing::error!(error, "the directories of sites cannot be kept apart");
            }
            self.told = failed;
        }
    }
}

/// Names what was subscribed before the rules said that its node may not have it.
fn tell(access: &Access, paths: &Paths) {
    let lists = match ground::lists(paths) {
        Ok(lists) => lists,
        Err(error) => {
            return tracing::error!(error = error.chain(), "cannot hold the lists against access_file");
        }
    };
    for (node, series) in access.rules().beyond(lists.iter().map(|(node, list)| (node, list))) {
        tracing::warn!(%node, %series, "subscribed, but access_file does not allow it: it goes on until you take it away");
    }
}

/// Closes every directory of the nodes that have a group. Those of other nodes are left as they are.
fn keep_apart(access: &Access, paths: &Paths) -> Result<()> {
    if access.is_open() {
        return Ok(());
    }
    let registry = ground::registry(paths)?;
    // One that cannot be closed leaves no other open.
    let mut outcome = Ok(());
    for entry in registry.entries() {
        let Some(node) = entry.node() else { continue };
        let Readers::Group(group) = access.readers(&node) else { continue };
        let held = entry.directory.with_file_name(format!("{node}.held"));
        for directory in [&entry.directory, &held] {
            match disk::keep_apart(directory, group) {
                Ok(true) => tracing::info!(%node, directory = %directory.display(), "kept apart"),
                Ok(false) => {}
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
    }
    outcome
}
