//! Archives of Slony-I 2.1 call sequences by number; without a database a file says which they are.

use crate::place::Place;
use crate::text::{archive_with, log_with};

/// The body of an old archive that sets a sequence.
fn body(number: u32, value: u64) -> String {
    format!(
        "insert into \"a\".\"x\" (\"n\") values ('{value}');\n\n\
         select \"_jsoc\".sequenceSetValue_offline({number},'{value}');\n"
    )
}

/// The site log of one whose sequence is known.
fn old_log(counter: u64, value: u64, sets: &str) -> String {
    let body = format!("insert into \"a\".\"x\" (\"n\") values ('{value}');\n\n{sets}");
    let strings = "select \"_jsoc\".site_log_offline(1);\nset local standard_conforming_strings to off;\n\
                   set local escape_string_warning to off;\n";
    log_with(counter, &body).replace("select \"_jsoc\".site_log_offline(1);\n", strings)
}

#[test]
fn without_a_database_the_numbers_must_be_in_the_file() {
    let place = Place::new(&[("nso", &["a.x"])], "");
    place.write("etc/nso.cuts", "from 1\na.x a.keys\n");
    place.archive(1, &archive_with(1, &body(17, 100)));
    place.archive(2, &archive_with(2, &body(18, 200)));
    let says = |number: u32| {
        let said = place.fails(&["split", "--until", "2"]);
        assert!(said.contains(&format!("line 14: sequence {number} is not known")), "{said}");
        assert_eq!(place.hidden(), Vec::<String>::new());
    };
    says(17);
    assert_eq!(place.counter(), 0);
    place.write("work/sequences", "17 a.keys\n");
    says(18);
    assert_eq!(place.counter(), 1);
    // One that the node does not have.
    place.write("work/sequences", "17 a.keys\n18 \"Odd Schema\".\"S eq\"\n");
    place.split(2);
    let set = "select \"_jsoc\".sequenceSetValue_offline('a','keys','100');\n";
    place.assert_logs("nso", &[(1, old_log(1, 100, set)), (2, old_log(2, 200, ""))]);
    // A file that cannot be read is not taken for an empty one.
    place.write("work/sequences", "17\n");
    let said = place.refused(&["resplit", "nso", "--from", "1", "--to", "2"]);
    assert!(said.contains("work/sequences`: line 1: "), "{said}");
}
