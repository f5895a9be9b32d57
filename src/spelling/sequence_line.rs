//! Lines that set a sequence, of a SYNC and of the copy of a set.

use super::header::namespace;
use super::quoted::{qualified, undouble};

/// A line that sets a sequence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SequenceLine {
    /// See [`pasted_key`].
    pub(crate) names: Vec<u8>,
    /// A decimal number, perhaps negative.
    pub(crate) value: Vec<u8>,
}

/// A sequence as slon pastes it between the outer quotes of a line, without doubling anything: `nsp','seq`. Two odd
/// names can give the same text; whoever looks one up has to mind that.
pub(crate) fn pasted_key(schema: &[u8], name: &[u8]) -> Vec<u8> {
    [schema, b"','", name].concat()
}

/// What begins a line of a SYNC: `select "_c".sequenceSetValue_offline('`.
pub(crate) fn sync_prefix(cluster: &str) -> String {
    format!("select {}.sequenceSetValue_offline('", namespace(cluster))
}

/// `select "_c".sequenceSetValue_offline('nsp','seq','23');`, whatever stands in the names. `None` if it does not
/// end like that: then the name goes on in the next line. `prefix` is [`sync_prefix`].
pub(crate) fn of_sync(line: &[u8], prefix: &[u8]) -> Option<SequenceLine> {
    let rest = line.strip_prefix(prefix)?.strip_suffix(b"');")?;
    let at = memchr::memmem::rfind(rest, b"','")?;
    let (names, value) = (rest.get(..at)?, rest.get(at + 3..)?);
    // Both names are there, and no byte that neither SQL nor psql takes.
    let complete = memchr::memmem::find(names, b"','").is_some() && memchr::memchr(b'\0', names).is_none();
    (complete && is_value(value)).then(|| SequenceLine { names: names.to_vec(), value: value.to_vec() })
}

/// `select "pg_catalog".setval('"n"."s"', '23'); `, properly quoted by slon.
pub(crate) fn of_copy(line: &[u8]) -> Option<SequenceLine> {
    let rest =
        line.strip_prefix(br#"select "pg_catalog".setval('"#)?.trim_ascii_end().strip_suffix(b"');")?;
    let at = memchr::memmem::rfind(rest, b"', '")?;
    let (literal, value) = (rest.get(..at)?, rest.get(at + 4..)?);
    let names = undouble(literal)?;
    let (schema, name, after) = qualified(&names)?;
    let line = SequenceLine { names: pasted_key(&schema, &name), value: value.to_vec() };
    (after.is_empty() && is_value(value)).then_some(line)
}

/// The value of `select "_c".sequenceSetValue_offline(7,'123');`, which was read before.
pub(crate) fn value_of_number(line: &[u8]) -> Option<&[u8]> {
    let end = memchr::memrchr(b'\'', line)?;
    let start = memchr::memrchr(b'\'', line.get(..end)?)?;
    line.get(start + 1..end)
}

fn is_value(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty() && digits.len() < 20 && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(names: &str, value: &str) -> SequenceLine {
        SequenceLine { names: names.into(), value: value.into() }
    }

    #[test]
    fn names_of_a_sync_are_taken_raw() {
        for (names, value) in [("public','t_seq", "23"), ("it's','a','b", "-5"), ("a','b\nc", "0")] {
            let text = format!("select \"_c\".sequenceSetValue_offline('{names}','{value}');");
            assert_eq!(of_sync(text.as_bytes(), sync_prefix("c").as_bytes()), Some(line(names, value)));
        }
        for bad in [
            "select \"_c\".sequenceSetValue_offline('a','b','x');",
            "select \"_c\".sequenceSetValue_offline('a','5');",
            "select \"_c\".sequenceSetValue_offline(7,'123');",
            "select \"_c\".sequenceSetValue_offline('a','b','1'); ",
            "select \"_d\".sequenceSetValue_offline('a','b','1');",
            "select \"_c\".sequenceSetValue_offline('a','b','');",
        ] {
            assert_eq!(of_sync(bad.as_bytes(), sync_prefix("c").as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn names_of_a_copy_are_unquoted() {
        let text = br#"select "pg_catalog".setval('"Odd Schema"."it''s ""\\"', '77'); "#;
        assert_eq!(of_copy(text), Some(line("Odd Schema','it's \"\\", "77")));
        for bad in [
            r#"select "pg_catalog".setval('a.b', '77'); "#,
            r#"select "pg_catalog".setval('"a"."b"', 'x'); "#,
            r#"select "pg_catalog".setval('"a"."b"', '1'); drop table x; "#,
            r#"select "pg_catalog".setval('"a"."b'"', '1'); "#,
        ] {
            assert_eq!(of_copy(bad.as_bytes()), None, "{bad}");
        }
    }
}
