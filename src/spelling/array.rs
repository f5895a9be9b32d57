//! `cmdargs`: a one-dimensional `text[]` literal inside a field of COPY, checked through both layers in one pass.
//!
//! The bytes of the file are looked at as they stand. One backslash of the array literal is two in the file; a
//! backslash that is not doubled is an escape of COPY for one character.

use memchr::{memchr2, memchr3};

use super::copy_text::{escape, unescape};

/// Bytes that are looked at together.
const BLOCK: usize = 32;

/// The number of elements of an array literal as the server writes it; `None` if it is not one.
pub fn elements(field: &[u8]) -> Option<usize> {
    let inner = field.strip_prefix(b"{")?.strip_suffix(b"}")?;
    if memchr3(b'\0', b'\r', b'\t', inner).is_some() {
        return None;
    }
    if inner.is_empty() {
        return Some(0);
    }
    let mut rest = inner;
    let mut commas = 0;
    let mut behind_quote = false;
    loop {
        // `rest` stands at the start of the array or behind a closing quote.
        let stop = match memchr2(b'"', b'\\', rest) {
            // A backspace is the one character that needs an escape of COPY and no quotes. Too rare to be fast.
            Some(at) if rest.get(at) == Some(&b'\\') => return slow(inner),
            stop => stop,
        };
        let (run, quoted) = match stop {
            Some(at) => (rest.get(..at)?, Some(rest.get(at + 1..)?)),
            None => (rest, None),
        };
        let (starts, ends) = (run.first() == Some(&b','), run.last() == Some(&b','));
        let fits = match (behind_quote, quoted.is_some()) {
            (true, true) => starts && ends,
            (true, false) => run.is_empty() || (starts && !ends),
            (false, true) => run.is_empty() || (!starts && ends),
            (false, false) => !starts && !ends,
        };
        if !fits {
            return None;
        }
        commas += plain(run)?;
        let Some(text) = quoted else { return Some(commas + 1) };
        rest = behind_quotes(text)?;
        behind_quote = true;
    }
}

/// The number of commas in a run without quotes and backslashes; `None` if two of them touch or a byte stands there
/// that the server would have quoted.
fn plain(run: &[u8]) -> Option<usize> {
    // Each byte beside the one after it, in blocks of fixed length: of these loops the compiler makes vector code.
    let next = run.get(1..).unwrap_or_default();
    let (blocks, _) = run.as_chunks::<BLOCK>();
    let (nexts, _) = next.as_chunks::<BLOCK>();
    let mut commas = 0;
    let mut bad = 0;
    let mut suspect = 0;
    let mut done = 0;
    for (block, next) in blocks.iter().zip(nexts) {
        let mut count = 0_u8;
        for (byte, next) in block.iter().zip(next) {
            let comma = u8::from(*byte == b',');
            count += comma;
            bad |= comma & u8::from(*next == b',');
            suspect |= u8::from(*byte <= b' ') | u8::from(*byte == b'{') | u8::from(*byte == b'}');
        }
        commas += usize::from(count);
        done += BLOCK;
    }
    let mut before = 0;
    for byte in run.get(done..).unwrap_or_default() {
        let comma = u8::from(*byte == b',');
        commas += usize::from(comma);
        bad |= comma & before;
        suspect |= needs_quotes(*byte);
        before = comma;
    }
    // Among the control characters some need no quotes.
    let fits = bad == 0 && (suspect == 0 || run.iter().all(|byte| needs_quotes(*byte) == 0));
    fits.then_some(commas)
}

/// One for a byte that makes the server quote an element, apart from quotes, backslashes, commas and what COPY
/// escapes.
fn needs_quotes(byte: u8) -> u8 {
    u8::from(matches!(byte, b'{' | b'}' | b' ' | 0x0b | 0x0c))
}

