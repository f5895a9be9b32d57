//! The frame of a site log: what stands around its changes, checked before and while they are applied. Pure.
//!
//! ```text
//! \set ON_ERROR_STOP on                              (dialect psql)
//! -- comments
//! set session_replication_role to replica;           (dialect slony; left out here)
//! start transaction;
//! select "_c".site_log_offline(1);                   (dialect psql)
//! set local standard_conforming_strings to off;      (old formats)
//! select "_c".archiveTracking_offline('7', '...');
//! ... the changes
//! commit;
//! vacuum analyze "_c".sl_archive_tracking;           (left out here)
//! -- EOL
//! ```

use std::io::{self, Read, Seek, SeekFrom};

use crate::error::{Error, Result};
use crate::model::{ArchiveName, Counter};
use crate::spelling::fault::excerpt;
use crate::spelling::header;
use crate::spelling::legacy::{self, Legacy};
use crate::spelling::row::is_log_copy;
use crate::spelling::sql_text::{Part, SqlText, SqlTextError};
use crate::spelling::statement_end::without_comments;

/// The last line of a site log.
const EOL: &[u8] = b"-- EOL";

/// The one command of psql that a log may hold.
const STOP: &[u8] = b"\\set ON_ERROR_STOP on";

/// Literals are as `standard_conforming_strings = off` reads them.
const ESCAPES: &[u8] = b"set local standard_conforming_strings to off;";

/// The line beside it.
const NO_WARNING: &[u8] = b"set local escape_string_warning to off;";

/// A prefix that no statement begins with.
const NO_SEQUENCES: &[u8] = b"\0";

/// What a log must be.
pub(super) struct Frame {
    /// The cluster's name.
    pub(super) cluster: String,
    /// The name of the log's file.
    pub(super) name: ArchiveName,
}

/// What stands before the changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Opening {
    /// The calls and settings of the transaction before the counter's, as they stand.
    pub(super) settings: String,
    /// Whether it calls `site_log_offline`: only the psql dialect does.
    pub(super) is_psql: bool,
    /// The call that sets the counter.
    pub(super) tracking: String,
}

/// What is to be done with a statement among the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The end of the transaction.
    Commit,
    /// Left out: only a superuser may set the role, and the site's triggers are to fire.
    Role,
    /// A change of a table in slon's own old spelling.
    Change,
    /// A call of the offline objects, or one of the lines around the copy of a table.
    Call,
    /// Anything else: it may be DDL.
    Other,
}

impl Frame {
    /// A log that is not whole is not begun: its last line must be `-- EOL`. Leaves the log at its begin.
    pub(super) fn check_end(&self, log: &mut (impl Read + Seek)) -> Result<()> {
        let mut read = || -> io::Result<Vec<u8>> {
            let length = log.seek(SeekFrom::End(0))?;
            log.seek(SeekFrom::Start(length.saturating_sub(EOL.len() as u64 + 2)))?;
            let mut end = Vec::new();
            log.read_to_end(&mut end)?;
            log.seek(SeekFrom::Start(0))?;
            Ok(end)
        };
        let end = read().map_err(|error| self.stopped(&error.to_string()))?;
        let end = end.strip_suffix(b"\n").unwrap_or(&end);
        match end.strip_suffix(EOL) {
            Some(before) if before.is_empty() || before.ends_with(b"\n") => Ok(()),
            _ => Err(self.stopped("its last line is not `-- EOL`: it is not whole")),
        }
    }

