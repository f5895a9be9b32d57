//! Carrying out the steps of a plan.

use std::io;
use std::path::Path;

use super::{
    append_once, change, create_directory, is_ours, keep_apart, names, real_directory, remove, rename,
    replace, site_logs, sync_directory, write,
};
use crate::error::{Context, Result};
use crate::model::Step;

/// Carries out the steps in order. Each is on disk before the next begins, and each may find its work done; a plan that
/// was interrupted anywhere is carried out again from its start.
pub fn act(steps: &[Step]) -> Result<()> {
    steps.iter().try_for_each(|step| {
        tracing::debug!(%step, "act");
        match step {
            Step::Write { path, bytes } => write(path, bytes),
            Step::Replace { path, before, bytes } => replace(path, before, bytes),
            Step::Remove(path) => remove(path),
            Step::MakeDirectory { path, like } => create_directory(path, like),
            Step::KeepApart { path, group } => keep_apart(path, *group).map(drop),
            Step::Show { from, .. } if !is_ours(from) => Ok(()),
            Step::Rename { from, to } | Step::Show { from, to } => rename(from, to),
            Step::MoveLogs { from, into } => move_logs(from, into),
            Step::RemoveDirectory(path) => remove_directory(path),
            Step::Append { path, marks, line } => append_once(path, marks, line),
        }
    })
}

/// Moves the site logs in the order of their counters, so that whoever lists `into` meanwhile never sees a gap.
pub fn move_logs(from: &Path, into: &Path) -> Result<()> {
    if !super::is_there(from)? {
        return Ok(());
    }
    // A link would lead to what is not ours, or take logs away from where they are looked for.
    real_directory(from)?;
    real_directory(into)?;
    let mut left = Vec::new();
    for (_, name) in site_logs(from)? {
        let (source, target) = (from.join(&name), into.join(&name));
        match change::rename(&source, &target) {
            // The directory is a file system of its own.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                super::link_or_copy(&source, &target)?;
            }
            renamed => renamed.context("rename", &source)?,
        }
        // Copied; or two names of one file: rename(2) does nothing then.
        if super::is_there(&source)? {
            left.push(source);
        }
    }
    sync_directory(into)?;
    // Only now: a loss of power takes from each file system what it likes, and a log must be in one of them.
    for source in left {
        change::remove(&source).context("remove", &source)?;
    }
    sync_directory(from)
}

/// Removes a directory of site logs and whatever else was put into it.
fn remove_directory(path: &Path) -> Result<()> {
    match names(path) {
        Ok(_) => {}
        Err(_) if !super::is_there(path)? => return Ok(()),
        Err(error) => return Err(error),
    }
    change::remove_tree(path).context("remove directory", path)?;
    path.parent().map_or(Ok(()), sync_directory)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn logs_are_moved_through_no_link() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (link, target) in [("from", "into"), ("into", "from")] {
            fs::create_dir(at("elsewhere")).unwrap();
            fs::create_dir(at(target)).unwrap();
            std::os::unix::fs::symlink(at("elsewhere"), at(link)).unwrap();
            let name = "slony1_log_2_00000000000000000001.sql";
            let log = if link == "from" { at("elsewhere") } else { at("from") }.join(name);
            fs::write(&log, "rows").unwrap();
            assert!(move_logs(&at("from"), &at("into")).is_err());
            assert!(log.exists());
            fs::remove_file(at(link)).unwrap();
            for directory in ["elsewhere", target] {
                fs::remove_dir_all(at(directory)).unwrap();
            }
        }
        move_logs(&at("from"), &at("into")).unwrap();
    }

    #[test]
    fn what_a_stranger_hid_under_our_name_is_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join(".answer.ready"), directory.path().join("answer"));
        let show = [Step::Show { from: from.clone(), to: to.clone() }];
        // Others may write it, or it is no file at all.
        fs::write(&from, "planted").unwrap();
        fs::set_permissions(&from, Permissions::from_mode(0o666)).unwrap();
        act(&show).unwrap();
        assert!(from.exists() && !to.exists());
        fs::remove_file(&from).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &from).unwrap();
        act(&show).unwrap();
        assert!(from.is_symlink() && !to.exists());
        fs::remove_file(&from).unwrap();
        write(&from, b"ours").unwrap();
        act(&show).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"ours");
    }
}
