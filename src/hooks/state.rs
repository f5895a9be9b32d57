//! `hooks.state`: how things stood when they were looked at last, and what of it is not told yet.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::decide::Known;
use super::message::Condition;
use crate::disk;
use crate::error::Result;
use crate::model::Hook;
use crate::paths::Paths;

/// What the next process needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// What was told, or is about to be.
    pub known: Known,
    /// Of what somebody wanted to be told by then; `None`: an earlier version did not say it.
    pub hooked: Option<BTreeSet<Hook>>,
    /// What is about to be.
    pub waiting: Vec<Condition>,
}

impl State {
    /// Reads what an earlier process has left. The first time nothing is known, and everything that is amiss is news.
    pub fn load(paths: &Paths) -> Result<Self> {
        let path = paths.hooks_state();
        let Some(bytes) = disk::read_optional(&path)? else { return Ok(Self::default()) };
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            let path = path.display();
            tracing::warn!(%error, "`{path}` cannot be read: hooks tell anew of what is amiss");
            Self::default()
        }))
    }

    /// Writes it down: before a command is run for what is new in it.
    pub fn save(&self, paths: &Paths) -> Result<()> {
        disk::write(&paths.hooks_state(), &serde_json::to_vec(self).unwrap_or_default())
    }

    /// Whoever asks for nothing now is told later how things stand then.
    pub fn forget(paths: &Paths) -> Result<()> {
        disk::remove(&paths.hooks_state())
    }

    /// Of this somebody wants to be told from now on. What he did not ask for before counts as not told.
    pub fn ask(&mut self, hooked: BTreeSet<Hook>) {
        if let Some(before) = &self.hooked {
            hooked.difference(before).for_each(|hook| self.known.forget(*hook));
        }
        self.hooked = Some(hooked);
    }

    /// This is told.
    pub fn tell(&mut self, condition: &Condition) {
        self.waiting.retain(|waiting| waiting != condition);
    }
}
