//! A row of `sl_log_archive`: nine fields between TABs, checked without being decoded.

use super::array;
use super::copy_text::{escape, is_field, is_null};
use super::fault::excerpt;

/// The columns of a row, in the order in which slon writes them.
pub(super) const COLUMNS: [&str; 9] = [
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

/// A series as rows spell it: schema, TAB, table, both escaped as in COPY.
pub fn series_key(schema: &[u8], table: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(schema.len() + 1 + table.len());
    escape(schema, &mut key);
    key.push(b'\t');
    escape(table, &mut key);
    key
}

/// Checks every field of a row (without its line feed) and returns the series as the row spells it, or says what is
/// wrong.
pub(super) fn check(row: &[u8]) -> Result<&[u8], String> {
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
        b"S" | b"s" => {
            return Err(format!(
                "a statement of EXECUTE SCRIPT, which cannot be routed yet: `{}`",
                excerpt(fields.at(8))
            ));
        }
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
    let Some(elements) = array::elements(fields.at(8)) else {
        // A raw TAB in the array is a tenth field.
        let tenth = memchr::memchr(b'\t', fields.at(8)).is_some();
        return Err(if tenth {
            wrong_count(row)
        } else {
            fields.wrong(8, "log_cmdargs", "a one-dimensional array as the server writes it")
        });
    };
    let pairs = elements % 2 == 0 && elements > 0;
    let fits = match needed {
        Arguments::Pairs => pairs,
        Arguments::Update => pairs && changed.checked_mul(2).is_some_and(|changed| changed < elements as u64),
        Arguments::None => elements == 0,
    };
    if fits {
        return Ok(fields.series());
    }
    let what = format!("{elements} elements do not suit a {} row", excerpt(fields.at(6)));
    Err(format!("log_cmdargs: {what} with log_cmdupdncols {changed}: `{}`", excerpt(fields.at(8))))
}

/// The series of a row that was checked before.
pub(super) fn locate(row: &[u8]) -> Result<&[u8], String> {
    Fields::of(row).map(|fields| fields.series()).ok_or_else(|| wrong_count(row))
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
            assert_eq!(check(row.as_bytes()), Ok(key.as_slice()), "{row}");
            assert_eq!(locate(row.as_bytes()), Ok(key.as_slice()));
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
            (row("S", "\\N", "{x}"), "EXECUTE SCRIPT"),
            (row("s", "\\N", "{}"), "EXECUTE SCRIPT"),
            (row("i", "0", "{id,1}"), "log_cmdtype is not"),
            (row("I", "0", "{id,1}").replacen('1', "x", 1), "log_origin is not a number"),
            (row("I", "0", "{id,1}").replace("1754", ""), "log_txid is not a number"),
            (row("I", "0", "{id,1}").replace("Odd Schema", "\\N"), "log_tablenspname is not a name"),
            (row("I", "0", "{id,1}").replace("Odd Schema", "\\x"), "log_tablenspname is not a name"),
            ("1\t2".to_owned(), "a row of 2 fields"),
            (String::new(), "a row of 1 fields"),
        ] {
            let what = check(bad.as_bytes()).unwrap_err();
            assert!(what.starts_with(says) || what.contains("EXECUTE SCRIPT"), "{what}");
            assert!(what.chars().count() < 250);
        }
    }
}
