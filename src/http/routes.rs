//! What can be asked for, and the headers of every answer.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::page::{Query, page};
use super::{Source, metrics};
use crate::overview::Status;

/// What the page needs, and nothing else: its own style and script, and its own address to ask again.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
     img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// On every answer.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
/// Version 0.0.4 of the text format of Prometheus.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

type Asked = State<Arc<dyn Source>>;

/// GET and HEAD of these, and nothing else: another method gets 405, another path 404.
pub(super) fn router(source: Arc<dyn Source>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/page.css", get(async || said(StatusCode::OK, "text/css", include_str!("page.css").into())))
        .route(
            "/page.js",
            get(async || said(StatusCode::OK, "text/javascript", include_str!("page.js").into())),
        )
        .route("/status.json", get(status))
        .route("/metrics", get(numbers))
        .route("/healthz", get(health))
        .fallback(async || said(StatusCode::NOT_FOUND, TEXT, "there is nothing of this name\n".into()))
        .method_not_allowed_fallback(async || {
            said(StatusCode::METHOD_NOT_ALLOWED, TEXT, "this can only be read\n".into())
        })
        .layer(axum::middleware::map_response(harden))
        .with_state(source)
}

async fn index(State(source): Asked, RawQuery(query): RawQuery) -> Response {
    let query = Query::read(query.as_deref().unwrap_or_default());
    whole(&*source, HTML, |status| page(status, &query)).await
}

async fn status(State(source): Asked) -> Response {
    // Strings and numbers: nothing that JSON could refuse.
    whole(&*source, "application/json", |status| serde_json::to_string(status).unwrap_or_default()).await
}

async fn numbers(State(source): Asked) -> Response {
    whole(&*source, METRICS, metrics::write).await
}

async fn health(State(source): Asked) -> Response {
    match source.fault() {
        None => said(StatusCode::OK, TEXT, "well\n".into()),
        Some(fault) => said(StatusCode::SERVICE_UNAVAILABLE, TEXT, fault + "\n"),
    }
}

/// What `show` makes of the whole; 503 with the reason where that cannot be seen.
async fn whole(source: &dyn Source, kind: &'static str, show: impl FnOnce(&Status) -> String) -> Response {
    match source.status().await {
        Ok(status) => said(StatusCode::OK, kind, show(&status)),
        Err(error) => said(StatusCode::SERVICE_UNAVAILABLE, TEXT, error.chain() + "\n"),
    }
}

fn said(status: StatusCode, kind: &'static str, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, kind)], Body::from(text)).into_response()
}

async fn harden(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
