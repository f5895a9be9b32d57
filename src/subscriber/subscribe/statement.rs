//! Which statements of the data centre's SQL are run: everything is applied in one transaction, which is ours.

use crate::spelling::statement_end::{Backslash, without_comments_with};

/// What becomes of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is run.
    Run,
    /// It begins or ends a transaction, which is left out.
    LeaveOut,
    /// It would end the transaction otherwise.
    Refuse,
    /// It would change what a backslash in a literal is, by which the text is read.
    Reword,
}

/// The setting by which literals are read.
const CONFORMING: &str = "standard_conforming_strings";

/// Judges a statement with its `;`. Literals are as the session has them: a backslash is a byte as any other.
pub(super) fn fate(statement: &[u8]) -> Fate {
    // What cannot be told apart is no statement that we know.
    let Some(text) = without_comments_with(statement, Backslash::Plain) else { return Fate::Refuse };
    let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    let words: Vec<&str> = text.split(|c: char| c.is_ascii_whitespace() || c == ';').collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).take(3).collect();
    match words.as_slice() {
        ["start", "transaction"]
        | ["begin" | "commit" | "end"]
        | ["begin" | "commit" | "end", "work" | "transaction"] => Fate::LeaveOut,
        ["start" | "begin" | "commit" | "end" | "rollback" | "abort", ..]
        | ["prepare", "transaction", ..] => Fate::Refuse,
        ["reset", "all", ..] => Fate::Reword,
        ["set" | "reset" | "select" | "do", ..] if text.contains(CONFORMING) && !is_conforming(&text) => {
            Fate::Reword
        }
        _ => Fate::Run,
    }
}

/// Whether a statement sets literals to what they are, in the words in which that is written.
fn is_conforming(text: &str) -> bool {
    let text = text.replace('=', " = ").replace(';', " ");
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.retain(|word| !["local", "session"].contains(word));
    matches!(words.as_slice(), ["set", name, "=" | "to", "on" | "'on'"] if *name == CONFORMING)
}

/// Whether a line of psql says nothing here: plain psql must be told to stop at errors, we do so.
pub(super) fn is_needless(command: &[u8]) -> bool {
    let text = String::from_utf8_lossy(command).to_ascii_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    matches!(words.as_slice(), ["\\set", "on_error_stop", "on" | "1" | "true"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_transaction_holds_everything() {
        for (statement, expected) in [
            ("start transaction;", Fate::LeaveOut),
            ("BEGIN;", Fate::LeaveOut),
            ("/* so */ Begin\n Work ;", Fate::LeaveOut),
            ("COMMIT;", Fate::LeaveOut),
            ("end transaction;", Fate::LeaveOut),
            ("commit and chain;", Fate::Refuse),
            ("begin isolation level serializable;", Fate::Refuse),
            ("start transaction read only;", Fate::Refuse),
            ("rollback;", Fate::Refuse),
            ("/**/rollback to savepoint a;", Fate::Refuse),
            ("abort;", Fate::Refuse),
            ("prepare transaction 'x';", Fate::Refuse),
            ("prepare x as select 1;", Fate::Run),
            ("set local role slony;", Fate::Run),
            ("create table commit (a int);", Fate::Run),
            ("do 'begin; commit; end';", Fate::Run),
            ("alter table a.b alter c set default '\\'::text;", Fate::Run),
            ("comment on table a.b is 'a\\' /* ' */;", Fate::Run),
            ("commit /* '\\' */;", Fate::LeaveOut),
        ] {
            assert_eq!(fate(statement.as_bytes()), expected, "{statement}");
        }
    }

    #[test]
    fn literals_stay_what_they_are() {
        for (statement, expected) in [
            ("set local standard_conforming_strings = on;", Fate::Run),
            ("SET standard_conforming_strings=on;", Fate::Run),
            ("set session /**/ standard_conforming_strings TO 'on';", Fate::Run),
            ("set standard_conforming_strings = off;", Fate::Reword),
            ("set local standard_conforming_strings to default;", Fate::Reword),
            ("set \"standard_conforming_strings\" = off;", Fate::Reword),
            ("reset standard_conforming_strings;", Fate::Reword),
            ("reset all;", Fate::Reword),
            ("select pg_catalog.set_config('standard_conforming_strings', 'off', true);", Fate::Reword),
            ("do $$ begin set standard_conforming_strings = off; end $$;", Fate::Reword),
            ("create function f() returns int as 'standard_conforming_strings';", Fate::Run),
            ("set local datestyle = iso;", Fate::Run),
        ] {
            assert_eq!(fate(statement.as_bytes()), expected, "{statement}");
        }
    }

    #[test]
    fn psql_is_told_to_stop_and_nothing_else() {
        assert!(is_needless(b"\\set ON_ERROR_STOP on"));
        assert!(is_needless(b"\\set ON_ERROR_STOP 1\r"));
        for other in ["\\set ON_ERROR_STOP off", "\\set x on", "\\! rm", "\\connect other", "\\i /etc/passwd"]
        {
            assert!(!is_needless(other.as_bytes()), "{other}");
        }
    }
}
