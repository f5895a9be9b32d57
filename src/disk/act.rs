//! Carrying out the steps of a plan.

use std::fs;
use std::io;
use std::path::Path;

use super::{create_directory, names, remove, rename, site_logs, sync_directory, write};
use crate::error::{Context, Result};
use crate::model::Step;

/// Carries out the steps in order. Each is on disk before the next begins, and each may find its work done; a plan that
/// was interrupted anywhere is carried out again from its start.
pub fn act(steps: &[Step]) -> Result<()> {
    steps.iter().try_for_each(|step| {
        tracing::debug!(%step, "act");
        match step {
            Step::Write { path, bytes } => write(path, bytes),
            Step::Remove(path) => remove(path),
            Step::MakeDirectory { path, like } => create_directory(path, like),
            Step::Rename { from, to } => rename(from, to),
            Step::MoveLogs { from, into } => move_logs(from, into),
            Step::RemoveDirectory(path) => remove_directory(path),
        }
    })
}

/// Moves the site logs in the order of their counters, so that whoever lists `into` meanwhile never sees a gap.
pub fn move_logs(from: &Path, into: &Path) -> Result<()> {
    if !super::exists(from) {
        return Ok(());
    }
    for (_, name) in site_logs(from)? {
        let (source, target) = (from.join(&name), into.join(&name));
        match fs::rename(&source, &target) {
            // The directory is a file system of its own.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                super::link_or_copy(&source, &target)?;
            }
            renamed => renamed.context("rename", &source)?,
        }
        // Two names of one file: rename(2) then does nothing, and the old name would stay.
        if super::exists(&source) {
            fs::remove_file(&source).context("remove", &source)?;
        }
    }
    sync_directory(into)?;
    sync_directory(from)
}

/// Removes a directory of site logs and whatever else was put into it.
fn remove_directory(path: &Path) -> Result<()> {
    match names(path) {
        Ok(_) => {}
        Err(_) if !super::exists(path) => return Ok(()),
        Err(error) => return Err(error),
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => result.context("remove directory", path)?,
    }
    path.parent().map_or(Ok(()), sync_directory)
}
