//! Where an SQL statement ends, of which nothing else has to be known.

use memchr::{memchr, memchr2, memmem};

/// Where a statement ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Behind its `;`, after so many bytes.
    Behind(usize),
    /// Not in this text.
    NotYet,
    /// It cannot be told: in a plain literal, which begins after so many bytes, a backslash stands before a quote.
    /// With `standard_conforming_strings` the literal ends there, without it goes on. Where that is known to be on: a
    /// literal `E'...'` that may go on behind a line end.
    Unknown(usize),
}

/// What a backslash in a plain literal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backslash {
    /// Not known: where it matters, the end is not guessed.
    Unknown,
    /// The begin of an escape, as with `standard_conforming_strings = off`.
    Escapes,
    /// A byte as any other, as with `standard_conforming_strings = on`.
    Plain,
}

/// Finds the first `;` outside of literals, quoted names, comments and brackets, the way Slony-I cuts scripts.
pub(crate) fn find(text: &[u8]) -> End {
    find_with(text, Backslash::Unknown)
}

/// The same where it is known what a backslash is.
pub(crate) fn find_with(text: &[u8], backslash: Backslash) -> End {
    let mut rest = text;
    let mut depth = 0_usize;
    loop {
        let (piece, behind) = match piece(rest, backslash) {
            Ok(read) => read,
            Err(Stop::Open) => return End::NotYet,
            Err(Stop::Ambiguous) => return End::Unknown(text.len() - rest.len()),
        };
        match piece {
            Piece::Sign(b';') if depth == 0 => return End::Behind(text.len() - behind.len()),
            Piece::Sign(b'(') => depth += 1,
            Piece::Sign(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        rest = behind;
    }
}

/// A script with a blank in the place of each comment. `None` if something in it is open at its end, or cannot be told.
pub(crate) fn without_comments(text: &[u8]) -> Option<Vec<u8>> {
    without_comments_with(text, Backslash::Unknown)
}

/// The same where it is known what a backslash is.
pub(crate) fn without_comments_with(text: &[u8], backslash: Backslash) -> Option<Vec<u8>> {
    // Names, too, end where something else begins.
    let text = [text, b"\n"].concat();
    let mut rest = text.as_slice();
    let mut kept = Vec::with_capacity(text.len());
    while !rest.is_empty() {
        let (piece, behind) = piece(rest, backslash).ok()?;
        match piece {
            Piece::Comment => kept.push(b' '),
            _ => kept.extend_from_slice(rest.get(..rest.len() - behind.len())?),
        }
        rest = behind;
    }
    Some(kept)
}

enum Piece {
    Comment,
    /// A literal, a name or a number.
    Word,
    /// Any other byte.
    Sign(u8),
}

enum Stop {
    /// The text ends in it.
    Open,
    /// A plain literal whose end cannot be told.
    Ambiguous,
}

/// What a text begins with, and what follows.
fn piece(text: &[u8], backslash: Backslash) -> Result<(Piece, &[u8]), Stop> {
    let (byte, behind) = text.split_first().ok_or(Stop::Open)?;
    let (piece, behind) = match (byte, behind) {
        (b'\'', literal) => match backslash {
            Backslash::Unknown => (Piece::Word, plain(literal)?),
            Backslash::Escapes => (Piece::Word, escaped(literal)),
            Backslash::Plain => (Piece::Word, conforming(literal)),
        },
        (b'e' | b'E', [b'\'', literal @ ..]) => {
            let behind = escaped(literal);
            if backslash == Backslash::Plain && behind.is_some_and(may_go_on) {
                return Err(Stop::Ambiguous);
            }
            (Piece::Word, behind)
        }
        (b'"', name) => (Piece::Word, memchr(b'"', name).and_then(|end| name.get(end + 1..))),
        (b'-', [b'-', comment @ ..]) => {
            (Piece::Comment, memchr2(b'\n', b'\r', comment).and_then(|end| comment.get(end + 1..)))
        }
        (b'/', [b'*', comment @ ..]) => (Piece::Comment, comment_end(comment)),
        (b'$', _) => (Piece::Word, dollar(behind)),
        // Names and numbers as a whole: they may hold a dollar, or an E before the quote of a plain literal.
        (byte, _) if is_name(*byte) => {
            let length = behind.iter().take_while(|byte| is_name(**byte)).count();
            (Piece::Word, behind.get(length..))
        }
        _ => (Piece::Sign(*byte), Some(behind)),
    };
    Ok((piece, behind.ok_or(Stop::Open)?))
}

/// Whether a byte may stand inside a name without quotes.
pub(crate) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

/// What follows a plain literal; `None` if it goes on.
fn plain(text: &[u8]) -> Result<Option<&[u8]>, Stop> {
    let mut rest = text;
    while let Some(at) = memchr(b'\'', rest) {
        let (before, quote) = rest.split_at(at);
        // Pairs of backslashes leave the quote alone under both settings.
        if before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1 {
            return Err(Stop::Ambiguous);
        }
        match quote {
            [_, b'\'', more @ ..] => rest = more,
            [_, behind @ ..] if !behind.is_empty() => return Ok(Some(behind)),
            _ => break,
        }
    }
    Ok(None)
}

/// What follows a plain literal in which a backslash is a byte as any other; `None` if it goes on.
fn conforming(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    loop {
        match rest.get(memchr(b'\'', rest)?..)? {
            [_, b'\'', more @ ..] => rest = more,
            [_, behind @ ..] => return (!behind.is_empty()).then_some(behind),
            [] => return None,
        }
    }
}

/// Whether a literal `E'...'` before this may have its next piece here: that looks like a plain one, and escapes too.
fn may_go_on(behind: &[u8]) -> bool {
    let behind = behind.trim_ascii_start();
    behind.starts_with(b"'") || behind.starts_with(b"--")
}

/// What follows a literal of the kind `E'...'`; `None` if it goes on.
fn escaped(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    loop {
        let at = memchr2(b'\'', b'\\', rest)?;
        match (rest.get(at)?, rest.get(at + 1)?) {
            (b'\\', _) | (_, b'\'') => rest = rest.get(at + 2..)?,
            _ => return rest.get(at + 1..),
        }
    }
}

/// What follows a comment that is open; comments nest.
fn comment_end(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    let mut depth = 1_usize;
    while depth > 0 {
        rest = rest.get(memchr2(b'/', b'*', rest)?..)?;
        rest = match rest {
            [b'/', b'*', more @ ..] => {
                depth += 1;
                more
            }
            [b'*', b'/', more @ ..] => {
                depth -= 1;
                more
            }
            _ => rest.get(1..)?,
        };
    }
    Some(rest)
}

/// What follows the literal that a dollar opens, or the dollar itself if it opens none.
fn dollar(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().position(|byte| *byte == b'$' || !is_name(*byte))?;
    let tag = text.get(..length)?;
    if text.get(length) != Some(&b'$') || tag.first().is_some_and(u8::is_ascii_digit) {
        return Some(text);
    }
    let body = text.get(length + 1..)?;
    let closing = [b"$", tag, b"$"].concat();
    body.get(memmem::find(body, &closing)? + closing.len()..)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each is one statement, and nothing before its end looks like one.
    const WHOLE: &[&str] = &[
        ";",
        "select 1;",
        "-- a; b\nselect 1;",
        "-- a; b\rselect 1;",
        "select 1 -- it's; \"\n;",
        "/* a; /* nested; */ ' \" $$ */ select 1;",
        "/*/ ; */;",
        "/***/ ;",
        "select ';', 'it''s;', '\\\\', E'\\';', e'\\\\', 'a;\nb';",
        "select 'a\\;b', 'a\\\\''; ';",
        "select \"we\"\"ird;\";",
        "select type'x\\\\';",
        "create function f() returns int as $$ begin; 'x' end; $$ language sql;",
        "create function f() returns int as $a_1$ $$;$b$;$ab$ $a_1$ language sql;",
        "do $é$;$é$;",
        "do $a$;$b$a$;",
        "select a$b$c, d$$e;",
        "prepare p as select $1, $2;",
        "create rule r as on insert to t do (select 1; select (2); select 3);",
        "select ) ;",
        "select 1 - -1, 1 / 2 * 3;",
        "select U&'\\0441;', u&\"\\0441;\", N';', B'1', x'1f';",
    ];

    #[test]
    fn statements_end_at_their_semicolon() {
        for whole in WHOLE {
            for behind in ["", "\n", " select 2;", ";"] {
                let text = format!("{whole}{behind}");
                assert_eq!(find(text.as_bytes()), End::Behind(whole.len()), "{text}");
            }
            for end in 0..whole.len() {
                let cut = &whole.as_bytes()[..end];
                assert_eq!(find(cut), End::NotYet, "{}", cut.escape_ascii());
            }
        }
    }

    #[test]
    fn a_backslash_before_a_quote_hides_the_end() {
        for (text, at) in [
            ("select 'a\\';", 7),
            ("select 1, '\\''; drop table x; --';", 10),
            ("select E'a'\n'b\\'';", 12),
            ("select 'a''\\\\\\'';", 7),
            ("select U&'\\';", 9),
        ] {
            assert_eq!(find(text.as_bytes()), End::Unknown(at), "{text}");
        }
    }

    #[test]
    fn where_a_backslash_escapes_the_end_is_told() {
        for text in
            ["select 'a\\';';", "select 1, '\\'; drop table x; --';", "select 'a\\\\';", "select E'\\';';"]
        {
            let found = find_with(format!("{text} select 2;").as_bytes(), Backslash::Escapes);
            assert_eq!(found, End::Behind(text.len()), "{text}");
        }
    }

    #[test]
    fn where_a_backslash_is_plain_the_end_is_told() {
        for text in [
            "select '\\';",
            "alter table a.b alter c set default '\\'::text;",
            "select 'a\\''; ';",
            "select '\\', E'\\'; ', 'a''\\';",
            "select U&'\\0441\\';",
            "select E'\\'' || ';';",
        ] {
            let long = format!("{text} select 2;");
            assert_eq!(find_with(long.as_bytes(), Backslash::Plain), End::Behind(text.len()), "{text}");
            for end in 0..text.len() {
                let found = find_with(&text.as_bytes()[..end], Backslash::Plain);
                assert_eq!(found, End::NotYet, "{}", &text[..end]);
            }
        }
        // The second piece of such a literal escapes as the first does.
        for text in ["select E'a'\n'\\'; drop table x; --';", "select E'a' -- b\n'\\'; drop table x; --';"] {
            assert_eq!(find_with(text.as_bytes(), Backslash::Plain), End::Unknown(7), "{text}");
        }
    }

    #[test]
    fn what_is_open_stays_open() {
        for open in
            ["select (1;", "select $a$;", "select ';", "select \";", "/* /* */;", "-- x;", "E'\\';", "$1;("]
        {
            let found = find(open.as_bytes());
            assert!(found == End::NotYet || open.starts_with("$1"), "{open}: {found:?}");
        }
    }

    #[test]
    fn comments_are_taken_out() {
        for (text, left) in [
            ("a -- b;\nc", "a  c\n"),
            ("a@--b", "a@ "),
            ("a/* b /* c */ d */e", "a e\n"),
            ("'--', \"/*\", $$ -- $$, e'\\'--' --", "'--', \"/*\", $$ -- $$, e'\\'--'  "),
            ("", "\n"),
        ] {
            assert_eq!(without_comments(text.as_bytes()).as_deref(), Some(left.as_bytes()), "{text}");
        }
        for open in ["/*", "'a", "\"a", "$$a", "e'\\'", "'a\\'"] {
            assert_eq!(without_comments(open.as_bytes()), None, "{open}");
        }
        let plain = without_comments_with(b"'\\' -- b", Backslash::Plain);
        assert_eq!(plain.as_deref(), Some(b"'\\'  ".as_slice()));
    }

    /// Every damage of one byte: an end is always a semicolon, and nothing panics.
    #[test]
    fn damage_is_survived() {
        for whole in WHOLE {
            for at in 0..whole.len() {
                for byte in *b"\0'\"\\;$-/*()e\n\xff" {
                    let mut text = whole.as_bytes().to_vec();
                    text[at] = byte;
                    if let End::Behind(length) = find(&text) {
                        assert_eq!(text[length - 1], b';', "{}", text.escape_ascii());
                    }
                }
            }
        }
    }
}
