//! `check`: what is wrong here and in the cluster, and what to do about it.
//!
//! [`observe`](mod@observe) reads the files under the hold, [`cluster`] asks the database; [`registry`], [`requests`],
//! [`stream`], [`cluster`], [`place`] and [`watched`] say what is wrong with that, each in its field; [`fix`] says what can be put right.
//! What was only on its way is told from what is wrong by looking twice.

mod cluster;
mod finding;
mod fix;
mod observe;
mod place;
mod registry;
mod requests;
mod stream;
mod watched;

use serde::Serialize;

use crate::config::Config;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::ground;
use crate::model::printable;
use crate::protocol::Event;
use finding::{Finding, Findings, Severity};
use observe::{Facts, observe};

/// Whether what can be put right is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mending {
    /// It is left alone.
    No,
    /// It is only said.
    Say,
    /// It is done.
    Do,
}

/// What a check has found, and what it has put right.
#[derive(Debug, Serialize)]
pub struct Report {
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixed: Vec<String>,
    #[serde(skip)]
    mending: &'static str,
}

/// Checks.
pub async fn check(config: &Config, mending: Mending) -> Result<Report> {
    ground::require_directories(&config.paths)?;
    let (fixed, verb) = match mending {
        Mending::No => (Vec::new(), ""),
        Mending::Say => (fix(config, false).await?, "would be done"),
        Mending::Do => (fix(config, true).await?, "done"),
    };
    let earlier = look(config).await?;
    let findings = match earlier.0.as_slice() {
        [] => Vec::new(),
        earlier => look(config).await?.seen_before(earlier),
    };
    Ok(Report { findings, fixed, mending: verb })
}

async fn look(config: &Config) -> Result<Findings> {
    let hold = Lock::wait(&config.paths.hold()).await?;
    let facts = observe(config)?;
    drop(hold);
    let cluster = cluster::observe(config, &facts).await;
    let mut found = Findings::default();
    decide(config, &facts, &cluster, &mut found);
    Ok(found)
}

fn decide(config: &Config, facts: &Facts, cluster: &Result<cluster::Cluster>, found: &mut Findings) {
    registry::decide(config, facts, found);
    requests::decide(config, facts, found);
    stream::decide(config, facts, found);
    cluster::decide(config, facts, cluster, found);
    place::decide(config, facts, found);
    watched::decide(config, found);
}

/// Puts right what can be; returns what that is.
async fn fix(config: &Config, really: bool) -> Result<Vec<String>> {
    let _hold = Lock::wait(&config.paths.hold()).await?;
    if really {
        ground::put_on_disk(&config.paths)?;
    }
    let mut said = Vec::new();
    for fix in fix::plan(config, &observe(config)?) {
        if really {
            super::audit::once(config, fix.node.as_ref(), Event::Fix, &fix.what)()?;
            disk::act(&fix.steps)?;
        }
        said.push(fix.what);
    }
    Ok(said)
}

impl Report {
    /// The text for people, or JSON.
    pub fn print(&self, json: bool) -> Result<String> {
        if json {
            let text = serde_json::to_string_pretty(self);
            return text.map(|text| text + "\n").map_err(|error| Error::Fatal(error.to_string()));
        }
        let mut text: String = self.fixed.iter().map(|what| format!("{}: {what}\n", self.mending)).collect();
        for Finding { severity, code, subject, text: what, hint } in &self.findings {
            // Faults of a file come one on a line.
            let (first, rest) = what.split_once('\n').unwrap_or((what, ""));
            let said =
                format!("{}: {subject}: {} [{code}]", severity.word(), first.trim_end_matches([' ', ':']));
            let lines = [said.as_str()].into_iter().chain(rest.lines()).chain([hint.as_str()]);
            text += &(lines.map(printable).collect::<Vec<_>>().join("\n    ") + "\n");
        }
        if self.status() == 0 {
            text += "nothing is wrong\n";
        }
        Ok(text)
    }

    /// The exit status: notes alone are no fault.
    pub fn status(&self) -> u8 {
        u8::from(self.findings.iter().any(|finding| finding.severity != Severity::Note))
    }
}
