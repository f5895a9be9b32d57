//! A statement in the body of an archive of Slony-I 1.2.11 to 2.1, where changes are SQL.
//!
//! ```text
//! insert into "n"."t" ("a","b") values ('1',NULL);
//! update only "n"."t" set "b"='it''s \\' where "a"='1' and "k"='2';
//! delete from only "n"."t" where "a"='1';      delete from only "n"."t";
//! TRUNCATE TABLE ONLY "n"."t" CASCADE;
//! select "_c".sequenceSetValue_offline(7,'123');
//! ```
//!
//! Quotes and backslashes of a value are doubled. Line feeds, `;` and `--` may stand in it as they are.
//!
//! Blocks of `copy`, the lines of slon around a script and the trailer are not for this file: they have to be looked
//! for first.

use std::borrow::Cow;

use memchr::memchr;

use crate::model::{SERIES_NAME, SITE_SETTINGS};

use super::fault::excerpt;
use super::quoted;
use super::slon_words::{Found, Stop, blanks, column, may, number, token, until, value, word};
use super::statement_end::{self, End};

/// What a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Legacy<'a> {
    /// A change of one table, in slon's own grammar to the last byte.
    Change {
        /// What it does.
        verb: Verb,
        /// The table as it is spelled; see [`table_name`].
        table: &'a [u8],
    },
    /// A line that sets a sequence.
    Sequence {
        /// The number that slon has given to it.
        id: u32,
        /// A decimal number, perhaps negative.
        value: &'a [u8],
    },
    /// Any other SQL statement, with the comments before it: of a script, or of a stranger. Only its end is known.
    Other,
    /// Where it ends depends on `standard_conforming_strings`: a backslash stands before a quote. The length reaches
    /// up to that literal only; nothing behind it can be told apart, up to the end of the script.
    Unreadable,
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Insert,
    Update,
    Delete,
    Truncate,
}

/// Reads the statement that `text` begins with, up to and including its `;`, and its length.
///
/// `text` is what has been read of an archive so far. `None`: it ends before the statement does. The next attempt
/// begins anew: let the text grow by a factor, not by a constant.
///
/// `sequence_prefix` is `select "_c".sequenceSetValue_offline(`. What begins like that, or is a change with a backslash
/// that is not doubled, must be slon's own or is an error; so is a zero byte. Any other deviation from the grammar of
/// changes (`insert ... select`, `set x = x + 1`, a table without schema) makes the statement [`Legacy::Other`].
pub(crate) fn read<'a>(
    text: &'a [u8],
    sequence_prefix: &[u8],
) -> Result<Option<(Legacy<'a>, usize)>, String> {
    let found = match text.strip_prefix(sequence_prefix) {
        Some(arguments) => sequence(arguments).map_err(|stop| match stop {
            Stop::Other => Stop::Malformed("a line that sets a sequence is malformed", text),
            stop => stop,
        }),
        None => change(text).map(|(change, rest)| (change.into_statement(), rest)),
    };
    let found = match found {
        Err(Stop::Other) => match statement_end::find(text) {
            End::Behind(length) => Ok((Legacy::Other, text.get(length..).unwrap_or_default())),
            End::Unknown(length) => Ok((Legacy::Unreadable, text.get(length..).unwrap_or_default())),
            End::NotYet => Err(Stop::Short),
        },
        found => found,
    };
    let (found, read) = match found {
        Ok((statement, rest)) => {
            let length = text.len() - rest.len();
            (Some((statement, length)), text.get(..length).unwrap_or(text))
        }
        Err(Stop::Malformed(what, place)) => return Err(format!("{what}: `{}`", excerpt(place))),
        Err(Stop::Short | Stop::Other) => (None, text),
    };
    match memchr(0, read) {
        Some(_) => Err(format!("a zero byte in a statement: `{}`", excerpt(read))),
        None => Ok(found),
    }
}

