//! What keeps a request from its end: a link or a file has the name of a directory that its logs come from or go to.

use std::path::Path;

use crate::disk;
use crate::ground::Ground;
use crate::protocol::{OpenRequest, Site};

/// Why the open request of a node cannot end, whichever way it would; `None`: nothing is in the way, or none is open.
pub fn obstacle(ground: &Ground) -> Option<String> {
    let open = ground.open.as_ref()?;
    of_end(ground, open, true).or_else(|| of_end(ground, open, false))
}

/// Why it cannot end so. Asked before the first step, so that none is half done for it.
pub(super) fn of_end(ground: &Ground, open: &OpenRequest, success: bool) -> Option<String> {
    let (cut, site) = (open.cut()?, &ground.site);
    let collected = match (success, open.site) {
        (true, _) => &site.new_directory,
        (false, Site::Known) if cut.fenced => &site.held_directory,
        // The logs that were held go nowhere, or there are none.
        (false, _) => return None,
    };
    [collected, &site.directory].into_iter().find_map(|directory| no_directory(directory))
}

/// What has the name of a directory and is none; what is not there is no obstacle here: others make it, or miss it.
fn no_directory(path: &Path) -> Option<String> {
    let fault = disk::real_directory(path).err().filter(|_| disk::exists(path))?;
    Some(format!("{}: put the directory in its place, and the request ends by itself", fault.chain()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_what_has_the_name_of_a_directory_is_in_the_way() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("nso");
        assert_eq!(no_directory(&path), None);
        std::os::unix::fs::symlink(place.path(), &path).unwrap();
        assert!(no_directory(&path).unwrap().contains("it is a link"));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert!(no_directory(&path).unwrap().contains("it is no directory"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(no_directory(&path), None);
    }
}
