//! Text that somebody else wrote, as a message or a terminal may show it.

/// How many characters of such a text a message shows.
const SHOWN: usize = 80;

/// The first characters of a text, spelled as in a program: on one line, and nothing in it that a terminal would obey. `…` says that
/// it goes on.
pub fn excerpt(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(SHOWN).flat_map(char::escape_debug).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// The whole text on one line. Quotes and backslashes stay as they are, what cannot be seen is spelled.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\'' | '"' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_says_that_it_goes_on() {
        assert_eq!(excerpt("a\tb'\u{1b}"), "a\\tb\\'\\u{1b}");
        let eighty = "ä".repeat(80);
        assert_eq!(excerpt(&eighty), eighty);
        assert_eq!(excerpt(&format!("{eighty}b")), format!("{eighty}…"));
    }

    #[test]
    fn what_a_terminal_would_obey_is_spelled() {
        let text = "x\ny\u{1b}[31m \u{202e} \"q\" \\ ä";
        assert_eq!(printable(text), "x\\ny\\u{1b}[31m \\u{202e} \"q\" \\ ä");
    }
}
