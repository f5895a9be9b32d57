//! `subscribe_series status`: where the site stands.

use crate::db::site::SiteRequest;
use crate::model::Series;

/// The series that the site is subscribed to, by the requests whose SQL is applied here.
pub(super) fn subscribed(requests: &[SiteRequest]) -> Vec<Series> {
    let mut subscribed: Vec<Series> = Vec::new();
    for request in requests {
        if request.is_finished {
            subscribed.retain(|series| !request.unsubscribed.contains(series));
        }
        subscribed.extend(request.series.iter().cloned());
    }
    subscribed
}
