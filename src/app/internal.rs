//! Health and metrics, on a listener of their own that is never public.
//!
//! `/livez` says that the process answers, `/readyz` that it may be sent requests, `/startupz` that it has started.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{StatusCode, header};

use crate::clock::Clock;
use crate::session::grace::StoreGrace;
use crate::shutdown::Shutdown;
use crate::telemetry::metrics::{self, Metrics};

#[derive(Clone)]
struct Health {
    metrics: Arc<Metrics>,
    grace: StoreGrace,
    clock: Clock,
    shutdown: Shutdown,
}

/// Starts the listener, where one is configured, and gives its address.
pub(super) async fn start(
    address: Option<SocketAddr>,
    metrics: &Arc<Metrics>,
    grace: &StoreGrace,
    clock: &Clock,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<SocketAddr>> {
    let Some(address) = address else { return Ok(None) };
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("the internal address {address} cannot be listened on"))?;
    let address = listener.local_addr()?;
    let health = Health {
        metrics: Arc::clone(metrics),
        grace: grace.clone(),
        clock: clock.clone(),
        shutdown: shutdown.clone(),
    };
    let router = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/startupz", get(|| async { "started\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(measured))
        .with_state(health);
    let stop = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            served = axum::serve(listener, router).into_future() => {
                if let Err(error) = served {
                    tracing::error!(%error, "The internal listener failed");
                }
            }
            () = stop.hard() => {}
        }
    });
    Ok(Some(address))
}

async fn ready(State(health): State<Health>) -> Response {
    if health.shutdown.started() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    if !health.grace.store_answers(health.clock.now_ms()) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response();
    }
    "ready\n".into_response()
}

async fn measured(State(health): State<Health>) -> Response {
    match health.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
