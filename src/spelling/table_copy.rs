//! The lines around the copy of a whole table, after `-- ENABLE_SUBSCRIPTION`.

use super::header::namespace;
use super::quoted::{self, identifier, qualified};
use super::row::series_key;

/// `copy "n"."t" ("a","b") from stdin;`
pub(crate) struct TableCopy {
    /// See [`series_key`].
    pub(crate) series: Vec<u8>,
    /// How many columns are listed.
    pub(crate) columns: usize,
}

/// The series of `delete from "n"."t";` (with or without `only`).
pub(crate) fn delete(line: &[u8]) -> Option<Vec<u8>> {
    let rest = line.strip_prefix(b"delete from ")?;
    let (schema, name, rest) = qualified(rest.strip_prefix(b"only ").unwrap_or(rest))?;
    (rest == b";").then(|| series_key(&schema, &name))
}

/// The table and the columns of a `copy` line.
pub(crate) fn copy(line: &[u8]) -> Option<TableCopy> {
    let (schema, name, _) = qualified(line.strip_prefix(b"copy ")?)?;
    let mut rest = column_list(line)?.strip_prefix(b"(")?;
    let mut columns = 0;
    loop {
        (_, rest) = identifier(rest)?;
        columns += 1;
        match rest.strip_prefix(b",") {
            Some(more) => rest = more,
            None => break,
        }
    }
    (rest == b") from stdin;").then(|| TableCopy { series: series_key(&schema, &name), columns })
}

/// What follows the table's name in a `copy` line: `("a","b") from stdin;`.
pub(crate) fn column_list(line: &[u8]) -> Option<&[u8]> {
    let (_, _, rest) = qualified(line.strip_prefix(b"copy ")?)?;
    rest.strip_prefix(b" ")
}

/// Whether such a line goes on in the next because a name holds a line feed.
pub(crate) fn name_is_open(line: &[u8]) -> bool {
    let odd = |text: &[u8]| memchr::memchr_iter(b'"', text).count() % 2 == 1;
    match line.strip_prefix(b"delete from ") {
        // Of the old formats: a literal may follow the name, and hold quotes.
        Some(rest) => quoted::is_open(rest.strip_prefix(b"only ").unwrap_or(rest)),
        None => (line.starts_with(b"copy ") || is_select_of_slon(line)) && odd(line),
    }
}

/// Whether a line begins like one of slon's with a name in quotes; any other is of a script, and quotes say nothing.
fn is_select_of_slon(line: &[u8]) -> bool {
    line.starts_with(br#"select "pg_catalog".setval('"#)
        || (line.starts_with(br#"select "_"#)
            && memchr::memmem::find(line, b".finishTableAfterCopy(").is_some())
}

/// What begins the last line of the copy of a table.
pub(crate) fn finish_prefix(cluster: &str) -> String {
    format!("select {}.finishTableAfterCopy(", namespace(cluster))
}

/// The series of `select "_c".finishTableAfterCopy(1); analyze "n"."t"; `. `prefix` is [`finish_prefix`].
pub(crate) fn finish(line: &[u8], prefix: &[u8]) -> Option<Vec<u8>> {
    let rest = line.strip_prefix(prefix)?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = rest.get(digits..)?.strip_prefix(b"); analyze ")?;
    let (schema, name, rest) = qualified(rest)?;
    (digits > 0 && rest.trim_ascii_end() == b";").then(|| series_key(&schema, &name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_block_name_their_series() {
        let key = series_key(b"Odd Schema", br#"We"ird\"#);
        let table = r#""Odd Schema"."We""ird\""#;
        for line in [format!("delete from {table};"), format!("delete from only {table};")] {
            assert_eq!(delete(line.as_bytes()).as_ref(), Some(&key));
        }
        let copied =
            copy(format!(r#"copy {table} ("K ey","k\2","v"",""q") from stdin;"#).as_bytes()).unwrap();
        assert_eq!((copied.series, copied.columns), (key.clone(), 3));
        let line = format!("select \"_c\".finishTableAfterCopy(12); analyze {table}; ");
        assert_eq!(finish(line.as_bytes(), finish_prefix("c").as_bytes()), Some(key));
    }

    #[test]
    fn other_lines_are_none() {
        for bad in [
            r#"delete from "a"."b"; drop table x;"#,
            r"delete from a.b;",
            r#"copy "a"."b" () from stdin;"#,
            r#"copy "a"."b" from stdin;"#,
            r#"copy "a"."b" ("x",) from stdin;"#,
            r#"copy "a"."b" ("x") from program;"#,
            r#"select "_c".finishTableAfterCopy(); analyze "a"."b"; "#,
            r#"select "_d".finishTableAfterCopy(1); analyze "a"."b"; "#,
            r#"select "_c".finishTableAfterCopy(1); analyze "a"."b"; x;"#,
        ] {
            let line = bad.as_bytes();
            let finished = finish(line, finish_prefix("c").as_bytes());
            assert!(delete(line).is_none() && copy(line).is_none() && finished.is_none(), "{bad}");
        }
    }
}
