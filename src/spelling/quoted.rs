//! SQL names as slon writes them: always in double quotes, inner ones doubled.

/// One quoted identifier from the front of a text: itself without quotes, and what follows. `None` if there is none,
/// or it is empty.
pub(crate) fn identifier(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut name = Vec::new();
    loop {
        let end = memchr::memchr(b'"', rest)?;
        name.extend_from_slice(rest.get(..end)?);
        rest = rest.get(end + 1..)?;
        match rest.strip_prefix(b"\"") {
            Some(more) => {
                name.push(b'"');
                rest = more;
            }
            None if name.is_empty() => return None,
            None => return Some((name, rest)),
        }
    }
}

/// `"schema"."name"` from the front of a text, and what follows.
pub(crate) fn qualified(text: &[u8]) -> Option<(Vec<u8>, Vec<u8>, &[u8])> {
    let (schema, rest) = identifier(text)?;
    let (name, rest) = identifier(rest.strip_prefix(b".")?)?;
    Some((schema, name, rest))
}

/// Whether a text ends within the `"schema"."name"` that it begins with.
pub(crate) fn is_open(text: &[u8]) -> bool {
    let open = |text: &[u8]| text.starts_with(b"\"") && identifier(text).is_none();
    match identifier(text) {
        None => open(text),
        Some((_, rest)) => rest.strip_prefix(b".").is_some_and(open),
    }
}

/// A text from inside an SQL literal whose quotes and backslashes slon has doubled; `None` if one stands alone.
pub(crate) fn undouble(literal: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(literal.len());
    let mut rest = literal;
    while let [byte, more @ ..] = rest {
        rest = match (byte, more) {
            (b'\'' | b'\\', [second, more @ ..]) if second == byte => more,
            (b'\'' | b'\\', _) => return None,
            _ => more,
        };
        text.push(*byte);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_their_quote() {
        let (schema, name, rest) = qualified(br#""Odd Schema"."We""ird,Tab{le}" ("#).unwrap();
        assert_eq!((schema.as_slice(), name.as_slice()), (&b"Odd Schema"[..], &br#"We"ird,Tab{le}"#[..]));
        assert_eq!(rest, b" (");
        for bad in [r"public.t", r#""public""#, r#""public"."#, r#""public"."t"#, r#"""."t""#, ""] {
            assert!(qualified(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn literals_are_undoubled() {
        assert_eq!(undouble(br"a''b\\c").unwrap(), br"a'b\c");
        assert!(undouble(b"a'b").is_none() && undouble(br"a\").is_none() && undouble(br"a\'").is_none());
    }
}