/// The value of the column `seriesname` of an insert, or among the key columns (behind `where`) of an update or
/// delete, as the table holds it. `None` if there is none, or it is NULL, or the statement is no such change.
pub(crate) fn seriesname(statement: &[u8]) -> Option<Vec<u8>> {
    let is_it = |column: &[u8]| is_column(column, SERIES_NAME.as_bytes());
    let value = match change(statement).ok()?.0 {
        Change::Insert { columns, values, .. } => {
            let (number, _) = find(columns, column, |_, name| is_it(name))?;
            find(values, value, |at, _| at == number)?.1
        }
        Change::Update { mut keys, .. } | Change::Delete { mut keys, .. } => {
            keys.find(|pair| is_it(pair.column))?.value
        }
        Change::Truncate { .. } => return None,
    };
    quoted::undouble(value.strip_prefix(b"'")?.strip_suffix(b"'")?)
}

/// A column and its value, both without quotes; NULL is `None`.
pub(crate) type Assigned = (Vec<u8>, Option<Vec<u8>>);

/// The columns of a change with their values: of an update those that it sets, and behind them its keys, whose number is
/// the second. `None` if it names none, or the statement is no such change.
pub(crate) fn assigned(statement: &[u8]) -> Option<(Vec<Assigned>, usize)> {
    let name = |spelled: &[u8]| {
        let is_quoted = spelled.starts_with(b"\"");
        let quoted = || quoted::identifier(spelled).map(|(name, _)| name);
        if is_quoted { quoted() } else { Some(spelled.to_ascii_lowercase()) }
    };
    let literal = |spelled: &[u8]| match spelled.strip_prefix(b"'") {
        Some(text) => quoted::undouble(text.strip_suffix(b"'")?).map(Some),
        None => Some(None),
    };
    let all = |pairs: Pairs<'_>| -> Option<Vec<Assigned>> {
        pairs.map(|pair| Some((name(pair.column)?, literal(pair.value)?))).collect()
    };
    let (mut found, keys) = match change(statement).ok()?.0 {
        Change::Insert { columns, values, .. } => {
            let (mut found, mut names, mut given) = (Vec::new(), columns, values);
            while let (Ok(behind), Ok(end)) = (column(blanks(names)), value(blanks(given))) {
                found.push((name(until(blanks(names), behind))?, literal(until(blanks(given), end))?));
                let (Ok(next), Ok(after)) = (token(behind, b','), token(end, b',')) else { break };
                (names, given) = (next, after);
            }
            (found, Vec::new())
        }
        Change::Update { assignments, keys, .. } => (all(assignments)?, all(keys)?),
        Change::Delete { keys, .. } => (Vec::new(), all(keys)?),
        Change::Truncate { .. } => return None,
    };
    let count = keys.len();
    found.extend(keys);
    (!found.is_empty()).then_some((found, count))
}

/// An update of a table `drms_series` without its assignments to `archive`, `retention` and `tapegroup`, which are the
/// site's own. If no other is left, nothing is changed the way slon writes it: `set key='v' where key='v'`. Any other
/// statement comes back as it is.
pub(crate) fn without_site_settings(statement: &[u8]) -> Cow<'_, [u8]> {
    stripped(statement).map_or(Cow::Borrowed(statement), Cow::Owned)
}

fn stripped(statement: &[u8]) -> Option<Vec<u8>> {
    let (Change::Update { table, assignments: Pairs(set), mut keys }, _) = change(statement).ok()? else {
        return None;
    };
    let (ours, mut kept): (Vec<Pair>, Vec<Pair>) =
        Pairs(set).partition(|pair| SITE_SETTINGS.iter().any(|name| is_column(pair.column, name.as_bytes())));
    if ours.is_empty() || table_name(table)?.1 != b"drms_series" {
        return None;
    }
    // The assignments lie between the first pair and the key word before the keys.
    let start = until(statement, blanks(set));
    let end = statement.get(until(statement, keys.0).len() - b"where".len()..)?;
    if kept.is_empty() {
        kept.push(keys.next()?);
    }
    let kept: Vec<&[u8]> = kept.iter().map(|pair| pair.text).collect();
    Some([start, &kept.join(&b","[..]), b" ", end].concat())
}

