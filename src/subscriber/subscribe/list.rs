//! The list of a subscription: lines `schema.series subscribe|unsubscribe`.

use std::collections::HashMap;

use crate::model::{QualifiedName, Series};

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct List {
    pub(super) subscribe: Vec<Series>,
    pub(super) unsubscribe: Vec<Series>,
}

impl List {
    /// Reads a list. Blank lines, lines that begin with `#` and words behind the verb say nothing; without a verb a line
    /// means `subscribe` at a new site. Every fault is returned, each with its line.
    pub(super) fn parse(bytes: &[u8], is_new_site: bool) -> Result<Self, Vec<String>> {
        let Ok(text) = std::str::from_utf8(bytes) else { return Err(vec!["it is no UTF-8 text".into()]) };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut list = Self::default();
        let mut seen = HashMap::new();
        let mut faults = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(fault) = list.take(line, is_new_site, &mut seen) {
                faults.push(format!("line {}: {fault}", at + 1));
            }
        }
        if faults.is_empty() && seen.is_empty() {
            faults.push("it has no line `schema.series subscribe` or `unsubscribe`".into());
        }
        if faults.is_empty() { Ok(list) } else { Err(faults) }
    }

    fn take(
        &mut self,
        line: &str,
        is_new_site: bool,
        seen: &mut HashMap<Series, bool>,
    ) -> Result<(), String> {
        let (name, rest) = QualifiedName::parse_prefix(line).map_err(|fault| fault.to_string())?;
        let series = Series(name);
        let wanted = match rest.split_whitespace().next() {
            Some(verb) if verb.eq_ignore_ascii_case("subscribe") => true,
            Some(verb) if verb.eq_ignore_ascii_case("unsubscribe") => false,
            None if is_new_site => true,
            None => return Err(format!("{series} needs `subscribe` or `unsubscribe` behind it")),
            Some(verb) => {
                let verb: String = verb.chars().take(80).flat_map(char::escape_debug).collect();
                return Err(format!("`{verb}` behind {series} is neither `subscribe` nor `unsubscribe`"));
            }
        };
        match seen.insert(series.clone(), wanted) {
            Some(before) if before != wanted => Err(format!("{series} is both subscribed and unsubscribed")),
            Some(_) => Ok(()),
            None => {
                (if wanted { &mut self.subscribe } else { &mut self.unsubscribe }).push(series);
                Ok(())
            }
        }
    }

    /// Both kinds.
    pub(super) fn len(&self) -> usize {
        self.subscribe.len() + self.unsubscribe.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, is_new_site: bool) -> Result<String, Vec<String>> {
        let list = List::parse(text.as_bytes(), is_new_site)?;
        let line = |sign: &str, series: &Series| format!("{sign}{series} ");
        let added: String = list.subscribe.iter().map(|series| line("+", series)).collect();
        let removed: String = list.unsubscribe.iter().map(|series| line("-", series)).collect();
        Ok((added + &removed).trim().to_owned())
    }

    #[test]
    fn lists_are_read() {
        let text = "\u{feff}# all of it\n\n a.B subscribe 0 21\r\na.c UNSUBSCRIBE\n\"O d\".\"T,1\" subscribe\na.b subscribe\n";
        assert_eq!(shown(text, false).unwrap(), "+a.b +\"O d\".\"T,1\" -a.c");
        assert_eq!(shown("a.b\na.c\n", true).unwrap(), "+a.b +a.c");
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let text = "a subscribe\n\na.b\na.c take\na.d subscribe\na.d unsubscribe\n";
        let faults = shown(text, false).unwrap_err();
        let expected = [
            "line 1: ",
            "line 3: a.b needs `subscribe` or `unsubscribe` behind it",
            "line 4: `take` behind a.c is neither `subscribe` nor `unsubscribe`",
            "line 6: a.d is both subscribed and unsubscribed",
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with(expected), "{fault}");
        }
        assert_eq!(
            shown("# no\n", true).unwrap_err(),
            ["it has no line `schema.series subscribe` or `unsubscribe`"]
        );
    }
}
