//! A row of `sl_log_archive`: nine fields between TABs, checked without being decoded.

use super::array;
use super::copy_text::{escape, is_field, is_null};
use super::fault::excerpt;

/// The columns of a row, in the order in which slon writes them.
pub(crate) const COLUMNS: [&str; 9] = [
    "log_origin",
    "log_txid",
    "log_tableid",
    "log_actionseq",
    "log_tablenspname",
    "log_tablerelname",
    "log_cmdtype",
    "log_cmdupdncols",
    "log_cmdargs",
];

/// `COPY "_c"."sl_log_archive" (...) FROM STDIN;` with exactly the known columns, however they are spaced.
pub(crate) fn is_log_copy(text: &[u8], prefix: &[u8]) -> bool {
    let columns = || {
        let rest = text.strip_prefix(prefix)?.trim_ascii_start().strip_prefix(b"(")?;
        let at = memchr::memchr(b')', rest)?;
        let (columns, rest) = (rest.get(..at)?, rest.get(at + 1..)?);
        let rest = rest.trim_ascii_start().strip_prefix(b"FROM")?;
        (rest.trim_ascii_start() == b"STDIN;").then_some(columns)
    };
    columns().is_some_and(|columns| {
        columns.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).eq(COLUMNS.map(str::as_bytes))
    })
}

/// A series as rows spell it: schema, TAB, table, both escaped as in COPY.
pub(crate) fn series_key(schema: &[u8], table: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(schema.len() + 1 + table.len());
    escape(schema, &mut key);
    key.push(b'\t');
    escape(table, &mut key);
    key
}

/// The names in a [`series_key`], for SQL of ours.
pub(crate) fn names_of(series: &[u8]) -> (String, String) {
    let mut parts = series.split(|byte| *byte == b'\t').map(|part| {
        let text = super::copy_text::unescape(part).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    });
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// A row (without its line feed) of which the fields are known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a>(Fields<'a>);

/// What a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// I, U, D or T: a change of its table.
    Change,
    /// S: a statement of EXECUTE SCRIPT.
    Script,
    /// s: the end of a script.
    ScriptEnd,
}

impl<'a> Row<'a> {
    /// Finds the fields of a row that was checked before.
    pub(crate) fn find(row: &'a [u8]) -> Result<Self, String> {
        Fields::of(row).map(Self).ok_or_else(|| wrong_count(row))
    }

    /// Checks every field, or says what is wrong.
    pub(crate) fn check(row: &'a [u8]) -> Result<Self, String> {
        let fields = Fields::of(row).ok_or_else(|| wrong_count(row))?;
        for (field, column) in [(0, "log_origin"), (1, "log_txid"), (3, "log_actionseq")] {
            if number(fields.at(field)).is_none() {
                return Err(fields.wrong(field, column, "a number"));
            }
        }
        let needed = match fields.at(6) {
            b"I" | b"D" => Arguments::Pairs,
            b"U" => Arguments::Update,
            b"T" => Arguments::None,
            b"S" | b"s" => return script(fields),
            _ => return Err(fields.wrong(6, "log_cmdtype", "I, U, D, T, S or s")),
        };
        if number(fields.at(2)).is_none() {
            return Err(fields.wrong(2, "log_tableid", "a number"));
        }
        let Some(changed) = number(fields.at(7)) else {
            return Err(fields.wrong(7, "log_cmdupdncols", "a number"));
        };
        for (field, column) in [(4, "log_tablenspname"), (5, "log_tablerelname")] {
            let name = fields.at(field);
            if name.is_empty() || is_null(name) || !is_field(name) {
                return Err(fields.wrong(field, column, "a name"));
            }
        }
        let elements = elements(fields)?;
        let pairs = elements % 2 == 0 && elements > 0;
        let fits = match needed {
            Arguments::Pairs => pairs,
            Arguments::Update => {
                pairs && changed.checked_mul(2).is_some_and(|changed| changed < elements as u64)
            }
            Arguments::None => elements == 0,
        };
        if fits {
            return Ok(Self(fields));
        }
        let what = format!("{elements} elements do not suit a {} row", excerpt(fields.at(6)));
        Err(format!("log_cmdargs: {what} with log_cmdupdncols {changed}: `{}`", excerpt(fields.at(8))))
    }

