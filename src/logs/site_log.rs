//! What a site log is made of, in its two dialects (PROTOCOL.md, "Site logs").
//!
//! [`Dialect::Slony`] is the archive's own lines. [`Dialect::Psql`] is safe in the hands of plain `psql -f` by a role
//! without special rights: it stops at the first error, so that psql never reads rows as SQL, and it calls a function
//! that only our offline objects have before any row. Both end with [`EOL`], which deployed clients look for.

use std::io::{self, Write};

use super::header::{self, DASHES, Header};
use super::statement::SequenceKind;
use super::table_copy;
use crate::model::{Dialect, Sequence, Series, quote_literal};

/// The last line: a client that sees it has the whole file.
pub const EOL: &[u8] = b"-- EOL\n";

/// The first line of the psql dialect.
pub const STOP: &[u8] = b"\\set ON_ERROR_STOP on\n";

/// Writes what stands before the body.
pub(super) fn begin(
    out: &mut impl Write,
    dialect: Dialect,
    cluster: &str,
    header: &Header,
) -> io::Result<()> {
    if dialect == Dialect::Slony {
        return header.lines.iter().try_for_each(|line| out.write_all(line));
    }
    out.write_all(STOP)?;
    for line in &header.lines {
        match line.strip_suffix(b"\n").unwrap_or(line) {
            header::REPLICA => {}
            header::START => {
                out.write_all(line)?;
                let namespace = header::namespace(cluster);
                writeln!(out, "select {namespace}.site_log_offline({});", Dialect::PSQL_FORMAT)?;
            }
            _ => out.write_all(line)?,
        }
    }
    Ok(())
}

/// Writes what stands behind the body.
pub(super) fn end(out: &mut impl Write, cluster: &str) -> io::Result<()> {
    out.write_all(b"\n")?;
    for line in [DASHES, b"-- End Of Archive Log", DASHES, b"commit;"] {
        out.write_all(line)?;
        out.write_all(b"\n")?;
    }
    writeln!(out, "vacuum analyze {}.sl_archive_tracking;", header::namespace(cluster))?;
    out.write_all(EOL)
}

/// The begin of the copy of a table. For psql a site's own tables that inherit from it stay as they are.
pub(super) fn delete(dialect: Dialect, raw: &[u8], series: &Series) -> Vec<u8> {
    match dialect {
        Dialect::Slony => raw.to_vec(),
        Dialect::Psql => format!("delete from only {};\n", series.sql()).into_bytes(),
    }
}

/// The `copy` line of a table.
pub(super) fn table_copy(dialect: Dialect, raw: &[u8], series: &Series) -> Vec<u8> {
    match (dialect, table_copy::column_list(raw)) {
        (Dialect::Psql, Some(columns)) => [format!("copy {} ", series.sql()).as_bytes(), columns].concat(),
        _ => raw.to_vec(),
    }
}

/// A line that sets a sequence. One that names break, because slon does not quote them, is quoted in both dialects.
/// For psql all take the function that only warns where the site has no such sequence.
pub(super) fn sequence(
    dialect: Dialect,
    cluster: &str,
    line: (&[u8], &[u8], SequenceKind),
    sequence: &Sequence,
) -> Vec<u8> {
    let (raw, value, kind) = line;
    let odd = |text: &str| text.contains(['\'', '\\']);
    let broken = odd(&sequence.0.schema) || odd(&sequence.0.name);
    let value = String::from_utf8_lossy(value);
    match (dialect, kind) {
        (Dialect::Slony, SequenceKind::Copy) if broken => {
            format!("select \"pg_catalog\".setval({}, '{value}'); \n", quote_literal(&sequence.sql()))
                .into_bytes()
        }
        (Dialect::Slony, SequenceKind::Copy) => raw.to_vec(),
        (_, SequenceKind::Sync) if !broken => raw.to_vec(),
        _ => {
            let (schema, name) = (quote_literal(&sequence.0.schema), quote_literal(&sequence.0.name));
            let namespace = header::namespace(cluster);
            format!("select {namespace}.sequenceSetValue_offline({schema},{name},'{value}');\n").into_bytes()
        }
    }
}
