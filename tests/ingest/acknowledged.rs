//! What the server is told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use crate::desk::{Desk, TOOL, run};

#[test]
fn in_the_nodes_directory_and_again_when_it_was_lost() {
    let desk = Desk::new("");
    desk.catches_up();
    assert_eq!(desk.read("site_logs/nso/slony_counter.txt"), "7\n", "also without any log");
    desk.publish([8]);
    desk.catches_up();
    assert_eq!(desk.read("site_logs/nso/slony_counter.txt"), "8\n");
    assert!(!desk.at("triggers/nso.counter").exists());
    for lost in ["", "rubbish\n", "3\n"] {
        desk.write("slony_counter.txt", lost);
        desk.catches_up();
        assert_eq!(desk.read("site_logs/nso/slony_counter.txt"), "8\n");
    }
}

#[test]
fn in_the_drop_directory_where_the_other_is_not_the_sites_to_write() {
    let desk = Desk::new("");
    desk.publish(8..=9);
    // Nobody's rights, because root may write everywhere.
    let tool = desk.at("get_slony_logs");
    fs::copy(TOOL, &tool).unwrap();
    let set =
        |path: &str, mode| fs::set_permissions(desk.at(path), fs::Permissions::from_mode(mode)).unwrap();
    set("", 0o777);
    set("triggers", 0o777);
    set("site_logs/nso", 0o555);
    let attempt = || {
        let mut command = std::process::Command::new(&tool);
        command.arg(desk.at("site.cfg"));
        if rustix::process::geteuid().is_root() {
            command.uid(65_534).gid(65_534);
        }
        run(&mut command)
    };
    attempt().expect(0);
    assert_eq!(desk.read("triggers/nso.counter"), "9\n");
    assert!(!desk.at("site_logs/nso/slony_counter.txt").exists());
    assert_eq!(attempt().expect(0).said, "");
    // Nowhere: the logs are applied all the same.
    set("triggers", 0o555);
    desk.write_as_server(10, set);
    attempt().expect_says(0, "the server is not told how far the site is");
    assert_eq!(desk.state(), Desk::all_up_to(10));
}

impl Desk {
    fn write_as_server(&self, counter: u64, set: impl Fn(&str, u32)) {
        set("site_logs/nso", 0o755);
        self.publish([counter]);
        set("site_logs/nso", 0o555);
    }
}