    /// What it stands for.
    pub(crate) fn command(&self) -> Command {
        match self.0.at(6) {
            b"S" => Command::Script,
            b"s" => Command::ScriptEnd,
            _ => Command::Change,
        }
    }

    /// The series as the row spells it ([`series_key`]).
    pub(crate) fn series(&self) -> &'a [u8] {
        self.0.series()
    }

    /// `log_cmdargs` as it stands.
    pub(crate) fn arguments(&self) -> &'a [u8] {
        self.0.at(8)
    }

    /// How many of the pairs in `log_cmdargs` come before the key: the changes of an update.
    pub(crate) fn changes(&self) -> usize {
        number(self.0.at(7)).and_then(|count| usize::try_from(count).ok()).unwrap_or_default()
    }

    /// Whether it is an update.
    pub(crate) fn is_update(&self) -> bool {
        self.0.at(6) == b"U"
    }

    /// The letter of its command: I, U, D, T, S or s.
    pub(crate) fn letter(&self) -> u8 {
        self.0.at(6).first().copied().unwrap_or_default()
    }

    /// The row with other changes: `log_cmdupdncols` and `log_cmdargs` replaced, and a line feed behind it.
    pub(crate) fn with(&self, changes: usize, arguments: &[u8]) -> Vec<u8> {
        let [.., before, behind] = self.0.tabs;
        let mut row = self.0.row.get(..=before).unwrap_or_default().to_vec();
        row.extend_from_slice(changes.to_string().as_bytes());
        row.extend_from_slice(self.0.row.get(behind..=behind).unwrap_or_default());
        row.extend_from_slice(arguments);
        row.push(b'\n');
        row
    }
}

/// The rest of a row of EXECUTE SCRIPT: it names no table.
fn script(fields: Fields<'_>) -> Result<Row<'_>, String> {
    if number(fields.at(2)).is_none() && !is_null(fields.at(2)) {
        return Err(fields.wrong(2, "log_tableid", "a number or NULL"));
    }
    if number(fields.at(7)).is_none() && !is_null(fields.at(7)) {
        return Err(fields.wrong(7, "log_cmdupdncols", "a number or NULL"));
    }
    for (field, column) in [(4, "log_tablenspname"), (5, "log_tablerelname")] {
        if !is_null(fields.at(field)) && !is_field(fields.at(field)) {
            return Err(fields.wrong(field, column, "a name or NULL"));
        }
    }
    let elements = elements(fields)?;
    if fields.at(6) == b"S" && !(1..=3).contains(&elements) {
        let what = format!("{elements} elements where a statement, its nodes and its sequences are expected");
        return Err(format!("log_cmdargs: {what}: `{}`", excerpt(fields.at(8))));
    }
    Ok(Row(fields))
}

/// How many elements `log_cmdargs` has.
fn elements(fields: Fields<'_>) -> Result<usize, String> {
    array::elements(fields.at(8)).ok_or_else(|| {
        // A raw TAB in the array is a tenth field.
        match memchr::memchr(b'\t', fields.at(8)) {
            Some(_) => wrong_count(fields.row),
            None => fields.wrong(8, "log_cmdargs", "a one-dimensional array as the server writes it"),
        }
    })
}

/// What a command needs in `log_cmdargs`.
enum Arguments {
    /// Column and value, at least once.
    Pairs,
    /// The same, and after the changed columns at least one key column.
    Update,
    /// Nothing.
    None,
}

/// A row and where its TABs are.
#[derive(Debug, Clone, Copy)]
struct Fields<'a> {
    row: &'a [u8],
    tabs: [usize; 8],
}

impl<'a> Fields<'a> {
    /// `None` if there are fewer than nine fields; what stands after the eighth TAB is not looked at.
    fn of(row: &'a [u8]) -> Option<Self> {
        let mut tabs = [0; 8];
        let mut free = tabs.iter_mut();
        let mut next = free.next();
        for (at, byte) in row.iter().enumerate() {
            if *byte == b'\t' {
                *next? = at;
                next = free.next();
                if next.is_none() {
                    return Some(Self { row, tabs });
                }
            }
        }
        None
    }

