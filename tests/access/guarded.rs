//! Files that decide what the daemon does must be nobody else's to write.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

use crate::{id, me, rule, station};

#[test]
fn what_others_can_change_is_not_believed() {
    let station = station(&rule("nso", &me(), "*.*"), "");
    for (name, what) in
        [("manager.cfg", "read the configuration"), ("etc/access", "the access_file cannot be used")]
    {
        let (_, shared) = crate::groups::group();
        let before = fs::metadata(station.at(name)).expect("it is there").gid();
        // Only root has a group at hand that is surely not its own alone.
        let shared = (id(&["-u"]) == "0").then_some((0o664, shared));
        for (mode, group) in [(0o646, before)].into_iter().chain(shared) {
            fs::set_permissions(station.at(name), Permissions::from_mode(mode)).expect("chmod");
            chown(station.at(name), None, Some(group)).expect("chgrp");
            let output = station.command(&["run"]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(what), "{said}");
            assert!(said.contains("can be changed by others than its owner: chmod go-w it"), "{said}");
            chown(station.at(name), None, Some(before)).expect("chgrp");
            fs::set_permissions(station.at(name), Permissions::from_mode(0o644)).expect("chmod");
        }
    }
    station.start();
    assert!(!station.has_ended());
    // While it runs: the rules before go on.
    fs::set_permissions(station.at("etc/access"), Permissions::from_mode(0o666)).expect("chmod");
    station.wait_for("a word about it", || station.said().contains("the rules before go on").then_some(()));
    assert!(!station.has_ended());
}
