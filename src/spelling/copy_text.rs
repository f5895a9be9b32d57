//! The text format of COPY: TAB between fields, a line feed after a row, and the escapes that the server writes.

use memchr::{memchr, memchr3};

/// Whether every backslash of a field begins an escape that the server writes (`\b \f \n \r \t \v \\`), and no
/// byte stands raw that it would have escaped. NULL (`\N`) is no such text: see [`is_null`].
pub(crate) fn is_field(field: &[u8]) -> bool {
    memchr3(b'\0', b'\r', b'\t', field).is_none() && has_escapes_only(field)
}

/// Whether a field is NULL.
pub(crate) fn is_null(field: &[u8]) -> bool {
    field == br"\N"
}

/// How many fields a row of COPY has (without its line feed); `None` if it is not well-formed.
pub(crate) fn fields(row: &[u8]) -> Option<usize> {
    if memchr(b'\\', row).is_none() {
        return memchr::memchr2(b'\0', b'\r', row)
            .is_none()
            .then(|| memchr::memchr_iter(b'\t', row).count() + 1);
    }
    let mut count = 0;
    for field in row.split(|b| *b == b'\t') {
        if !is_null(field) && !is_field(field) {
            return None;
        }
        count += 1;
    }
    Some(count)
}

/// A text as a field, the way the server writes it.
pub(crate) fn escape(text: &[u8], field: &mut Vec<u8>) {
    for byte in text {
        let escaped = match byte {
            0x08 => b'b',
            0x0b => b'v',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            b'\\' => b'\\',
            _ => {
                field.push(*byte);
                continue;
            }
        };
        field.extend([b'\\', escaped]);
    }
}

/// A well-formed field as text; `None` if it ends within an escape.
pub(crate) fn unescape(field: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'\\' => match bytes.next()? {
                b'b' => 0x08,
                b'f' => 0x0c,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 0x0b,
                other => *other,
            },
            _ => *byte,
        });
    }
    Some(text)
}

fn has_escapes_only(field: &[u8]) -> bool {
    let mut rest = field;
    while let Some(at) = memchr(b'\\', rest) {
        match rest.get(at + 1) {
            Some(b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'\\') => rest = rest.get(at + 2..).unwrap_or(&[]),
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_and_checked() {
        for (row, expected) in [
            (&b""[..], Some(1)),
            (b"a\tb", Some(2)),
            (br"\N", Some(1)),
            (b"a\\tb\t\\N\t\\\\.", Some(3)),
            (br"\.", None),
            (br"x\N", None),
            (b"a\\", None),
            (b"a\\\tb", None),
            (br"\x41", None),
            (br"\101", None),
            (b"a\rb", None),
            (b"a\0b", None),
            (b"\\\\\t\0", None),
        ] {
            assert_eq!(fields(row), expected, "{}", row.escape_ascii());
        }
    }

    #[test]
    fn what_is_escaped_is_a_field() {
        let mut field = Vec::new();
        escape(b"a\x08\x0b\x0c\n\r\t\\N'\"\x01", &mut field);
        assert_eq!(field, b"a\\b\\v\\f\\n\\r\\t\\\\N'\"\x01");
        assert!(is_field(&field));
    }
}
