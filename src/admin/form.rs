//! For whom a command prints: people or programs. PROTOCOL.md has the fields of the objects.

use std::fmt::Display;

use serde::Serialize;

use super::paint::Paint;
use crate::error::{Error, Result};

/// For whom something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text(Paint),
    /// For programs.
    Json,
    /// For programs that read one line each time.
    JsonLine,
}

impl Form {
    /// A value as JSON; `None`: it is for people.
    pub(super) fn json(self, value: &impl Serialize) -> Option<Result<String>> {
        let text = match self {
            Self::Text(_) => return None,
            Self::Json => serde_json::to_string_pretty(value),
            Self::JsonLine => serde_json::to_string(value),
        };
        Some(text.map(|text| text + "\n").map_err(|error| Error::Fatal(error.to_string())))
    }

    pub(super) fn paint(self) -> Paint {
        match self {
            Self::Text(paint) => paint,
            Self::Json | Self::JsonLine => Paint::Plain,
        }
    }

    /// Tells what a command has done.
    pub fn tell(self, done: &(impl Display + Serialize)) -> Result<String> {
        self.json(done).unwrap_or_else(|| Ok(done.to_string()))
    }
}
