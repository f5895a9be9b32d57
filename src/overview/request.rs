//! An open request as an operator sees it: what is asked, and what it waits for, in words.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::model::{Series, age, write_time};
use crate::protocol::{Dump, OpenRequest, Phase, Site};
use crate::subscription::stage::Stage;

/// An open request. PROTOCOL.md documents the fields.
#[derive(Debug, Clone, Serialize)]
pub struct RequestView {
    /// The word in the names of its files.
    pub stem: &'static str,
    /// Whether the site was new when it asked.
    pub new_site: bool,
    /// When it was accepted; a request of an earlier version does not say it.
    pub accepted: Option<String>,
    /// The owner of its file.
    pub owner: Option<String>,
    /// What it adds.
    pub subscribe: Vec<String>,
    /// What it takes out.
    pub unsubscribe: Vec<String>,
    /// The cut, once there is one.
    pub cut: Option<u64>,
    /// Since when its SQL may be fetched.
    pub published: Option<String>,
    /// Rows in the SQL.
    pub rows: Option<u64>,
    /// Bytes of the SQL.
    pub bytes: Option<u64>,
}

impl RequestView {
    pub(super) fn of(open: &OpenRequest) -> Self {
        let request = open.request().ok();
        let names = |series: &[Series]| series.iter().map(Series::to_string).collect::<Vec<_>>();
        let (published, sent) = match &open.phase {
            Phase::Published { since, sent, .. } => (Some(write_time(*since)), *sent),
            Phase::Accepted | Phase::Cut(_) => (None, None),
        };
        Self {
            stem: open.stem.as_str(),
            new_site: open.site == Site::New,
            accepted: open.origin.as_ref().map(|origin| write_time(origin.accepted)),
            owner: open.origin.as_ref().map(|origin| origin.owner.clone()),
            subscribe: request.as_ref().map(|request| names(&request.subscribe)).unwrap_or_default(),
            unsubscribe: request.as_ref().map(|request| names(&request.unsubscribe)).unwrap_or_default(),
            cut: open.cut().map(|cut| cut.counter.value()),
            published,
            rows: sent.map(|sent| sent.rows),
            bytes: sent.map(|sent| sent.bytes),
        }
    }
}

/// What the daemon does for a node.
#[derive(Clone, Copy, Default)]
pub(super) struct Work<'d> {
    /// Whether it runs.
    pub(super) is_running: bool,
    /// Whether it failed when it tried last.
    pub(super) is_in_trouble: bool,
    /// The dump that runs or waits.
    pub(super) dump: Option<&'d Dump>,
}

/// What everybody waits for, in words; `None`: nothing is going on. `limit`: `request_days`.
pub(super) fn waits_for(stage: &Stage, work: Work<'_>, limit: Duration, now: SystemTime) -> Option<String> {
    let Work { is_running, is_in_trouble, dump } = work;
    let daemon = |does: &str| {
        if is_running {
            does.to_owned()
        } else {
            format!("waits for the manager, which does not run; then: {does}")
        }
    };
    Some(match stage {
        Stage::Idle => return None,
        Stage::Requested(_) => daemon("a request lies there, and is taken when it is whole"),
        Stage::Updating(_) => match dump {
            Some(dump) => dump.describe(),
            None if is_in_trouble => "its SQL could not be made, and is tried again".to_owned(),
            None => daemon("its SQL is being made"),
        },
        Stage::Answered(_, since) => {
            let waited = now.duration_since(*since).unwrap_or_default();
            let end = if waited < limit {
                format!("rolled back in {}", age(limit.saturating_sub(waited)))
            } else {
                daemon("it is rolled back now")
            };
            format!("waits for the site to say whether it could apply the SQL, for {}; {end}", age(waited))
        }
        Stage::Applied(..) | Stage::CleaningUp(_) => {
            daemon("the site has said how it went, and the request is being ended")
        }
        Stage::Refusing(_) => daemon("it is being refused"),
        Stage::Refused => "waits for the site to fetch why it was refused".to_owned(),
        Stage::Done => "waits for the site to fetch how its request ended".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Stem;

    #[test]
    fn what_is_waited_for_is_said_in_words() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let of = |stage, work| waits_for(&stage, work, days(3), now).unwrap_or_default();
        let words = |stage, is_running| of(stage, Work { is_running, ..Work::default() });
        let troubled = Work { is_running: true, is_in_trouble: true, dump: None };
        assert_eq!(
            of(Stage::Updating(Stem::Document), troubled),
            "its SQL could not be made, and is tried again"
        );
        let answered = |ago| Stage::Answered(Stem::Document, now - Duration::from_secs(ago));
        assert_eq!(
            words(answered(7_200), true),
            "waits for the site to say whether it could apply the SQL, for 2 h; rolled back in 2 d 22 h"
        );
        assert_eq!(
            words(answered(300_000), false),
            "waits for the site to say whether it could apply the SQL, for 3 d 11 h; \
             waits for the manager, which does not run; then: it is rolled back now"
        );
        assert_eq!(words(Stage::Updating(Stem::Document), true), "its SQL is being made");
        assert_eq!(
            words(Stage::Updating(Stem::Document), false),
            "waits for the manager, which does not run; then: its SQL is being made"
        );
        assert_eq!(words(Stage::Idle, true), "");
    }
}
