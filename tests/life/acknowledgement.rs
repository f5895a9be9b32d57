//! What a site says, and what is said of it.

use std::fs::{self, File};

use crate::place::House;

#[test]
fn an_acknowledgement_that_is_none_removes_nothing_and_is_told() {
    let house = House::new("");
    for counter in 1..=5 {
        house.log("site_logs/nso", counter, 20);
    }
    let path = house.at("site_logs/nso/slony_counter.txt");
    let fifo = || {
        let mode = 0o666.into();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    };
    let cases: [(&str, &dyn Fn(), &str); 9] = [
        ("a link", &|| std::os::unix::fs::symlink(house.at("etc/number"), &path).unwrap(), "a symbolic link"),
        ("a FIFO", &fifo, "no plain file"),
        ("a directory", &|| fs::create_dir(&path).unwrap(), "no plain file"),
        ("rubbish", &|| fs::write(&path, b"\xff\0").unwrap(), "line 1"),
        ("nothing", &|| fs::write(&path, "").unwrap(), "it is empty"),
        ("words", &|| fs::write(&path, "4 or so\n").unwrap(), "`4 or so` is not one decimal number"),
        ("a negative number", &|| fs::write(&path, "-4\n").unwrap(), "`-4` is not one decimal number"),
        ("a gigabyte", &|| File::create(&path).unwrap().set_len(1 << 30).unwrap(), "are not read"),
        ("the future", &|| fs::write(&path, "6\n").unwrap(), "acknowledges 6, but its newest log is 5"),
    ];
    fs::write(house.at("etc/number"), "4\n").unwrap();
    for (what, make, said) in cases {
        make();
        let printed = house.tidy();
        assert!(printed.starts_with("nso: 0 removed") && printed.contains(said), "{what}: {printed}");
        let row = house.row();
        assert!(row["notes"][0].as_str().unwrap().contains(said), "{what}: {row}");
        assert_eq!(row["behind"], serde_json::Value::Null, "{what}");
        assert_eq!(house.names("site_logs/nso"), "1 2 3 4 5 slony_counter.txt", "{what}");
        if what == "a directory" { fs::remove_dir(&path) } else { fs::remove_file(&path) }.unwrap();
    }
    // Where its directory is not the site's to write, it says it in the drop directory.
    fs::write(house.at("triggers/nso.counter"), "00000000000000000002\r\n").unwrap();
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "3 4 5");
    // Of two words the later one holds.
    fs::write(&path, "3\n").unwrap();
    house.age("site_logs/nso/slony_counter.txt", 1);
    assert_eq!(house.row()["acknowledged"], 2);
    house.age("triggers/nso.counter", 2);
    assert_eq!(house.row()["acknowledged"], 3);
}

#[test]
fn a_site_that_falls_silent_is_noted_and_must_resubscribe_in_the_end() {
    let house = House::new("bundle_after=2\n");
    for (counter, days) in [(7, 20), (8, 18), (9, 2), (10, 1), (11, 0)] {
        house.log("site_logs/nso", counter, days);
    }
    let row = house.row();
    assert_eq!((&row["acknowledged"], &row["behind"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(row["notes"], serde_json::json!([]), "an unknown site is not alarmed about");
    let check = |acknowledged: &str, behind: u64, note: Option<&str>| {
        house.acknowledge(acknowledged);
        let row = house.row();
        assert_eq!((row["behind"].as_u64(), row["notes"][0].as_str()), (Some(behind), note), "{row}");
        assert_eq!(row["last_log"], 11);
    };
    check("6", 5, Some("silent for 20 d"));
    check("8", 3, None);
    check("11", 0, None);
    check("5", 6 - 1, Some("must resubscribe: log 6 is gone"));
    let output = house.command(&["list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let row = text.lines().nth(1).unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words[..4], ["nso", "idle", "1", "11"], "{text}");
    assert!(row.ends_with("  must resubscribe: log 6 is gone"), "{text}");
    house.acknowledge("6");
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "11 slony_counter.txt 7-8 9-10");
    check("6", 5, Some("silent for 18 d"));
    check("8", 3, None);
    house.acknowledge("6");
    house.age("site_logs/nso/slony_logs_7-8.tar.gz", 31);
    assert!(house.tidy().contains("must resubscribe: log 7 is gone"));
}
