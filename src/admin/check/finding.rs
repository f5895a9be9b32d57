//! What is wrong, and what to do about it.

use serde::Serialize;

/// One thing that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Finding {
    /// How bad it is.
    pub(super) severity: Severity,
    /// What kind it is: a word that stays the same.
    pub(super) code: &'static str,
    /// What it is about: a node, a path, a database.
    pub(super) subject: String,
    /// What was found, in words.
    pub(super) text: String,
    /// What to do.
    pub(super) hint: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// Sites do not get what they should, or will not.
    Error,
    /// It will become an error, or nobody knows whose it is.
    Warning,
    /// Worth knowing; it may be meant so.
    Note,
}

impl Severity {
    /// The word for people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// The findings of one round.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn error(&mut self, code: &'static str, subject: &impl ToString, text: String, hint: &str) {
        self.add(Severity::Error, code, &subject.to_string(), text, hint);
    }

    pub(super) fn warning(&mut self, code: &'static str, subject: &impl ToString, text: String, hint: &str) {
        self.add(Severity::Warning, code, &subject.to_string(), text, hint);
    }

    pub(super) fn note(&mut self, code: &'static str, subject: &impl ToString, text: String, hint: &str) {
        self.add(Severity::Note, code, &subject.to_string(), text, hint);
    }

    fn add(&mut self, severity: Severity, code: &'static str, subject: &str, text: String, hint: &str) {
        let subject = subject.to_owned();
        self.0.push(Finding { severity, code, subject, text, hint: hint.to_owned() });
    }

    /// Those that an earlier round has found too, as they are now, the worst first. What was only on its way then is none.
    pub(super) fn seen_before(mut self, earlier: &[Finding]) -> Vec<Finding> {
        self.0
            .retain(|now| earlier.iter().any(|then| (then.code, &then.subject) == (now.code, &now.subject)));
        self.0.sort();
        self.0
    }
}

/// Names for a text, cut short where they are many.
pub(super) fn named<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    let more = names.len().saturating_sub(SHOWN);
    let text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { text } else { format!("{text} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_is_a_finding() {
        let round = |subjects: &[(&str, &str)]| {
            let mut findings = Findings::default();
            for (subject, text) in subjects {
                findings.warning("gap", subject, (*text).to_owned(), "");
            }
            findings.note("daemon-away", &"x", String::new(), "");
            findings.error("gap", &"z", String::new(), "");
            findings
        };
        let earlier = round(&[("nso", "1 is missing"), ("so", "2 is missing")]).0;
        let now = round(&[("nso", "1 to 2 are missing"), ("mps", "3 is missing")]).seen_before(&earlier);
        let shown: Vec<_> =
            now.iter().map(|finding| (finding.subject.as_str(), finding.text.as_str())).collect();
        assert_eq!(shown, [("z", ""), ("nso", "1 to 2 are missing"), ("x", "")]);
    }

    #[test]
    fn many_names_are_cut_short() {
        assert_eq!(named(1..=3), "1, 2, 3");
        assert!(named(1..=12).ends_with("10 and 2 more"));
    }
}