/// Schema and table of a name in a statement. Words without quotes are folded to lower case, as far as ASCII goes.
/// `None` if it is not two names with a dot between.
pub(crate) fn table_name(raw: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let part = |text| {
        let end = column(text).ok()?;
        let (name, rest) = (text.get(..text.len() - end.len())?, end);
        let name =
            if name.starts_with(b"\"") { quoted::identifier(name)?.0 } else { name.to_ascii_lowercase() };
        Some((name, rest))
    };
    // What follows a bare name decides where it ends.
    let text = [raw, b" "].concat();
    let (schema, rest) = part(&text)?;
    let (table, rest) = part(rest.strip_prefix(b".")?)?;
    (rest == b" ").then_some((schema, table))
}

/// The parts of a change, as they stand in the text.
enum Change<'a> {
    Insert { table: &'a [u8], columns: &'a [u8], values: &'a [u8] },
    Update { table: &'a [u8], assignments: Pairs<'a>, keys: Pairs<'a> },
    Delete { table: &'a [u8], keys: Pairs<'a> },
    Truncate { table: &'a [u8] },
}

impl<'a> Change<'a> {
    fn into_statement(self) -> Legacy<'a> {
        let (verb, table) = match self {
            Self::Insert { table, .. } => (Verb::Insert, table),
            Self::Update { table, .. } => (Verb::Update, table),
            Self::Delete { table, .. } => (Verb::Delete, table),
            Self::Truncate { table } => (Verb::Truncate, table),
        };
        Legacy::Change { verb, table }
    }
}

fn change(text: &[u8]) -> Found<'_, Change<'_>> {
    let (change, rest) = match text.first().ok_or(Stop::Short)? {
        b'i' | b'I' => insert(text)?,
        b'u' | b'U' => update(text)?,
        b'd' | b'D' => delete(text)?,
        b't' | b'T' => truncate(text)?,
        _ => return Err(Stop::Other),
    };
    Ok((change, token(rest, b';')?))
}

fn insert(text: &[u8]) -> Found<'_, Change<'_>> {
    let (table, rest) = table(word(word(text, b"insert")?, b"into")?)?;
    let (listed, columns, rest) = list(rest, column)?;
    let (given, values, rest) = list(word(rest, b"values")?, value)?;
    if listed != given {
        return Err(Stop::Malformed("an insert with another number of values than of columns", text));
    }
    Ok((Change::Insert { table, columns, values }, rest))
}

fn update(text: &[u8]) -> Found<'_, Change<'_>> {
    let (table, rest) = table(may(word(text, b"update")?, b"only")?)?;
    let (assignments, rest) = pairs(word(rest, b"set")?, |rest| token(rest, b','))?;
    let (keys, rest) = pairs(word(rest, b"where")?, |rest| word(rest, b"and"))?;
    Ok((Change::Update { table, assignments, keys }, rest))
}

fn delete(text: &[u8]) -> Found<'_, Change<'_>> {
    let (table, rest) = table(may(word(word(text, b"delete")?, b"from")?, b"only")?)?;
    let (keys, rest) = match word(rest, b"where") {
        Err(Stop::Other) => (Pairs(b""), rest),
        behind => pairs(behind?, |rest| word(rest, b"and"))?,
    };
    Ok((Change::Delete { table, keys }, rest))
}

fn truncate(text: &[u8]) -> Found<'_, Change<'_>> {
    let (table, rest) = table(may(may(word(text, b"truncate")?, b"table")?, b"only")?)?;
    Ok((Change::Truncate { table }, may(rest, b"cascade")?))
}

/// The rest of a line that sets a sequence, behind its prefix.
fn sequence(text: &[u8]) -> Found<'_, Legacy<'_>> {
    let (id, rest) = number(text)?;
    let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok()).ok_or(Stop::Other)?;
    let value = token(token(rest, b',')?, b'\'')?;
    let (_, rest) = number(value.strip_prefix(b"-").unwrap_or(value))?;
    let value = until(value, rest);
    Ok((Legacy::Sequence { id, value }, token(token(token(rest, b'\'')?, b')')?, b';')?))
}

