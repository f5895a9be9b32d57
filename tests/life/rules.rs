//! What goes, what is bundled, and what is left alone.

use std::fs;

use crate::place::{Deployed, House, content, unpacked};
use crate::support::station::log_name;

#[test]
fn what_is_acknowledged_or_too_old_goes_and_the_rest_is_bundled() {
    let house = House::new("bundle_after=3\n");
    for counter in 1..=9 {
        house.log("site_logs/nso", counter, 10);
    }
    fs::write(house.at("site_logs/nso/README"), "of the operator").unwrap();
    house.acknowledge("2\n");
    let before = house.tree();
    let newest =
        fs::metadata(house.at(&format!("site_logs/nso/{}", log_name(5)))).unwrap().modified().unwrap();
    assert_eq!(house.tidy(), "nso: 2 removed, 2 bundled\narchive_dir: 0 removed, 0 bundled\n");
    assert_eq!(house.names("site_logs/nso"), "README 9 slony_counter.txt 3-5 6-8");
    let mut after = house.tree();
    let bundle = house.at("site_logs/nso/slony_logs_3-5.tar.gz");
    let expected: Vec<_> = (3..=5).map(|counter| (log_name(counter), content(counter))).collect();
    assert!(unpacked(&bundle) == expected, "names, or bytes");
    assert_eq!(fs::metadata(&bundle).unwrap().modified().unwrap(), newest, "it is as old as its newest log");
    after.retain(|name, _| !name.to_str().unwrap().contains("slony_logs_"));
    assert!(after.iter().all(|(name, file)| before[name] == *file), "nothing else changed");

    let all = house.tree();
    house.tidy();
    assert_eq!(house.tree(), all, "twice is once");

    house.acknowledge("7");
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "README 9 slony_counter.txt 6-8");
    fs::remove_file(house.at("site_logs/nso/slony_counter.txt")).unwrap();
    house.age("site_logs/nso/slony_logs_6-8.tar.gz", 31);
    house.age(&format!("site_logs/nso/{}", log_name(9)), 31);
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "README 9", "the newest stays");
}

#[test]
fn nothing_is_touched_where_the_settings_say_so() {
    let house = House::new("bundle_after=1\nsite_log_days=0\narchive_days=0\n");
    for counter in 1..=5 {
        house.log("site_logs/nso", counter, 100);
        house.log("archives", counter, 100);
    }
    house.acknowledge("4");
    fs::write(house.at("work/split.counter"), "5\n").unwrap();
    let before = house.tree();
    house.tidy();
    assert_eq!(house.tree(), before);
    assert_eq!(house.row()["notes"], serde_json::json!([]));
}

#[test]
fn a_deployed_client_gets_every_log_once_from_singles_and_bundles() {
    let house = House::new("bundle_after=4\n");
    for counter in 1..=3 {
        house.log("site_logs/nso", counter, 1);
    }
    let directory = house.at("site_logs/nso");
    let mut client = Deployed { at: 0, applied: Vec::new() };
    client.run(&directory);
    assert_eq!(client.at, 3);
    for counter in 4..=22 {
        house.log("site_logs/nso", counter, 1);
    }
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "21 22 1-4 13-16 17-20 5-8 9-12");
    client.run(&directory);
    assert!(client.applied == (1..=22).map(content).collect::<Vec<_>>(), "up to {}", client.at);
}

#[test]
fn a_log_that_was_written_anew_comes_into_its_bundle() {
    let house = House::new("bundle_after=3\n");
    for counter in 1..=7 {
        house.log("site_logs/nso", counter, 20);
    }
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "7 1-3 4-6");
    // One is what a kill leaves, the other what `resplit` makes.
    house.log("site_logs/nso", 1, 20);
    house.write(&format!("site_logs/nso/{}", log_name(5)), "-- written anew\n-- EOL\n", 0);
    let other = fs::read(house.at("site_logs/nso/slony_logs_1-3.tar.gz")).unwrap();
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "7 1-3 4-6");
    assert_eq!(fs::read(house.at("site_logs/nso/slony_logs_1-3.tar.gz")).unwrap(), other);
    let mut client = Deployed { at: 0, applied: Vec::new() };
    client.run(&house.at("site_logs/nso"));
    let mut expected: Vec<_> = (1..=7).map(content).collect();
    expected[4] = "-- written anew\n-- EOL\n".to_owned();
    assert!(client.applied == expected, "up to {}", client.at);

    // A bundle that cannot be read costs nobody a log.
    house.log("site_logs/nso", 2, 20);
    fs::write(house.at("site_logs/nso/slony_logs_1-3.tar.gz"), "rubbish").unwrap();
    let output = house.command(&["tidy"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("slony_logs_1-3.tar.gz"));
    assert!(!output.status.success());
    assert_eq!(house.names("site_logs/nso"), "2 7 1-3 4-6");
}

