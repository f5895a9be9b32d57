//! The tasks that split and tidy. Where another configuration holds from now on, each goes on by it when the step that it is at is
//! done; nobody waits for that.

use std::future::Future;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{splitting, tidying};
use crate::logs::{Committed, Splitter};
use crate::subscription::Service;

/// The tasks.
pub(super) struct Background {
    stop: CancellationToken,
    splitting: JoinHandle<()>,
    tidying: JoinHandle<()>,
}

impl Background {
    /// Starts them; `None` where no archives are configured. Those from before, if there are any, end first.
    pub(super) fn start(service: &Arc<Service>, told: splitting::Told, before: Option<Self>) -> Option<Self> {
        let config = &service.config;
        let Some(splitter) = Splitter::new(config) else {
            tracing::warn!("archive_dir is not set: this daemon serves requests and splits nothing");
            told.pulse.splits_nothing();
            return None;
        };
        let (splitting_before, tidying_before) = match before {
            Some(before) => {
                before.stop.cancel();
                (Some(before.splitting), Some(before.tidying))
            }
            None => (None, None),
        };
        let stop = CancellationToken::new();
        let gate = || Committed::new(service.database.clone(), &service.config.paths);
        let split = splitting::split(service.clone(), splitter, gate(), told, stop.clone());
        let tidy = tidying::tidy(config.clone(), service.access.clone(), gate(), stop.clone());
        Some(Self {
            splitting: tokio::spawn(after(splitting_before, split)),
            tidying: tokio::spawn(after(tidying_before, tidy)),
            stop,
        })
    }

    /// Ends them when the steps that they are at are done.
    pub(super) async fn end(self) {
        self.stop.cancel();
        for task in [self.splitting, self.tidying] {
            let _ = task.await;
        }
    }
}

async fn after(before: Option<JoinHandle<()>>, then: impl Future<Output = ()>) {
    if let Some(before) = before {
        let _ = before.await;
    }
    then.await;
}