/// `"schema"."table"`, quoted or not.
fn table(text: &[u8]) -> Found<'_, &[u8]> {
    let text = blanks(text);
    let rest = match column(text)? {
        [] => return Err(Stop::Short),
        [b'.', rest @ ..] => column(rest)?,
        _ => return Err(Stop::Other),
    };
    Ok((until(text, rest), rest))
}

/// `(item, ...)`: how many there are, they themselves with the closing bracket, and what follows it.
fn list<'a>(
    text: &'a [u8],
    item: impl Fn(&'a [u8]) -> Result<&'a [u8], Stop<'a>>,
) -> Result<(usize, &'a [u8], &'a [u8]), Stop<'a>> {
    let items = token(text, b'(')?;
    let mut rest = items;
    let mut count = 0;
    loop {
        rest = item(blanks(rest))?;
        count += 1;
        rest = match rest {
            [b',', more @ ..] => more,
            _ => match token(rest, b',') {
                Err(Stop::Other) => {
                    let rest = token(rest, b')')?;
                    return Ok((count, until(items, rest), rest));
                }
                more => more?,
            },
        };
    }
}

/// The first item, with its number from 0, that a list holds which was read before.
fn find<'a>(
    items: &'a [u8],
    item: impl Fn(&'a [u8]) -> Result<&'a [u8], Stop<'a>>,
    is_it: impl Fn(usize, &'a [u8]) -> bool,
) -> Option<(usize, &'a [u8])> {
    let mut rest = items;
    for number in 0.. {
        let text = blanks(rest);
        rest = item(text).ok()?;
        let found = until(text, rest);
        if is_it(number, found) {
            return Some((number, found));
        }
        rest = token(rest, b',').ok()?;
    }
    None
}

/// `column=value` and its parts.
struct Pair<'a> {
    text: &'a [u8],
    column: &'a [u8],
    value: &'a [u8],
}

fn pair(text: &[u8]) -> Found<'_, Pair<'_>> {
    let text = blanks(text);
    let behind = column(text)?;
    let start = blanks(token(behind, b'=')?);
    let rest = value(start)?;
    let pair = Pair { text: until(text, rest), column: until(text, behind), value: until(start, rest) };
    Ok((pair, rest))
}

/// Pairs that were read before, with `,` or `and` between, and what follows the last.
struct Pairs<'a>(&'a [u8]);

fn pairs<'a>(
    text: &'a [u8],
    separator: impl Fn(&'a [u8]) -> Result<&'a [u8], Stop<'a>>,
) -> Found<'a, Pairs<'a>> {
    let mut rest = text;
    loop {
        (_, rest) = pair(rest)?;
        rest = match separator(rest) {
            Err(Stop::Other) => return Ok((Pairs(text), rest)),
            more => more?,
        };
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        let (pair, rest) = pair(self.0).ok()?;
        self.0 = token(rest, b',').or_else(|_| word(rest, b"and")).unwrap_or_default();
        Some(pair)
    }
}