    fn at(&self, field: usize) -> &'a [u8] {
        let start = field.checked_sub(1).and_then(|before| self.tabs.get(before)).map_or(0, |tab| tab + 1);
        let end = self.tabs.get(field).copied().unwrap_or(self.row.len());
        self.row.get(start..end).unwrap_or_default()
    }

    /// Fields 4 and 5 with the TAB between them.
    fn series(&self) -> &'a [u8] {
        let [_, _, _, before, _, behind, ..] = self.tabs;
        self.row.get(before + 1..behind).unwrap_or_default()
    }

    fn wrong(&self, field: usize, column: &str, expected: &str) -> String {
        format!("{column} is not {expected}: `{}`", excerpt(self.at(field)))
    }
}

fn number(field: &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for byte in field {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    (!field.is_empty()).then_some(value)
}

fn wrong_count(row: &[u8]) -> String {
    let count = memchr::memchr_iter(b'\t', row).count() + 1;
    let hint = "hint: slon may have met a full disk while it wrote this archive";
    format!("a row of {count} fields where sl_log_archive has nine; {hint}: `{}`", excerpt(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cmdtype: &str, updncols: &str, cmdargs: &str) -> String {
        format!("1\t1754\t1\t3\tOdd Schema\tWe\"ird\\\\\t{cmdtype}\t{updncols}\t{cmdargs}")
    }

    #[test]
    fn good_rows_name_their_series() {
        for (cmdtype, updncols, cmdargs) in [
            ("I", "0", "{id,1,data,NULL}"),
            ("U", "0", "{id,1}"),
            ("U", "1", "{id,1000,id,2}"),
            ("D", "0", r#"{"K ey",K,"k\\\\2",1}"#),
            ("T", "0", "{}"),
        ] {
            let row = row(cmdtype, updncols, cmdargs);
            let key = series_key(b"Odd Schema", b"We\"ird\\");
            assert_eq!(Row::check(row.as_bytes()).map(|row| row.series()), Ok(key.as_slice()), "{row}");
            assert_eq!(Row::find(row.as_bytes()).map(|row| row.series()), Ok(key.as_slice()));
        }
    }

    #[test]
    fn bad_rows_are_explained() {
        for (bad, says) in [
            (row("I", "0", "{id,1,x}"), "log_cmdargs: 3 elements"),
            (row("I", "0", "{}"), "log_cmdargs: 0 elements"),
            (row("U", "1", "{id,1}"), "log_cmdargs: 2 elements"),
            (row("U", "18446744073709551615", "{id,1}"), "log_cmdargs: 2 elements"),
            (row("U", "18446744073709551616", "{id,1}"), "log_cmdupdncols is not a number"),
            (row("U", "\\N", "{id,1}"), "log_cmdupdncols is not a number"),
            (row("T", "0", "{a,b}"), "log_cmdargs: 2 elements"),
            (row("I", "0", "{id"), "log_cmdargs is not a one-dimensional array"),
            (row("I", "0", "{id,1}\t1"), "a row of 10 fields"),
            (row("S", "\\N", "{}"), "log_cmdargs: 0 elements"),
            (row("S", "x", "{a}"), "log_cmdupdncols is not"),
            (row("s", "\\N", "{"), "log_cmdargs is not"),
            (row("i", "0", "{id,1}"), "log_cmdtype is not"),
            (row("I", "0", "{id,1}").replacen('1', "x", 1), "log_origin is not a number"),
            (row("I", "0", "{id,1}").replace("1754", ""), "log_txid is not a number"),
            (row("I", "0", "{id,1}").replace("Odd Schema", "\\N"), "log_tablenspname is not a name"),
            (row("I", "0", "{id,1}").replace("Odd Schema", "\\x"), "log_tablenspname is not a name"),
            ("1\t2".to_owned(), "a row of 2 fields"),
            (String::new(), "a row of 1 fields"),
        ] {
            let what = Row::check(bad.as_bytes()).unwrap_err();
            assert!(what.starts_with(says), "{what}");
            assert!(what.chars().count() < 250);
        }
    }
}
