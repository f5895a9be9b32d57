//! Which statements of the data centre's SQL are run: everything is applied in one transaction, which is ours.

use crate::spelling::statement_end::without_comments;

/// What becomes of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is run.
    Run,
    /// It begins or ends a transaction, which is left out.
    LeaveOut,
    /// It would end the transaction otherwise.
    Refuse,
}

/// Judges a statement with its `;`.
pub(super) fn fate(statement: &[u8]) -> Fate {
    // What cannot be told apart is no statement that we know.
    let Some(text) = without_comments(statement) else { return Fate::Refuse };
    let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    let words: Vec<&str> = text.split(|c: char| c.is_ascii_whitespace() || c == ';').collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).take(3).collect();
    match words.as_slice() {
        ["start", "transaction"]
        | ["begin" | "commit" | "end"]
        | ["begin" | "commit" | "end", "work" | "transaction"] => Fate::LeaveOut,
        ["start" | "begin" | "commit" | "end" | "rollback" | "abort", ..]
        | ["prepare", "transaction", ..] => Fate::Refuse,
        _ => Fate::Run,
    }
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
