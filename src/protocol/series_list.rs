//! `<node>.lst`: a node's series, one a line; and the fuller lines of our own files, where the sequences of a series
//! stand behind it.

use super::{Malformed, lines, plain_text};
use crate::model::{QualifiedName, Sequence, Series, SeriesList, Subscription};

/// Reads a user table list. Of its series only the names are known.
pub fn read_names(bytes: &[u8]) -> Result<SeriesList, Malformed> {
    let text = plain_text(bytes)?;
    lines(&text)
        .map(|(line, name)| match name.parse::<Series>() {
            Ok(series) => Ok(Subscription::from_name(series)),
            Err(fault) => Err(Malformed::new(line, fault.to_string())),
        })
        .collect()
}

/// Writes a user table list.
pub fn write_names(list: &SeriesList) -> Vec<u8> {
    list.iter().map(|subscription| format!("{}\n", subscription.series)).collect::<String>().into_bytes()
}

/// Reads one line `series [sequence]...`.
pub fn read_subscriptions(line: usize, text: &str) -> Result<Subscription, Malformed> {
    let name =
        |text| QualifiedName::parse_prefix(text).map_err(|fault| Malformed::new(line, fault.to_string()));
    let (series, mut rest) = name(text)?;
    let mut sequences = Vec::new();
    while !rest.trim_start().is_empty() {
        let (sequence, after) = name(rest.trim_start())?;
        sequences.push(Sequence(sequence));
        rest = after;
    }
    Ok(Subscription { series: Series(series), sequences })
}

/// Writes such lines.
pub fn write_subscriptions(list: &SeriesList) -> String {
    list.iter()
        .map(|Subscription { series, sequences }| {
            let sequences: String = sequences.iter().map(|sequence| format!(" {sequence}")).collect();
            format!("{series}{sequences}\n")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_in_order_and_once() {
        let text = "# by hand\nhmi.m_45s\nHMI.M_45S\n\"Odd Schema\".\"We\"\"ird,Tab{le}\"\n";
        let list = read_names(text.as_bytes()).unwrap();
        assert_eq!(write_names(&list), b"hmi.m_45s\n\"Odd Schema\".\"We\"\"ird,Tab{le}\"\n");
        assert_eq!(list.iter().next().unwrap().sequences, [Sequence::new("hmi", "m_45s_seq")]);
        assert_eq!(read_names(b"a.b\nhmi.m_45s.extra stuff\n").unwrap_err().line, 2);
    }

    #[test]
    fn sequences_stand_behind_their_series() {
        let line = "hmi.m_45s hmi.m_45s_seq \"S eq\".\"x y\"";
        let subscription = read_subscriptions(1, line).unwrap();
        assert_eq!(subscription.sequences.len(), 2);
        let list = SeriesList::from_iter([subscription]);
        assert_eq!(write_subscriptions(&list), format!("{line}\n"));
    }
}
