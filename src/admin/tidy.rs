//! `tidy`: one round of bundling and removing, for those who split from cron.

use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::config::Config;
use crate::db::Database;
use crate::error::{Error, Result};
use crate::ground;
use crate::logs::{Committed, Gate as _, Tidier};

/// Tidies every directory once and says what was done. The database is asked only if `slony_node` is not set.
pub async fn tidy(config: &Config) -> Result<String> {
    let node = match config.slony_node {
        Some(node) => node,
        None => {
            Committed::new(Database::new(&config.database, &config.cluster), &config.paths)
                .slony_node()
                .await?
        }
    };
    ground::put_on_disk(&config.paths)?;
    let reports = Tidier::new(config, Access::load(config)?, node, CancellationToken::new()).round().await?;
    let mut text = String::new();
    let mut failed = Vec::new();
    for report in reports {
        let notes = report.standing.and_then(crate::logs::Standing::note).into_iter().chain(report.faults);
        let notes: String = notes.map(|note| format!(", {note}")).collect();
        let (place, removed, bundled) = (&report.place, report.removed, report.bundled);
        text += &format!("{place}: {removed} removed, {bundled} bundled{notes}\n");
        failed.extend(report.failed.map(|error| format!("{place}: {}", error.chain())));
    }
    if failed.is_empty() {
        return Ok(text);
    }
    Err(Error::Fatal(format!("not everything could be tidied\n{text}{}", failed.join("\n"))))
}
