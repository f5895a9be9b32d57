//! `split.counter`: the last archive of which every node has its part. One decimal number and a line end.

use std::collections::BTreeSet;

use super::Malformed;
use crate::model::Counter;

/// Reads the file.
pub fn read_counter(bytes: &[u8]) -> Result<Counter, Malformed> {
    let text = super::plain_text(bytes)?;
    Counter::parse(text.trim()).ok_or_else(|| Malformed::new(1, "this is no counter: one decimal number"))
}

/// Writes the file.
pub fn write_counter(counter: Counter) -> Vec<u8> {
    format!("{counter}\n").into_bytes()
}

/// Reads a list of counters, one a line: `accepted_empty`.
pub fn read_counters(bytes: &[u8]) -> Result<BTreeSet<Counter>, Malformed> {
    let text = super::plain_text(bytes)?;
    let counter = |(line, words): (usize, &str)| {
        Counter::parse(words).ok_or_else(|| Malformed::new(line, "this is no counter: one decimal number"))
    };
    super::lines(&text).map(counter).collect()
}

/// Writes it.
pub fn write_counters(counters: &BTreeSet<Counter>) -> Vec<u8> {
    counters.iter().map(|counter| format!("{counter}\n")).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_comes_back() {
        let counter = Counter::parse("872").unwrap();
        assert_eq!(read_counter(&write_counter(counter)), Ok(counter));
        for bad in ["", "\n", "x", "1 2"] {
            assert!(read_counter(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
