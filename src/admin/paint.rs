//! Colours, where there is somebody to see them.

use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};

use crate::overview::Severity;

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// It goes to a terminal.
    Colours,
    /// It goes elsewhere, or nobody wants colours.
    Plain,
}

impl Paint {
    /// What standard output can show, and its user wants: <https://no-color.org>.
    pub fn of_output() -> Self {
        let says = |key| std::env::var_os(key).filter(|value| !value.is_empty());
        let is_unwanted = says("NO_COLOR").is_some() || says("TERM").is_some_and(|term| term == "dumb");
        if std::io::stdout().is_terminal() && !is_unwanted { Self::Colours } else { Self::Plain }
    }

    /// The text, so that its graveness is seen.
    pub(super) fn grave(self, severity: Severity, text: &str) -> String {
        let style = match severity {
            Severity::Ok => Style::new(),
            Severity::Warning => AnsiColor::Yellow.on_default(),
            Severity::Error => AnsiColor::Red.on_default().bold(),
        };
        if self == Self::Plain || style.is_plain() || text.is_empty() {
            return text.to_owned();
        }
        format!("{style}{text}{style:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_grave_has_a_colour_and_only_where_it_is_seen() {
        assert_eq!(Paint::Plain.grave(Severity::Error, "x"), "x");
        assert_eq!(Paint::Colours.grave(Severity::Ok, "x"), "x");
        assert_eq!(Paint::Colours.grave(Severity::Warning, "x"), "\u{1b}[33mx\u{1b}[0m");
        assert_eq!(Paint::Colours.grave(Severity::Error, "x"), "\u{1b}[1m\u{1b}[31mx\u{1b}[0m");
    }
}
