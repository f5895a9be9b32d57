//! What keeps the logs of one node from being written: its list cannot be read, or its directory is gone, full or not ours to write in.
//! That stops this node and no other. What ails all of them is not taken for the fault of one.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::roster::Sites;
use super::targets::{New, Site};
use crate::config::Config;
use crate::disk;
use crate::error::{Error, Result};
use crate::paths::shown;

/// What stands in the way of each node now, as far as it shows before anything is written. Fails where all are in trouble.
pub(super) fn obstacles(config: &Config, sites: &Sites) -> Result<Vec<Option<String>>> {
    // Without it no directory is there, and none of them is to blame.
    disk::names(&config.paths.subscribers_dir)?;
    Ok(sites.iter().map(|site| of_site(site)).collect())
}

fn of_site(site: &Site) -> Option<String> {
    let fault = || directories(site).find_map(|directory| disk::real_directory(directory).err());
    site.fault.clone().or_else(|| fault().map(|error| error.chain()))
}

/// The directories that get logs of a node, now or when its request ends.
fn directories(site: &Site) -> impl Iterator<Item = &Path> {
    let own = site.cuts.is_some().then_some(&site.paths.directory);
    let new = match &site.new {
        Some(New::Cut(cut)) => {
            [Some(&site.paths.new_directory), cut.fenced.then_some(&site.paths.held_directory)]
        }
        Some(New::Foreign(directory, _)) => [Some(directory), None],
        None => [None, None],
    };
    own.into_iter().chain(new.into_iter().flatten()).map(std::path::PathBuf::as_path)
}

/// Whose fault a failure is, among these of the sites, and what is said of it; `None`: nobody's, or that of all.
pub(super) fn whose(config: &Config, sites: &Sites, of: &[usize], error: &Error) -> Option<(usize, String)> {
    let Error::Disk { path, source, .. } = error else { return None };
    let is_in = |directory: &Path| path == directory || path.parent() == Some(directory);
    let found = of.iter().filter_map(|index| Some((*index, sites.get(*index)?)));
    let mut found = found.filter_map(|(index, site): (usize, &Arc<Site>)| {
        Some((index, directories(site).find(|directory| is_in(directory))?))
    });
    let (index, directory) = found.next()?;
    let is_of_process = matches!(source.kind(), ErrorKind::OutOfMemory | ErrorKind::Interrupted)
        || matches!(source.raw_os_error(), Some(code) if disk::is_out_of_files(code));
    let is_of_file_system = (matches!(
        source.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
    ) || disk::is_broken(source))
        && disk::share_a_file_system(directory, &config.paths.subscribers_dir);
    // Without the name of the file: it is another one each time, and the same fault.
    let said = || format!("write into `{}`: {source}", shown(directory));
    (!is_of_process && !is_of_file_system).then(|| (index, said()))
}