/// Whether a column's name, as it is spelled in a statement, is a certain one.
fn is_column(spelled: &[u8], name: &[u8]) -> bool {
    match spelled.strip_prefix(b"\"") {
        Some(quoted) => quoted.strip_suffix(b"\"") == Some(name),
        None => spelled.eq_ignore_ascii_case(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &[u8] = br#"select "_c".sequenceSetValue_offline("#;

    fn change_of(verb: Verb, table: &str) -> Legacy<'_> {
        Legacy::Change { verb, table: table.as_bytes() }
    }

    const M: &str = r#""hmi"."m_45s""#;
    const ODD: &str = r#""Odd Schema"."We""ird,Tab{le}; ""#;

    fn good() -> Vec<(String, Legacy<'static>)> {
        use Verb::{Delete, Insert, Truncate, Update};
        let mut cases = Vec::new();
        for (text, verb) in [
            (r#"insert into @ ("a","b") values ('1',NULL);"#, Insert),
            (r"insert into @ (a) values ('');", Insert),
            ("INSERT INTO @\n( a,\t\"b\"\r\n, c) VALUES\n( null ,'x' , 'y''' ) ;", Insert),
            (r#"insert into @("We""ird,;)") values('a;'' -- \\');"#, Insert),
            ("insert into @ (a,b) values ('a;\n\ncommit;\n-- x\n\\\\','\\\\''');", Insert),
            (
                "insert into @ (a) values ('\u{1}\u{7f}é long enough for the second way of search \\\\ '' ');",
                Insert,
            ),
            (r#"update only @ set "a"='1',"b"=NULL where "c"='2' and "d"='3''';"#, Update),
            (r"update @ set a = '1' , b = 'and where ;' WHERE c = '2' AND d='3' ;", Update),
            (r#"update only @ set "a"='1' where "a"='1';"#, Update),
            (r#"delete from only @ where "a"='1' and "b"='\\';"#, Delete),
            (r"delete from @;", Delete),
            (r"delete from only @ ;", Delete),
            (r"TRUNCATE TABLE ONLY @ CASCADE;", Truncate),
            (r"truncate @;", Truncate),
            (r"truncate only @;", Truncate),
            (r"truncate table @ cascade ;", Truncate),
        ] {
            for table in [M, ODD, "hmi.m_45s", "Hmi.\"M\""] {
                cases.push((text.replacen('@', table, 1), table, verb));
            }
        }
        let mut cases: Vec<_> =
            cases.into_iter().map(|(text, table, verb)| (text, change_of(verb, table))).collect();
        for (id, value) in [(7, "123"), (0, "-5"), (2_147_483_647, "9223372036854775807")] {
            let text = format!("select \"_c\".sequenceSetValue_offline({id},'{value}');");
            cases.push((text, Legacy::Sequence { id, value: value.as_bytes() }));
        }
        cases
    }

    #[test]
    fn changes_give_their_columns_and_values() {
        let pair = |name: &str, value: Option<&str>| (name.into(), value.map(Into::into));
        for (text, expected) in [
            (
                r#"insert into "n"."t" ("a","B""c",D) values ('1', NULL ,'it''s \\');"#,
                Some((vec![pair("a", Some("1")), pair("B\"c", None), pair("d", Some("it's \\"))], 0)),
            ),
            (
                r#"update only "n"."t" set "a"='',"b"=NULL where "k"='2' and l = '3';"#,
                Some((
                    vec![pair("a", Some("")), pair("b", None), pair("k", Some("2")), pair("l", Some("3"))],
                    2,
                )),
            ),
            (r#"delete from only "n"."t" where "k"='2';"#, Some((vec![pair("k", Some("2"))], 1))),
            (r#"delete from only "n"."t";"#, None),
            (r#"TRUNCATE TABLE ONLY "n"."t" CASCADE;"#, None),
            ("select 1;", None),
        ] {
            assert_eq!(assigned(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn good_statements_are_read_to_their_end() {
        for (text, expected) in good() {
            for behind in ["", "\n", "\n\n-- x\n", " select 1;"] {
                let text = format!("{text}{behind}");
                let length = text.len() - behind.len();
                assert_eq!(read(text.as_bytes(), PREFIX), Ok(Some((expected, length))), "{text}");
            }
            for end in 0..text.len() {
                let cut = &text.as_bytes()[..end];
                assert_eq!(read(cut, PREFIX), Ok(None), "{}", cut.escape_ascii());
            }
        }
    }

    #[test]
    fn other_statements_are_only_cut() {
        for text in [
            "insert into a.b select ';';",
            "insert into a.b values ('1');",
            "insert into a.b (c) values ('1'), ('2');",
            "insert into a.b (c) values (1);",
            "insert into a.b (c) values ('1') returning c;",
            "insert into a.b () values ();",
            "insert into b (c) values ('1');",
            "insert into x.a.b (c) values ('1');",
            "insert into a.b -- it's;\n (c) values ('1');",
            "insert into a.b (c) values (E'\\'');",
            "insert into a.b (c) values ('1'\n'2');",
            "update a.b set x = x + 1 where y = '1';",
            "update a.b set x = '1';",
            "update a.b set x = '1' where y = '1' or z = '2';",
            "update a.b set x = '1', where y = '1';",
            "update b set x = '1' where y = '1';",
            "delete from a.b using c where x = '1';",
            "delete a.b;",
            "truncate a.b, c.d;",
            "truncate a.b restart identity;",
            "truncate table only only cascade;",
            "truncated a.b;",
            "-- insert into a.b;\ninsert into a.b (c) values ('1');",
            "set session_replication_role to local;",
            "select \"_d\".sequenceSetValue_offline(7,'1');",
            "alter table a.b add c text default 'x\\y;';",
            "create function f() returns int as $$\n\ndelete from hmi.m_45s;\nend;\n$$ language plpgsql;",
            "/* ; */;",
            ";",
        ] {
            assert_eq!(read(text.as_bytes(), PREFIX), Ok(Some((Legacy::Other, text.len()))), "{text}");
            for end in 0..text.len() {
                assert_eq!(read(&text.as_bytes()[..end], PREFIX), Ok(None), "{}", &text[..end]);
            }
        }
        let text = b"update a.b set x = f('it\\'s;') where y = '1';";
        assert_eq!(read(text, PREFIX), Ok(Some((Legacy::Unreadable, 21))));
    }

    #[test]
    fn what_is_damaged_is_explained() {
        for (text, says) in [
            (
                r"insert into a.b (c) values ('x\y');",
                r"a value with a backslash that is not doubled: `\'x\\y\');`",
            ),
            (r"insert into a.b (c) values ('x\'');", "a value with a backslash"),
            (r"update a.b set c='\\\n' where d='1';", "a value with a backslash"),
            (r"delete from only a.b where d='\';", "a value with a backslash"),
            ("insert into a.b (c,d) values ('1');", "an insert with another number"),
            ("insert into a.b (c) values ('1',NULL) returning c;", "an insert with another number"),
            ("insert into a.b (c) values ('\0');", "a zero byte"),
            ("insert into a.b (c) values ('\0", "a zero byte"),
            ("select 1\0;", "a zero byte"),
            ("select \"_c\".sequenceSetValue_offline('a','b','1');", "a line that sets a sequence"),
            ("select \"_c\".sequenceSetValue_offline(4294967296,'1');", "a line that sets a sequence"),
            ("select \"_c\".sequenceSetValue_offline(7,'');", "a line that sets a sequence"),
            ("select \"_c\".sequenceSetValue_offline(7,'1'); x", ""),
            ("select \"_c\".sequenceSetValue_offline(7,'1')||f();", "a line that sets a sequence"),
        ] {
            match read(text.as_bytes(), PREFIX) {
                Err(what) => assert!(what.starts_with(says) && !says.is_empty(), "{text}: {what}"),
                Ok(found) => assert!(says.is_empty(), "{text}: {found:?}"),
            }
        }
    }

    /// Every damage of one byte to every case: nothing panics, a length is that of a statement, and what is still a
    /// change has parts that can be taken out.
    #[test]
    fn damage_is_survived() {
        for (text, _) in good() {
            for at in 0..text.len() {
                for byte in *b"\0'\"\\;,()=. aN\n\xff" {
                    let mut damaged = text.clone().into_bytes();
                    damaged[at] = byte;
                    if let Ok(Some((found, length))) = read(&damaged, PREFIX) {
                        assert!(found == Legacy::Unreadable || damaged[length - 1] == b';');
                        if let Legacy::Change { table, .. } = found {
                            assert!(table_name(table).is_some(), "{}", damaged.escape_ascii());
                        }
                    }
                    seriesname(&damaged);
                    without_site_settings(&damaged);
                }
            }
        }
    }

    #[test]
    fn names_are_folded_as_the_server_folds_them() {
        for (raw, schema, table) in [
            (M, "hmi", "m_45s"),
            (ODD, "Odd Schema", "We\"ird,Tab{le}; "),
            ("HMI.M_45s", "hmi", "m_45s"),
            ("\"HMI\".M_45s", "HMI", "m_45s"),
            ("Été.\"a.b\"", "Été", "a.b"),
        ] {
            let name = Some((schema.as_bytes().to_vec(), table.as_bytes().to_vec()));
            assert_eq!(table_name(raw.as_bytes()), name, "{raw}");
        }
        for bad in ["", "a", "a.", ".a", "a.b.c", "a.b ", "a b", "\"a\"", "\"a.b", "a.\"\"", "1.a"] {
            assert_eq!(table_name(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_series_of_a_row_is_found() {
        for (text, name) in [
            (r#"insert into a.b ("x",seriesname,"y") values ('1','it''s','2');"#, Some("it's")),
            (r#"insert into a.b ( "x" , "seriesname" ) values ( 'a,''b' , 'hmi.\\' ) ;"#, Some(r"hmi.\")),
            (r#"insert into a.b ("seriesname") values ('');"#, Some("")),
            (r#"insert into a.b ("seriesname") values (NULL);"#, None),
            (r#"insert into a.b ("Seriesname") values ('x');"#, None),
            (r#"insert into a.b ("x") values ('seriesname');"#, None),
            (r#"update a.b set "seriesname"='new' where "x"='1' and SeriesName='old';"#, Some("old")),
            (r#"update a.b set "seriesname"='new' where "x"='1';"#, None),
            (r#"delete from a.b where "x"='1' and "seriesname"='s';"#, Some("s")),
            ("delete from a.b;", None),
            ("truncate a.b;", None),
            ("select seriesname;", None),
        ] {
            let found = seriesname(text.as_bytes());
            assert_eq!(found.as_deref(), name.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn settings_of_a_site_are_left_out() {
        let begin = r#"update only "hmi"."drms_series" set "#;
        let end = r#"where "seriesname"='a' and "x"='b';"#;
        for (set, left) in [
            (r#""author"='x' "#, r#""author"='x' "#),
            (r#""archive"='1' "#, r#""seriesname"='a' "#),
            (r#""archive"='1',retention=NULL,"tapegroup"='3' "#, r#""seriesname"='a' "#),
            (r#""archive"='1',"author"='it''s where','x'"#, r#""archive"='1',"author"='it''s where','x'"#),
            (r#""archive"='1',"author"='it''s where' "#, r#""author"='it''s where' "#),
            (
                r#""a"='1' , "RETENTION"='2', "retention" = '2' , "b"='\\'  "#,
                r#""a"='1',"RETENTION"='2',"b"='\\' "#,
            ),
        ] {
            let text = format!("{begin}{set}{end}");
            let stripped = without_site_settings(text.as_bytes());
            let expected = format!("{begin}{left}{end}");
            assert_eq!(stripped, expected.as_bytes(), "{}", stripped.escape_ascii());
            let other = text.replace("drms_series", "drms_keyword");
            assert_eq!(without_site_settings(other.as_bytes()), other.as_bytes());
        }
        for other in [r#"insert into "hmi"."drms_series" ("archive") values ('1');"#, "select 1;", ""] {
            assert_eq!(without_site_settings(other.as_bytes()), other.as_bytes());
        }
    }
}