/// What follows the closing quote of the element whose text begins here.
fn behind_quotes(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    loop {
        let at = memchr2(b'"', b'\\', rest)?;
        let length = match (rest.get(at)?, rest.get(at + 1)) {
            (b'"', _) => return rest.get(at + 1..),
            (_, Some(b'b' | b'f' | b'n' | b'r' | b't' | b'v')) => 2,
            (_, Some(b'\\')) => match (rest.get(at + 2)?, rest.get(at + 3)) {
                (b'"', _) => 3,
                (b'\\', Some(b'\\')) => 4,
                _ => return None,
            },
            _ => return None,
        };
        rest = rest.get(at + length..)?;
    }
}

/// The same without haste: element by element. `inner` is not empty.
fn slow(inner: &[u8]) -> Option<usize> {
    let mut rest = inner;
    let mut count = 0;
    loop {
        rest = match rest.strip_prefix(b"\"") {
            Some(text) => behind_quotes(text)?,
            None => behind_bare(rest)?,
        };
        count += 1;
        rest = match rest {
            [] => return Some(count),
            [b',', more @ ..] => more,
            _ => return None,
        };
    }
}

/// What follows an element without quotes; it is not empty.
fn behind_bare(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    loop {
        rest = match rest {
            [] | [b',', ..] => break,
            [b'\\', b'b', more @ ..] => more,
            [b'\\' | b'"', ..] => return None,
            [byte, more @ ..] if needs_quotes(*byte) == 0 => more,
            _ => return None,
        };
    }
    (rest.len() < text.len()).then_some(rest)
}

/// The elements of an array literal as the server writes it, through both layers; NULL is `None`. `None` for all if it is
/// no such literal.
pub fn decode(field: &[u8]) -> Option<Vec<Option<Vec<u8>>>> {
    elements(field)?;
    let mut decoded = Vec::new();
    each(field, |element| decoded.push(element.map(<[u8]>::to_vec)))?;
    Some(decoded)
}

/// Gives the elements of an array literal that was checked before ([`elements`]), one after the other. `None` if it is no
/// such literal; some elements have been given then.
pub(crate) fn each(field: &[u8], mut give: impl FnMut(Option<&[u8]>)) -> Option<()> {
    let mut rest = field.strip_prefix(b"{")?.strip_suffix(b"}")?;
    while !rest.is_empty() {
        let behind;
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            behind = behind_quotes(quoted)?;
            let inner = quoted.get(..quoted.len() - behind.len() - 1)?;
            match memchr::memchr(b'\\', inner) {
                None => give(Some(inner)),
                Some(_) => give(Some(&unescape_quoted(inner)?)),
            }
        } else {
            behind = behind_bare(rest)?;
            let bare = rest.get(..rest.len() - behind.len())?;
            match bare {
                // Text of that spelling stands in quotes.
                b"NULL" => give(None),
                _ if memchr::memchr(b'\\', bare).is_none() => give(Some(bare)),
                _ => give(Some(&unescape(bare)?)),
            }
        }
        rest = behind.strip_prefix(b",").unwrap_or(behind);
    }
    Some(())
}

/// Adds an element in quotes, which every text may stand in, to an array literal.
pub(crate) fn quote(text: &[u8], literal: &mut Vec<u8>) {
    literal.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            literal.push(b'\\');
        }
        literal.push(*byte);
    }
    literal.push(b'"');
}

/// An array literal of these elements, inside a field of COPY, as the server writes it.
pub fn encode(elements: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut literal = vec![b'{'];
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            literal.push(b',');
        }
        match element {
            None => literal.extend_from_slice(b"NULL"),
            Some(text) if is_bare(text) => literal.extend_from_slice(text),
            Some(text) => quote(text, &mut literal),
        }
    }
    literal.push(b'}');
    let mut field = Vec::with_capacity(literal.len());
    escape(&literal, &mut field);
    field
}

fn is_bare(text: &[u8]) -> bool {
    let needs =
        |byte: &u8| matches!(byte, b'"' | b'\\' | b',' | b'\n' | b'\r' | b'\t') || needs_quotes(*byte) == 1;
    !text.is_empty() && !text.eq_ignore_ascii_case(b"NULL") && !text.iter().any(needs)
}

