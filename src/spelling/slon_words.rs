//! The words of slon's own SQL: keywords, names and values, each cut off the front of a text.

use memchr::{memchr, memchr2};

use super::statement_end::is_name;

/// Why a text is not what was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop<'a> {
    /// It ends too early.
    Short,
    /// It is something else.
    Other,
    /// It is slon's, but damaged: what, and where.
    Malformed(&'static str, &'a [u8]),
}

/// What was found, and the text behind it.
pub(crate) type Found<'a, T> = Result<(T, &'a [u8]), Stop<'a>>;

/// What follows a column's name.
#[inline]
pub(crate) fn column(text: &[u8]) -> Result<&[u8], Stop<'_>> {
    let Some(quoted) = text.strip_prefix(b"\"") else { return bare(text) };
    let mut rest = quoted;
    loop {
        let at = first_quote(rest).ok_or(Stop::Short)?;
        match rest.get(at + 1) {
            None => return Err(Stop::Short),
            Some(b'"') => rest = rest.get(at + 2..).unwrap_or_default(),
            Some(_) if at == 0 && rest.len() == quoted.len() => return Err(Stop::Other),
            Some(_) => return Ok(rest.get(at + 1..).unwrap_or_default()),
        }
    }
}

fn bare(text: &[u8]) -> Result<&[u8], Stop<'_>> {
    match text.first() {
        None => Err(Stop::Short),
        Some(byte) if byte.is_ascii_digit() || *byte == b'$' || !is_name(*byte) => Err(Stop::Other),
        Some(_) => {
            let end = text.iter().position(|byte| !is_name(*byte)).ok_or(Stop::Short)?;
            Ok(text.get(end..).unwrap_or_default())
        }
    }
}

/// What follows `NULL` or a literal whose quotes and backslashes are doubled.
#[inline]
pub(crate) fn value(text: &[u8]) -> Result<&[u8], Stop<'_>> {
    let Some(literal) = text.strip_prefix(b"'") else { return word(text, b"null") };
    let mut rest = literal;
    loop {
        let at = first_quote_or_backslash(rest).ok_or(Stop::Short)?;
        match (rest.get(at), rest.get(at + 1)) {
            (_, None) => return Err(Stop::Short),
            (first, second) if first == second => rest = rest.get(at + 2..).unwrap_or_default(),
            (Some(b'\''), _) => return Ok(rest.get(at + 1..).unwrap_or_default()),
            _ => return Err(Stop::Malformed("a value with a backslash that is not doubled", text)),
        }
    }
}

/// What follows a keyword, in whatever case, and the blanks before it.
pub(crate) fn word<'a>(text: &'a [u8], keyword: &[u8]) -> Result<&'a [u8], Stop<'a>> {
    let text = blanks(text);
    let length = keyword.len().min(text.len());
    let (head, rest) = text.split_at(length);
    match rest.first() {
        _ if !head.eq_ignore_ascii_case(keyword.get(..length).unwrap_or(keyword)) => Err(Stop::Other),
        None => Err(Stop::Short),
        Some(byte) if is_name(*byte) => Err(Stop::Other),
        Some(_) => Ok(rest),
    }
}

/// What follows a keyword that may be missing.
pub(crate) fn may<'a>(text: &'a [u8], keyword: &[u8]) -> Result<&'a [u8], Stop<'a>> {
    match word(text, keyword) {
        Err(Stop::Other) => Ok(text),
        found => found,
    }
}

/// What follows one byte and the blanks before it.
pub(crate) fn token(text: &[u8], wanted: u8) -> Result<&[u8], Stop<'_>> {
    match blanks(text) {
        [] => Err(Stop::Short),
        [byte, rest @ ..] if *byte == wanted => Ok(rest),
        _ => Err(Stop::Other),
    }
}

/// What follows blanks and line feeds.
#[inline]
pub(crate) fn blanks(text: &[u8]) -> &[u8] {
    match text {
        [byte, ..] if is_blank(*byte) => text.trim_ascii_start(),
        _ => text,
    }
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

/// A decimal number of at most 19 digits.
pub(crate) fn number(text: &[u8]) -> Found<'_, &[u8]> {
    let length = text.iter().position(|byte| !byte.is_ascii_digit()).ok_or(Stop::Short)?;
    let (digits, rest) = text.split_at_checked(length).ok_or(Stop::Short)?;
    if (1..20).contains(&length) { Ok((digits, rest)) } else { Err(Stop::Other) }
}

