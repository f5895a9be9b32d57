//! What must hold of a site log, whatever is in it.

use std::io::{Cursor, Read, Seek, SeekFrom};

use subscription_manager::error::Error;
use subscription_manager::subscriber::{Given, read_log};

/// What a site applies of a log was in it, however it arrives; and there is no other log of this name.
pub fn site_log(bytes: &[u8]) {
    let read = |bytes: &[u8], cluster: &str, counter: u64| {
        let name = format!("slony1_log_2_{counter:020}.sql").parse().expect("a name");
        read_log(Cursor::new(bytes), cluster, name).inspect_err(|error| {
            assert!(matches!(error, Error::Stopped(_)), "no fault of ours: {}", error.chain());
        })
    };
    let whole = read(bytes, "jsoc", 7);
    let name = "slony1_log_2_00000000000000000007.sql".parse().expect("a name");
    let slow = read_log(Slow(Cursor::new(bytes)), "jsoc", name);
    let joined = |read: &Result<Vec<Given>, Error>| read.as_ref().ok().map(|given| joined(given));
    assert_eq!(joined(&whole), joined(&slow), "some bytes at a time");
    let Ok(given) = whole else { return };
    // The settings of the header come without what stands between them.
    let (_, given) = given.split_at(2);
    for one in given {
        check_given(one, bytes);
    }
    assert!(read(bytes, "jsoc", 8).is_err() && read(bytes, "other", 7).is_err(), "the name does not count");
    let end = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    assert!(read(&end[..end.len() - 1], "jsoc", 7).is_err(), "it is cut off");
    for more in ["select 1;", "commit;", "insert into a.b values (1);", "\\! touch x"] {
        let longer = [end, b"\n", more.as_bytes(), b"\n-- EOL\n"].concat();
        assert!(read(&longer, "jsoc", 7).is_err(), "{more} behind its end");
    }
}

/// What comes to the database is text of the log; a change has a value for each name, and none out of nothing.
fn check_given(given: &Given, bytes: &[u8]) {
    let is_there = |text: &[u8]| text.is_empty() || bytes.windows(text.len()).any(|window| window == text);
    match given {
        // Ours: how literals are to be read.
        Given::Statement(text) if text.starts_with(b"select pg_catalog.set_config('standard_conf") => {}
        Given::Statement(text) | Given::Rows(text) => assert!(is_there(text), "{}", text.escape_ascii()),
        Given::Change { text, names, values } => {
            assert!(is_there(text), "{}", text.escape_ascii());
            assert_eq!(names.len(), values.len(), "{}", text.escape_ascii());
            let values = values.iter().flatten();
            let size: usize = names.iter().chain(values).map(Vec::len).sum();
            assert!(size <= text.len(), "{}", text.escape_ascii());
        }
    }
}

/// What was given, with the pieces of a copy together.
fn joined(given: &[Given]) -> Vec<Given> {
    let mut all: Vec<Given> = Vec::new();
    for one in given {
        match (all.last_mut(), one) {
            (Some(Given::Rows(rows)), Given::Rows(more)) => rows.extend_from_slice(more),
            _ => all.push(one.clone()),
        }
    }
    all
}

/// Bytes that come a few at a time, from where one likes.
struct Slow<'b>(Cursor<&'b [u8]>);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = into.len().min(7);
        self.0.read(&mut into[..length])
    }
}

impl Seek for Slow<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}
