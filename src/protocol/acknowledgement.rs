//! `slony_counter.txt`, `<node>.counter`: the last log that a site has applied. Written by the site, by whatever tools it
//! has: one decimal number, leading zeros and white space around it do not matter.

use super::Malformed;
use crate::model::{Counter, excerpt};

/// Reads the file. Anything but one number is a fault, never a guess: a wrong one would remove logs that the site needs.
pub fn read_acknowledgement(bytes: &[u8]) -> Result<Counter, Malformed> {
    let text = super::plain_text(bytes)?;
    let text = text.trim();
    if text.is_empty() {
        return Err(Malformed::new(1, "it is empty"));
    }
    Counter::parse(text)
        .ok_or_else(|| Malformed::new(1, format!("`{}` is not one decimal number", excerpt(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_and_white_space() {
        for good in ["1201", "1201\n", "  1201\r\n\n", "\u{feff}1201", "00000000000000001201\n"] {
            assert_eq!(read_acknowledgement(good.as_bytes()).map(Counter::value), Ok(1201), "{good:?}");
        }
        for bad in ["", "\n", "-1", "+1", "1 2", "1\n2\n", "0x10", "1.0", "9223372036854775808", "1\0", "# 1"]
        {
            assert!(read_acknowledgement(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert_eq!(read_acknowledgement(b"-5\n").unwrap_err().what, "`-5` is not one decimal number");
        assert!(read_acknowledgement(b"\xff").is_err());
        assert!(read_acknowledgement(&vec![b'x'; 1 << 20]).unwrap_err().what.len() < 120);
    }
}
