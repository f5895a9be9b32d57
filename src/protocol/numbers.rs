//! `sequences`: the numbers by which archives of Slony-I before 2.2 call sequences (`sl_sequence.seq_id`). Lines
//! `NUMBER schema.sequence`.

use std::collections::BTreeMap;

use super::{Malformed, lines, plain_text};
use crate::model::Sequence;

/// Reads the file.
pub fn read_numbers(bytes: &[u8]) -> Result<BTreeMap<u32, Sequence>, Malformed> {
    let text = plain_text(bytes)?;
    let pair = |(line, words): (usize, &str)| {
        let (number, name) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
        let number = number.parse().map_err(|_| Malformed::new(line, "expected `NUMBER schema.sequence`"))?;
        let name = name.trim().parse().map_err(|fault| Malformed::new(line, format!("{fault}")));
        name.map(|name: Sequence| (number, name))
    };
    lines(&text).map(pair).collect()
}

/// Writes the file.
pub fn write_numbers(numbers: &BTreeMap<u32, Sequence>) -> Vec<u8> {
    numbers.iter().map(|(number, name)| format!("{number} {name}\n")).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let text = b"7 hmi.m_45s_seq\n12 \"Odd Schema\".\"S eq\"\n";
        assert_eq!(write_numbers(&read_numbers(text).unwrap()), text);
        assert!(read_numbers(b"x a.b\n").is_err() && read_numbers(b"7\n").is_err());
    }
}