    /// Reads what stands before the changes. Nothing has been applied if it fails.
    pub(super) fn open<R: Read>(&self, text: &mut SqlText<R>) -> Result<Opening> {
        let mut opening = Opening::default();
        let mut begun = false;
        loop {
            let line = text.line();
            let statement = match text.part().map_err(|error| self.fault(&error))? {
                Some(Part::Comment(_)) => continue,
                Some(Part::Command(command)) => {
                    self.command(line, command)?;
                    continue;
                }
                Some(Part::Statement(statement)) => statement,
                _ => return Err(self.unexpected(line, b"", "its header")),
            };
            if !begun {
                match statement {
                    header::START => begun = true,
                    header::REPLICA => {}
                    _ => return Err(self.unexpected(line, statement, "`start transaction;`")),
                }
                continue;
            }
            let call = header::tracking_call(&self.cluster, &self.name.counter.to_string());
            if let Some((counter, _)) = header::tracked(statement, &self.cluster) {
                self.check_counter(line, counter)?;
                opening.tracking = String::from_utf8_lossy(statement).into_owned();
                return Ok(opening);
            }
            let escapes = statement == ESCAPES;
            if self.is_format(statement) {
                opening.is_psql = true;
            } else if !escapes && statement != NO_WARNING {
                return Err(self.unexpected(line, statement, &format!("`{call}`")));
            }
            opening.settings.push_str(&String::from_utf8_lossy(statement));
            if escapes {
                text.escape_backslashes();
            }
        }
    }

    fn check_counter(&self, line: u64, counter: Counter) -> Result<()> {
        let wanted = self.name.counter;
        if counter == wanted {
            return Ok(());
        }
        let what = format!("line {line}: its counter is {counter}, that of its name is {wanted}");
        Err(self.stopped(&what))
    }

    /// A command of psql: the one that a log may hold, or a fault.
    pub(super) fn command(&self, line: u64, command: &[u8]) -> Result<()> {
        if command.trim_ascii_end() == STOP {
            return Ok(());
        }
        Err(self.stopped(&format!("line {line}: a command of psql: `{}`", excerpt(command))))
    }

    /// `select "_c".site_log_offline(1);`
    fn is_format(&self, statement: &[u8]) -> bool {
        let prefix = format!("select {}.site_log_offline(", header::namespace(&self.cluster));
        let number = statement.strip_prefix(prefix.as_bytes()).and_then(|rest| rest.strip_suffix(b");"));
        number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
    }

    /// What a statement among the changes is. Another begin or end of a transaction, and calls of another cluster's
    /// objects, are refused.
    pub(super) fn kind(&self, line: u64, statement: &[u8]) -> Result<Kind> {
        if statement == b"commit;" {
            return Ok(Kind::Commit);
        }
        if is_role(statement) {
            return Ok(Kind::Role);
        }
        if let Ok(Some((Legacy::Change { .. }, _))) = legacy::read(statement, NO_SEQUENCES) {
            return Ok(Kind::Change);
        }
        if ends_transaction(statement) {
            return Err(self.stopped(&format!("line {line}: `{}` among its changes", excerpt(statement))));
        }
        let own = format!("select {}.", header::namespace(&self.cluster));
        if statement.starts_with(own.as_bytes()) {
            let is_script =
                statement.get(own.len()..).is_some_and(|call| call.starts_with(b"runScript_offline("));
            return Ok(if is_script { Kind::Other } else { Kind::Call });
        }
        if statement.starts_with(b"select \"_") && memchr::memmem::find(statement, b"_offline(").is_some() {
            let what = format!("line {line}: a call of another cluster: `{}`", excerpt(statement));
            return Err(self.stopped(&what));
        }
        let is_call =
            statement.starts_with(b"analyze \"") || statement.starts_with(b"select \"pg_catalog\".setval(");
        Ok(if is_call { Kind::Call } else { Kind::Other })
    }

    /// Whether a COPY is that of the changes of Slony-I 2.2; else it is the copy of a table.
    pub(super) fn is_rows(&self, line: u64, statement: &[u8]) -> Result<bool> {
        let wanted = format!("COPY {}.\"sl_log_archive\"", header::namespace(&self.cluster));
        if is_log_copy(statement, wanted.as_bytes()) {
            return Ok(true);
        }
        if memchr::memmem::find(statement, b"\"sl_log_archive\"").is_some() {
            let what = "rows of another cluster, or of unknown columns";
            return Err(self.stopped(&format!("line {line}: {what}: `{}`", excerpt(statement))));
        }
        Ok(false)
    }