#[test]
fn nothing_after_an_open_cut_is_bundled_and_what_is_held_is_left_alone() {
    let house = House::new("bundle_after=2\n");
    let at = |path: &str| house.at(path).display().to_string();
    let registry = format!(
        "{} {}\n{} {}\n",
        at("site_logs/nso"),
        at("etc/nso.lst"),
        at("site_logs/nso.new"),
        at("etc/nso.new.lst")
    );
    fs::write(house.at("etc/slon_parser.cfg"), registry).unwrap();
    fs::write(house.at("etc/nso.new.lst"), "aia.lev1\n").unwrap();
    let request = "node nso\nhmi.m subscribe\n";
    let open = format!("stem subscription_series\nsite known\ncut 5\nlist\naia.lev1\nrequest\n{request}");
    fs::write(house.at("etc/nso.new.cut"), open).unwrap();
    for counter in 1..=9 {
        house.log("site_logs/nso", counter, 1);
    }
    for part in ["site_logs/nso.new", "site_logs/nso.held"] {
        fs::create_dir(house.at(part)).unwrap();
        for counter in 6..=9 {
            house.log(part, counter, 100);
        }
    }
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "5 6 7 8 9 1-2 3-4");
    for part in ["site_logs/nso.new", "site_logs/nso.held"] {
        assert_eq!(house.names(part), "6 7 8 9");
    }
    fs::remove_file(house.at("etc/nso.new.cut")).unwrap();
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "5 6 7 8 9 1-2 3-4", "a `.new` of other tools has no known cut");
    fs::write(house.at("etc/slon_parser.cfg"), format!("{} {}\n", at("site_logs/nso"), at("etc/nso.lst")))
        .unwrap();
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "9 1-2 3-4 5-6 7-8");
}

#[test]
fn archives_stay_until_every_node_has_its_part() {
    let house = House::new("bundle_after=2\n");
    fs::create_dir(house.at("site_logs/so")).unwrap();
    for counter in 1..=6 {
        house.log("archives", counter, 40);
    }
    for counter in 7..=12 {
        house.log("archives", counter, 3);
    }
    house.write("archives/slony1_log_3_00000000000000000001.sql", "of another node", 90);
    house.write("archives/slony1_log_2_00000000000000000013.sql.tmp", "being written", 90);
    let others = "13.sql.tmp 3_1";
    let names = || {
        house
            .names("archives")
            .replace("slony1_log_2_00000000000000000013.sql.tmp", "13.sql.tmp")
            .replace("slony1_log_3_00000000000000000001.sql", "3_1")
    };
    house.tidy();
    assert_eq!(names(), format!("1 2 3 4 5 6 7 8 9 10 11 12 {others}"), "nothing is split yet");
    fs::write(house.at("work/split.counter"), "4\n").unwrap();
    house.tidy();
    assert_eq!(names(), format!("5 6 7 8 9 10 11 12 {others}"));
    fs::write(house.at("work/split.counter"), "12\n").unwrap();
    house.tidy();
    assert_eq!(names(), format!("11 12 {others} 7-8 9-10"));
    assert_eq!(unpacked(&house.at("archives/slony_logs_9-10.tar.gz"))[1], (log_name(10), content(10)));
    house.age("archives/slony_logs_7-8.tar.gz", 31);
    house.tidy();
    assert_eq!(names(), format!("11 12 {others} 9-10"));
}

#[test]
fn lists_that_no_log_needs_are_forgotten() {
    let house = House::new("");
    let cuts =
        "from 3\naia.lev1 aia.lev1_seq\nfrom 6\nhmi.m hmi.m_seq\nfrom 9 shown 11\naia.lev1 aia.lev1_seq\n";
    fs::write(house.at("etc/nso.cuts"), cuts).unwrap();
    fs::write(house.at("work/split.counter"), "12\n").unwrap();
    for counter in 5..=12 {
        house.log("site_logs/nso", counter, 1);
        house.log("archives", counter, 1);
    }
    let tidied = || {
        house.tidy();
        fs::read_to_string(house.at("etc/nso.cuts")).unwrap()
    };
    assert_eq!(tidied(), cuts, "log 5 is by the first");
    house.acknowledge("11\n");
    assert_eq!(tidied(), cuts, "its archive is there");
    for counter in 5..=11 {
        house.age(&format!("archives/{}", log_name(counter)), 31);
    }
    fs::write(house.at("etc/nso.new.cut"), "stem subscription_series\nsite known\nrequest\nnode nso\n")
        .unwrap();
    assert_eq!(tidied(), cuts, "a request is open");
    fs::remove_file(house.at("etc/nso.new.cut")).unwrap();
    assert_eq!(tidied(), "from 9 shown 11\naia.lev1 aia.lev1_seq\n");
}

#[test]
fn what_others_leave_in_the_directory_of_a_node_holds_nobody_up() {
    let house = House::new("bundle_after=2\n");
    for counter in 1..=4 {
        house.log("site_logs/nso", counter, 10);
    }
    // A log with a hole of terabytes, as a site makes it that may write in its directory.
    let sparse = house.at(&format!("site_logs/nso/{}", log_name(2)));
    fs::File::options().write(true).open(&sparse).unwrap().set_len(1 << 43).unwrap();
    house.age(&format!("site_logs/nso/{}", log_name(2)), 10);
    house.write("site_logs/nso/.tmp-ours", "half", 1);
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        house.write("site_logs/nso/.tmp-theirs", "half", 1);
        std::os::unix::fs::chown(house.at("site_logs/nso/.tmp-theirs"), Some(65_534), None).unwrap();
    }
    let output = house.command(&["tidy"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("it is 8796093022208 bytes with holes"), "{said}");
    let theirs = if is_root { ".tmp-theirs " } else { "" };
    assert_eq!(house.names("site_logs/nso"), format!("{theirs}1 2 3 4"));
    fs::remove_file(sparse).unwrap();
    house.log("site_logs/nso", 2, 10);
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), format!("{theirs}3 4 1-2"));
}