/// Text between quotes: first the layer of COPY, then that of the array.
fn unescape_quoted(inner: &[u8]) -> Option<Vec<u8>> {
    let literal = unescape(inner)?;
    let mut text = Vec::with_capacity(literal.len());
    let mut bytes = literal.into_iter();
    while let Some(byte) = bytes.next() {
        text.push(if byte == b'\\' { bytes.next()? } else { byte });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &[(&[u8], Option<usize>)] = &[
        (b"{}", Some(0)),
        (b"{a}", Some(1)),
        (b"{\"\"}", Some(1)),
        (b"{id,2}", Some(2)),
        (b"{id,4,data,\"NULL\",n,NULL}", Some(6)),
        (b"{data,\"quo\\\\\"te\"}", Some(2)),
        (b"{data,\"back\\\\\\\\slash\",n,12}", Some(4)),
        (b"{data,\"nl\\nnl\"}", Some(2)),
        (b"{data,vt\\bff}", Some(2)),
        (b"{\\b,\"x y\",\\b}", Some(3)),
        (b"{\"a\",\"b\"}", Some(2)),
        (b"{data,\x01\x7f,n,\xe9}", Some(4)),
        (b"{arr,\"{{a,b},{\\\\\"c d\\\\\",NULL}}\"}", Some(2)),
        (b"", None),
        (b"{", None),
        (b"}", None),
        (b"a", None),
        (b"{a", None),
        (b"{,}", None),
        (b"{a,}", None),
        (b"{,a}", None),
        (b"{a,,b}", None),
        (b"{a b}", None),
        (b"{{a}}", None),
        (b"{a}{b}", None),
        (b"{\"a\"b}", None),
        (b"{a\"b\"}", None),
        (b"{\"a\"\"b\"}", None),
        (b"{\"a\",}", None),
        (b"{\"a}", None),
        (b"{\"a\\}", None),
        (b"{\"a\\\\}", None),
        (b"{\"a\\\\\\}", None),
        (b"{\"a\\\\x\"}", None),
        (b"{\"a\\x\"}", None),
        (b"{a\\n}", None),
        (b"{a\\\\b}", None),
        (b"{\"a\tb\"}", None),
        (b"{\"a\rb\"}", None),
        (b"{\"a\0b\"}", None),
        (b"{a\0b}", None),
        (b"{\\b,}", None),
        (b"{\\b\"\"}", None),
        (b"{a,\"\"\\b}", None),
    ];

    #[test]
    fn literals_through_both_layers() {
        for (field, expected) in CASES {
            assert_eq!(elements(field), *expected, "{}", field.escape_ascii());
        }
    }

    /// Every damage of one byte to every case: the quick look and the careful one agree, and neither panics.
    #[test]
    fn the_quick_and_the_careful_look_agree() {
        for (field, _) in CASES {
            for at in 0..field.len() {
                for byte in *b"\0\x08\x0b ,\"\\{}abN" {
                    let mut damaged = field.to_vec();
                    damaged[at] = byte;
                    let inner = damaged.strip_prefix(b"{").and_then(|inner| inner.strip_suffix(b"}"));
                    let careful = inner
                        .filter(|inner| memchr3(b'\0', b'\r', b'\t', inner).is_none())
                        .and_then(|inner| if inner.is_empty() { Some(0) } else { slow(inner) });
                    assert_eq!(elements(&damaged), careful, "{}", damaged.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn what_is_decoded_comes_back() {
        for (field, expected) in CASES {
            let decoded = decode(field);
            assert_eq!(decoded.as_ref().map(Vec::len), *expected, "{}", field.escape_ascii());
            if let Some(elements) = decoded {
                assert_eq!(decode(&encode(&elements)), Some(elements), "{}", field.escape_ascii());
            }
        }
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let elements = [text("a\"b\\c\nd\te"), None, text("null"), text(""), text("x\x08y"), text("{,}")];
        assert_eq!(decode(&encode(&elements)).unwrap(), elements);
    }

    #[test]
    fn long_runs_are_counted_right() {
        let many = format!("{{{}}}", vec!["x"; 1000].join(","));
        assert_eq!(elements(many.as_bytes()), Some(1000));
        assert_eq!(elements(format!("{{{}}}", "1,".repeat(500) + "\"\"").as_bytes()), Some(501));
    }
}
