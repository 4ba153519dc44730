//! Renewing application tokens in place: a token past its end, or near it, is replaced on the answer to the very request
//! that showed it, for as long as its organization session lives. Scripts never see a redirect for it.
//!
//! The core has verified the token and judged the policies; what is left to be done is not for a core: the store is
//! asked whether a token may be minted, and one is signed. The way here is bounded, and of many requests with one token
//! one has it renewed while the others wait for the same answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use quick_cache::sync::Cache;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::call::with_cookie_path;
use super::{Login, mint};
use crate::crypto::digest::{Sha256, sha256};
use crate::model::application::Application;
use crate::model::host::Host;
use crate::model::ids::SessionNonce;
use crate::session::cookies;
use crate::session::lookup::Settled;
use crate::shutdown::Shutdown;
use crate::snapshot::ProtectedApplication;
use crate::store::StoreError;

/// Requests that may wait for a renewal, and renewals in work.
const WAITING: usize = 1024;
/// Tokens renewed of late, for the requests that a browser sent before it had the new one: each some 3 kB.
const REMEMBERED: usize = 4096;
/// How long they are remembered, in milliseconds: longer than a page's requests wait in a browser's queue.
const REMEMBERED_MS: i64 = 60_000;
/// How long a token that could not be renewed ahead of its end is left alone, in milliseconds.
const LEFT_ALONE_MS: i64 = 10_000;
/// How long the token of one navigation is remembered as used: longer than it lives.
const NAVIGATION_MS: i64 = 600_000;

/// A token to be renewed, with what it is renewed for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The digest of the token there is.
    pub digest: Sha256,
    /// Its session.
    pub session: SessionNonce,
    /// The epoch it was minted in.
    pub epoch: i64,
    /// The application.
    pub application: Arc<ProtectedApplication>,
    /// How long a token lives by the policy that lets the person in.
    pub duration: Duration,
}

/// A token in place of another.
#[derive(Debug)]
pub struct Fresh {
    /// The token.
    pub token: String,
    /// Seconds that its cookie lives.
    seconds: i64,
    /// The application as its cookie goes by.
    application: Application,
}

impl Fresh {
    /// `Set-Cookie` for the address that was asked for.
    pub fn cookie(&self, login: &Renewal, host: &Host, path: &str) -> Option<HeaderValue> {
        let login = &login.login;
        let snapshot = login.published.load();
        cookies::set_application(
            &self.application,
            &snapshot.organization.auth,
            (host, path),
            &self.token,
            login.clock.now(),
            self.seconds,
        )
    }
}

/// What became of a wish.
#[derive(Debug, Clone)]
pub enum Renewed {
    /// Another token.
    Fresh(Arc<Fresh>),
    /// None is minted: the session is over, or the token was revoked.
    Refused,
    /// It cannot be said or done now.
    Unavailable,
}

/// Renews tokens. Cheap to clone; usable on any runtime.
#[derive(Clone)]
pub struct Renewal {
    login: Login,
    wishes: mpsc::Sender<(Wish, oneshot::Sender<Renewed>)>,
    navigations: mpsc::Sender<(Sha256, oneshot::Sender<Result<bool, StoreError>>)>,
    remembered: Arc<Cache<Sha256, (Renewed, i64)>>,
}

impl std::fmt::Debug for Renewal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renewal").finish_non_exhaustive()
    }
}

impl Renewal {
    /// Starts renewing on the present (control) runtime.
    pub fn start(login: Login, shutdown: &Shutdown) -> Self {
        let (wishes, asked) = mpsc::channel(WAITING);
        let (navigations, spent) = mpsc::channel(WAITING);
        let worker = login.clone();
        let stop = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = grant(&worker, asked) => {}
                () = spend(&worker, spent) => {}
                () = stop.hard() => {}
            }
        });
        Self {
            login,
            wishes,
            navigations,
            remembered: Arc::new(Cache::new(REMEMBERED)),
        }
    }

    /// Has a token renewed.
    pub async fn renew(&self, wish: Wish) -> Renewed {
        let (digest, now_ms) = (wish.digest, self.login.clock.now_ms());
        if let Some((renewed, until_ms)) = self.remembered.get(&digest)
            && now_ms < until_ms
        {
            return renewed;
        }
        let (reply, answer) = oneshot::channel();
        if self.wishes.try_send((wish, reply)).is_err() {
            return Renewed::Unavailable;
        }
        let renewed = answer.await.unwrap_or(Renewed::Unavailable);
        let kept_ms = match &renewed {
            Renewed::Fresh(_) => REMEMBERED_MS,
            Renewed::Refused | Renewed::Unavailable => return renewed,
        };
        self.remembered
            .insert(digest, (renewed.clone(), now_ms.saturating_add(kept_ms)));
        renewed
    }

    /// Leaves a token alone for a while that is still good: it could not be renewed now, and trying it with every request
    /// would slow all of them down.
    pub fn leave_alone(&self, digest: Sha256) {
        let until_ms = self.login.clock.now_ms().saturating_add(LEFT_ALONE_MS);
        self.remembered.insert(digest, (Renewed::Unavailable, until_ms));
    }

    /// Whether this is the one navigation that a token without duration is good for, on whichever replica. `None` where
    /// that cannot be said.
    pub async fn first_navigation(&self, token: Sha256) -> Option<bool> {
        let (reply, answer) = oneshot::channel();
        self.navigations.try_send((token, reply)).ok()?;
        answer.await.ok()?.ok()
    }
}

