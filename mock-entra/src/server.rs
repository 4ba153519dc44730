//! The listener, and which address leads where.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response_with_state;
use axum::response::Response;
use axum::routing::{any, get, post};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::directory::Directory;
use crate::keys::KeyFailure;
use crate::{authorize, clock, discovery, graph, logout, pages, token};

/// A running mock. It stops when it is dropped.
///
/// Everything of [`Directory`] may be called on it directly: `entra.disable_user(…)`, `entra.fail_next(…)`.
pub struct MockEntra {
    directory: Directory,
    base_url: String,
    /// Dropping it ends the listener.
    _running: oneshot::Sender<()>,
}

/// Why a mock could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFailure {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The signing key could not be made.
    #[error(transparent)]
    Key(#[from] KeyFailure),
}

impl MockEntra {
    /// Starts on a free port of the loopback address.
    pub async fn start(directory: impl Into<Directory>) -> Result<Self, StartFailure> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), directory).await
    }

    /// Starts on this address; port 0 takes a free one.
    pub async fn start_on(
        address: SocketAddr,
        directory: impl Into<Directory>,
    ) -> Result<Self, StartFailure> {
        Self::listen(address, None, directory.into()).await
    }

    /// Starts on this address and calls itself by another one, as behind a name or a container's port mapping.
    pub async fn start_as(
        address: SocketAddr,
        base_url: &str,
        directory: impl Into<Directory>,
    ) -> Result<Self, StartFailure> {
        Self::listen(
            address,
            Some(base_url.trim_end_matches('/').to_owned()),
            directory.into(),
        )
        .await
    }

    async fn listen(
        address: SocketAddr,
        base_url: Option<String>,
        directory: Directory,
    ) -> Result<Self, StartFailure> {
        let failed = |source| StartFailure::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        directory.ensure_keys()?;
        let base_url = base_url.unwrap_or_else(|| format!("http://{bound}"));
        let context = Context {
            directory: directory.clone(),
            base_url: base_url.as_str().into(),
        };
        let (running, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let until_dropped = async move {
                let _ = stopped.await;
            };
            // A listener that breaks shows in the requests that fail; there is nobody else to tell.
            let _ = axum::serve(listener, router(context))
                .with_graceful_shutdown(until_dropped)
                .await;
        });
        Ok(Self {
            directory,
            base_url,
            _running: running,
        })
    }

    /// Login host and Graph host in one, without a slash at the end: `http://127.0.0.1:9000`.
    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// What the mock serves; changes are seen by the next request.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// An authorize address that signs this person in at once, without a page (*direct mode*).
    pub fn signed_in_as(authorize_url: &str, name: &str) -> String {
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        format!("{authorize_url}&mock_user={name}")
    }
}

impl Deref for MockEntra {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.directory
    }
}

/// What every handler is given.
#[derive(Clone)]
pub(crate) struct Context {
    /// What is served.
    pub(crate) directory: Directory,
    /// Where it is served.
    pub(crate) base_url: Arc<str>,
}

fn router(context: Context) -> Router {
    Router::new()
        .route("/", get(pages::index::index))
        .route(
            "/provisioning",
            get(pages::provisioning::show).post(pages::provisioning::act),
        )
        .route(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            get(discovery::metadata),
        )
        .route("/{tenant}/discovery/v2.0/keys", get(discovery::keys))
        .route(
            "/{tenant}/oauth2/v2.0/authorize",
            get(authorize::authorize).post(authorize::authorize),
        )
        .route("/{tenant}/oauth2/v2.0/token", post(token::token))
        .route(
            "/{tenant}/oauth2/v2.0/logout",
            get(logout::logout).post(logout::logout),
        )
        .route("/oidc/userinfo", get(graph::userinfo))
        .route("/v1.0/{*path}", any(graph::graph))
        .layer(map_response_with_state(context.clone(), dated))
        .with_state(context)
}

/// Answers tell the mock's time and not the machine's (RFC 9110 §6.6.1).
async fn dated(State(context): State<Context>, mut response: Response) -> Response {
    if let Ok(date) = HeaderValue::from_str(&clock::http_date(context.directory.now())) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}