    /// Reads what stands behind `commit;`, to the end.
    pub(super) fn close<R: Read>(&self, text: &mut SqlText<R>) -> Result<()> {
        let mut last = Vec::new();
        loop {
            let line = text.line();
            match text.part().map_err(|error| self.fault(&error))? {
                None if last == EOL => return Ok(()),
                None => return Err(self.stopped("its last line is not `-- EOL`: it is not whole")),
                Some(Part::Comment(comment)) => last = comment.to_vec(),
                Some(Part::Statement(statement)) if statement.starts_with(b"vacuum analyze ") => last.clear(),
                Some(Part::Statement(found) | Part::Copy(found) | Part::Command(found)) => {
                    return Err(self.unexpected(line, found, "nothing behind `commit;`"));
                }
                Some(Part::Rows(_) | Part::EndOfRows) => {}
            }
        }
    }

    /// A log that cannot be applied, in words.
    pub(super) fn stopped(&self, what: &str) -> Error {
        Error::Stopped(format!("site log {} is not applied: {what}", self.name))
    }

    /// The same of a text that does not read as it must.
    pub(super) fn fault(&self, error: &SqlTextError) -> Error {
        self.stopped(&error.to_string())
    }

    /// Something stands where something else was expected.
    pub(super) fn unexpected(&self, line: u64, found: &[u8], wanted: &str) -> Error {
        self.stopped(&format!("line {line}: expected {wanted}, found `{}`", excerpt(found)))
    }
}

fn is_role(statement: &[u8]) -> bool {
    statement == header::REPLICA || statement == b"set session_replication_role to local;"
}

/// Whether a statement would end the transaction, or begin another.
fn ends_transaction(statement: &[u8]) -> bool {
    const WORDS: [&[u8]; 9] =
        [b"begin", b"start", b"commit", b"end", b"rollback", b"abort", b"savepoint", b"release", b"prepare"];
    let bare = without_comments(statement);
    let bare = bare.as_deref().unwrap_or(statement).trim_ascii_start();
    let length = bare.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let word = bare.get(..length).unwrap_or_default();
    WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_among_the_changes_are_told_apart() {
        let frame =
            Frame { cluster: "c".into(), name: "slony1_log_2_00000000000000000007.sql".parse().unwrap() };
        for (statement, kind) in [
            ("commit;", Some(Kind::Commit)),
            ("set session_replication_role to local;", Some(Kind::Role)),
            ("update only \"a\".\"b\" set \"c\"='1' where \"c\"='2';", Some(Kind::Change)),
            ("select \"_c\".sequenceSetValue_offline(7,'1');", Some(Kind::Call)),
            ("select \"_c\".runScript_offline(E'x');", Some(Kind::Other)),
            ("select \"pg_catalog\".setval('\"a\".\"s\"', '1');", Some(Kind::Call)),
            ("analyze \"a\".\"b\";", Some(Kind::Call)),
            ("create table commit ();", Some(Kind::Other)),
            ("select \"_d\".sequenceSetValue_offline(7,'1');", None),
            ("COMMIT;", None),
            ("commit and chain;", None),
            ("/* ; */ end;", None),
            ("rollback to x;", None),
            ("start transaction;", None),
            ("prepare transaction 'x';", None),
        ] {
            let found = frame.kind(3, statement.as_bytes());
            assert_eq!(found.as_ref().ok(), kind.as_ref(), "{statement}: {found:?}");
        }
    }

    #[test]
    fn a_log_that_is_cut_off_is_seen_by_its_end() {
        let frame =
            Frame { cluster: "c".into(), name: "slony1_log_2_00000000000000000007.sql".parse().unwrap() };
        for (text, is_whole) in [
            ("x\n-- EOL\n", true),
            ("x\n-- EOL", true),
            ("-- EOL\n", true),
            ("x-- EOL\n", false),
            ("x\n-- EOL\n\n", false),
            ("x\n-- EOL \n", false),
            ("x\n-- EOL\nx", false),
            ("", false),
        ] {
            let mut log = io::Cursor::new(text);
            assert_eq!(frame.check_end(&mut log).is_ok(), is_whole, "{text:?}");
            assert_eq!(log.position(), 0);
        }
    }
}