/// What stands in `text` before `rest`, which is its end.
pub(crate) fn until<'a>(text: &'a [u8], rest: &[u8]) -> &'a [u8] {
    text.get(..text.len() - rest.len()).unwrap_or(text)
}

const ONES: u64 = u64::from_le_bytes([1; 8]);

/// Marks bytes of a word that equal `byte`. The first mark is right; those above it need not be.
fn marks(word: u64, byte: u8) -> u64 {
    let zeroes = word ^ (ONES * u64::from(byte));
    zeroes.wrapping_sub(ONES) & !zeroes & (ONES << 7)
}

/// Where something stands first. Most names and values end within a few bytes, where a call would cost more than the
/// search.
#[inline]
fn first(text: &[u8], near: impl Fn(u64) -> u64, far: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
    let (words, _) = text.as_chunks::<8>();
    let mut passed = 0;
    for word in words.iter().take(4) {
        let marks = near(u64::from_le_bytes(*word));
        if marks != 0 {
            return Some(passed + marks.trailing_zeros() as usize / 8);
        }
        passed += 8;
    }
    far(text.get(passed..)?).map(|at| passed + at)
}

fn first_quote(text: &[u8]) -> Option<usize> {
    first(text, |word| marks(word, b'"'), |rest| memchr(b'"', rest))
}

fn first_quote_or_backslash(text: &[u8]) -> Option<usize> {
    let near = |word| marks(word, b'\'') | marks(word, b'\\');
    first(text, near, |rest| memchr2(b'\'', b'\\', rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_and_the_long_search_agree() {
        for at in 0..70 {
            for (byte, other) in [(b'\'', b'\\'), (b'\\', b'\'')] {
                // Neighbours of the needles, which careless arithmetic takes for them.
                let mut text = vec![b'('; 70];
                text[..at].fill(b'&');
                assert_eq!(first_quote_or_backslash(&text), None);
                text[at] = byte;
                text.push(other);
                assert_eq!(first_quote_or_backslash(&text), Some(at));
            }
            let mut text = vec![b'#'; 70];
            text[at] = b'"';
            assert_eq!(first_quote(&text), Some(at));
        }
        assert_eq!(first_quote(b""), None);
    }

    #[test]
    fn words_end_where_names_end() {
        assert_eq!(word(b" \n SET x", b"set"), Ok(&b" x"[..]));
        assert_eq!(word(b"set\"x\"", b"set"), Ok(&b"\"x\""[..]));
        for other in ["settle ", "se t", "set_ ", "set1 ", "set$ ", "set\u{e9} ", "x"] {
            assert_eq!(word(other.as_bytes(), b"set"), Err(Stop::Other), "{other}");
        }
        for short in ["", " ", "s", " se", "set"] {
            assert_eq!(word(short.as_bytes(), b"set"), Err(Stop::Short), "{short}");
        }
        assert_eq!(may(b" x", b"set"), Ok(&b" x"[..]));
        assert_eq!(may(b"se", b"set"), Err(Stop::Short));
    }

    #[test]
    fn names_and_values_are_cut_off() {
        for (text, rest) in [("\"a\"\"b\" c", " c"), ("a_1$=", "="), ("_)", ")"), ("\u{e9}t\u{e9},", ",")] {
            assert_eq!(column(text.as_bytes()), Ok(rest.as_bytes()), "{text}");
        }
        for other in ["\"\" ", "1a ", "$a ", "'a' ", " a ", ") "] {
            assert_eq!(column(other.as_bytes()), Err(Stop::Other), "{other}");
        }
        for (text, rest) in [("'',", ","), ("'''' )", " )"), ("null,", ","), (r"'\\''\\';", ";")] {
            assert_eq!(value(text.as_bytes()), Ok(rest.as_bytes()), "{text}");
        }
        for other in ["nulls ", "1,", "E'a',", "$$a$$,", "default,"] {
            assert_eq!(value(other.as_bytes()), Err(Stop::Other), "{other}");
        }
        for bad in [r"'\' ", r"'a\n'", r"'\\\x'"] {
            assert!(matches!(value(bad.as_bytes()), Err(Stop::Malformed(..))), "{bad}");
        }
    }
}
