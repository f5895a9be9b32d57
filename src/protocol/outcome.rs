//! `.sqlapplied`: what the subscriber says about the SQL.

use crate::model::Counter;

/// The subscriber's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it could apply the SQL.
    pub success: bool,
    /// The last site log that it has applied, if it says so.
    pub counter: Option<Counter>,
    /// The request that it speaks of, if it says so.
    pub id: Option<String>,
}

impl Outcome {
    /// Reads the file; `None` while no complete `success` line is there. The last complete one wins, because
    /// deployed clients append to the copy of `.cfg` that they send. Whatever else stands in it means nothing here.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let complete = text.get(..=text.rfind('\n')?)?;
        let mut outcome = None;
        let mut counter = None;
        let mut id = None;
        for (_, line) in super::lines(complete) {
            match super::key_value(line) {
                ("success", "true") => outcome = Some(true),
                ("success", "false") => outcome = Some(false),
                ("counter", value) => counter = Counter::parse(value),
                ("request", value) => id = Some(value.to_owned()),
                _ => {}
            }
        }
        outcome.map(|success| Self { success, counter, id })
    }

    /// The lines that a subscriber appends to its copy of the request.
    pub fn write(&self) -> String {
        let counter = self.counter.map(|counter| format!("counter {counter}\n")).unwrap_or_default();
        format!("{counter}success {}\n", self.success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_complete_line_wins() {
        let read = |text: &str| Outcome::parse(text.as_bytes()).map(|outcome| outcome.success);
        assert_eq!(read("node nso\nhmi.m subscribe\nnew_site true\nsuccess true\n"), Some(true));
        assert_eq!(read("success=true\nsuccess=false\n"), Some(false));
        assert_eq!(read("success false\nsuccess tru"), Some(false));
        for partial in ["", "node nso\n", "success true", "success maybe\n", "x.success true\n"] {
            assert_eq!(read(partial), None, "{partial:?}");
        }
    }

    #[test]
    fn counter_and_request_are_read() {
        let outcome = Outcome { success: true, counter: Counter::parse("1201"), id: None };
        assert_eq!(Outcome::parse(outcome.write().as_bytes()), Some(outcome));
        let outcome = Outcome::parse(b"node nso\nrequest r-1\nsuccess true\n").unwrap();
        assert_eq!(outcome.id.as_deref(), Some("r-1"));
    }
}
