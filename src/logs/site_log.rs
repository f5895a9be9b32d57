//! What a site log is made of, in its two dialects (PROTOCOL.md, "Site logs").
//!
//! [`Dialect::Slony`] is the archive's own lines. [`Dialect::Psql`] is safe in the hands of plain `psql -f` by a role
//! without special rights: it stops at the first error, so that psql never reads rows as SQL, and it calls a function
//! that only our offline objects have before any row. Both end with [`EOL`], which deployed clients look for.

use super::reader::Format;
use crate::model::{Dialect, Sequence, quote_literal};
use crate::spelling::header::{self, DASHES, Header};
use crate::spelling::legacy::{self, Legacy};
use crate::spelling::sequence_line;

/// The last line: a client that sees it has the whole file.
pub const EOL: &[u8] = b"-- EOL\n";

/// The first line of the psql dialect.
pub const STOP: &[u8] = b"\\set ON_ERROR_STOP on\n";

/// Slony-I before 2.2 doubles the backslashes of its literals.
const OLD_LITERALS: &str =
    "set local standard_conforming_strings to off;\nset local escape_string_warning to off;\n";

/// A prefix that no statement begins with.
const NO_SEQUENCES: &[u8] = b"\0";

/// What stands before the body.
pub(super) fn begin(
    out: &mut Vec<u8>,
    dialect: Dialect,
    cluster: &str,
    header: &Header,
    format: Option<Format>,
) {
    if dialect == Dialect::Slony {
        return out.extend(header.lines.iter().flatten());
    }
    out.extend_from_slice(STOP);
    for line in &header.lines {
        match line.strip_suffix(b"\n").unwrap_or(line) {
            header::REPLICA => {}
            header::START => {
                out.extend_from_slice(line);
                let namespace = header::namespace(cluster);
                let call = format!("select {namespace}.site_log_offline({});\n", Dialect::PSQL_FORMAT);
                out.extend_from_slice(call.as_bytes());
                if format == Some(Format::Statements) {
                    out.extend_from_slice(OLD_LITERALS.as_bytes());
                }
            }
            _ => out.extend_from_slice(line),
        }
    }
}

/// What stands behind the body.
pub(super) fn end(out: &mut Vec<u8>, cluster: &str) {
    out.push(b'\n');
    for line in [DASHES, b"-- End Of Archive Log", DASHES, b"commit;"] {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    let vacuum = format!("vacuum analyze {}.sl_archive_tracking;\n", header::namespace(cluster));
    out.extend_from_slice(vacuum.as_bytes());
    out.extend_from_slice(EOL);
}

/// The begin of the copy of a table, for psql: a site's own tables that inherit from it stay as they are.
pub(super) fn delete_only(out: &mut Vec<u8>, raw: &[u8]) {
    let table = raw.strip_prefix(b"delete from ").unwrap_or(raw);
    out.extend_from_slice(b"delete from only ");
    out.extend_from_slice(table.strip_prefix(b"only ").unwrap_or(table));
}

/// A line that sets a sequence. One that names break, because slon does not quote them, is quoted in both dialects.
/// For psql all take the function that only warns where the site has no such sequence. `None`: as it stands.
pub(super) fn sequence(dialect: Dialect, cluster: &str, raw: &[u8], sequence: &Sequence) -> Option<Vec<u8>> {
    let line = raw.strip_suffix(b"\n").unwrap_or(raw);
    let prefix = sequence_line::sync_prefix(cluster);
    let of_copy = sequence_line::of_copy(line);
    let odd = |text: &str| text.contains(['\'', '\\']);
    let broken = odd(&sequence.0.schema) || odd(&sequence.0.name);
    let value = match (&of_copy, sequence_line::of_sync(line, prefix.as_bytes())) {
        (Some(line), _) => line.value.clone(),
        (None, Some(line)) => line.value,
        (None, None) => sequence_line::value_of_number(line)?.to_vec(),
    };
    let value = String::from_utf8_lossy(&value);
    let by_number = of_copy.is_none() && !line.starts_with(prefix.as_bytes());
    match dialect {
        Dialect::Slony if !broken || by_number => None,
        Dialect::Slony if of_copy.is_some() => {
            let name = quote_literal(&sequence.sql());
            Some(format!("select \"pg_catalog\".setval({name}, '{value}'); \n").into_bytes())
        }
        Dialect::Psql if of_copy.is_none() && !by_number && !broken => None,
        _ => {
            let (schema, name) = (quote_literal(&sequence.0.schema), quote_literal(&sequence.0.name));
            let namespace = header::namespace(cluster);
            Some(
                format!("select {namespace}.sequenceSetValue_offline({schema},{name},'{value}');\n")
                    .into_bytes(),
            )
        }
    }
}

/// Empties a table at a site, for psql: never with CASCADE, which would reach tables that the site keeps for itself.
pub(super) fn truncate(out: &mut Vec<u8>, cluster: &str, raw: &[u8]) {
    let read = legacy::read(raw, NO_SEQUENCES).ok().flatten();
    let table = read.and_then(|(read, _)| match read {
        Legacy::Change { table, .. } => legacy::table_name(table),
        _ => None,
    });
    let (schema, name) = table.unwrap_or_default();
    let literal = |text: &[u8]| quote_literal(&String::from_utf8_lossy(text));
    let (schema, name) = (literal(&schema), literal(&name));
    let call = format!("select {}.truncateTable_offline({schema},{name});\n", header::namespace(cluster));
    out.extend_from_slice(call.as_bytes());
}

/// A statement of a script, for psql: as text, so that psql reads nothing else in it.
pub(super) fn script(out: &mut Vec<u8>, cluster: &str, statement: &[u8]) {
    out.extend_from_slice(format!("select {}.runScript_offline(E'", header::namespace(cluster)).as_bytes());
    for byte in statement.strip_suffix(b";").unwrap_or(statement) {
        if matches!(byte, b'\'' | b'\\') {
            out.push(*byte);
        }
        out.push(*byte);
    }
    out.extend_from_slice(b"');\n");
}