async fn grant(login: &Login, mut wishes: mpsc::Receiver<(Wish, oneshot::Sender<Renewed>)>) {
    let mut waiting: HashMap<Sha256, Vec<oneshot::Sender<Renewed>>> = HashMap::new();
    let mut mints = JoinSet::new();
    loop {
        tokio::select! {
            wish = wishes.recv() => {
                let Some((wish, reply)) = wish else { return };
                if waiting.len() >= WAITING {
                    let _ = reply.send(Renewed::Unavailable); // whoever gave up does not mind
                    continue;
                }
                let asking = waiting.entry(wish.digest).or_default();
                asking.push(reply);
                if asking.len() == 1 {
                    let login = login.clone();
                    mints.spawn(async move { (wish.digest, mint_anew(&login, &wish).await) });
                }
            }
            Some(minted) = mints.join_next(), if !mints.is_empty() => {
                // One that panicked leaves its askers without an answer, which reads as `Unavailable`.
                let Ok((digest, renewed)) = minted else { waiting.clear(); continue };
                for reply in waiting.remove(&digest).unwrap_or_default() {
                    let _ = reply.send(renewed.clone()); // whoever gave up does not mind
                }
            }
        }
    }
}

async fn mint_anew(login: &Login, wish: &Wish) -> Renewed {
    // An external evaluation is asked each time a token is issued: at the login page, where a person can wait for it.
    if !wish.application.policies.evaluations().is_empty() {
        return Renewed::Refused;
    }
    let session = match login.lookup.settle(wish.session.clone()).await {
        Settled::Alive(session) => session,
        Settled::Gone => return Renewed::Refused,
        Settled::Unavailable => return Renewed::Unavailable,
    };
    let app = &wish.application.app;
    let epoch = match login.store.minted_in(session.nonce(), &app.aud).await {
        // What was revoked since the old token was minted is not brought back by renewing it.
        Ok(Some(epoch)) if wish.epoch >= epoch => epoch,
        Ok(_) => return Renewed::Refused,
        Err(error) => {
            tracing::warn!(%error, "A token could not be renewed");
            return Renewed::Unavailable;
        }
    };
    let snapshot = login.published.load();
    let now = login.clock.now_seconds();
    let identity = session.identity().identity.clone();
    let claims = mint::application(
        &snapshot.organization,
        app,
        &session,
        &identity,
        mint::Life {
            duration: wish.duration,
            epoch,
            now,
        },
    );
    match login.signer.sign(&claims).await {
        Ok(token) => Renewed::Fresh(Arc::new(Fresh {
            token,
            seconds: mint::cookie_seconds(&session, wish.duration, now),
            application: with_cookie_path(&snapshot, app).into_owned(),
        })),
        Err(error) => {
            tracing::error!(%error, "A token could not be renewed");
            Renewed::Unavailable
        }
    }
}

async fn spend(
    login: &Login,
    mut asked: mpsc::Receiver<(Sha256, oneshot::Sender<Result<bool, StoreError>>)>,
) {
    let mut spending = JoinSet::new();
    while let Some((token, reply)) = asked.recv().await {
        while spending.try_join_next().is_some() {}
        if spending.len() >= WAITING {
            continue; // the reply is dropped, which reads as unavailable
        }
        let login = login.clone();
        spending.spawn(async move {
            let until_ms = login.clock.now_ms().saturating_add(NAVIGATION_MS);
            let first = login.store.spend(&navigation_key(token), until_ms).await;
            let _ = reply.send(first); // whoever gave up does not mind
        });
    }
}

/// What is spent by a navigation.
fn navigation_key(token: Sha256) -> Sha256 {
    sha256(&[b"navigation\n".as_slice(), &token].concat())
}
