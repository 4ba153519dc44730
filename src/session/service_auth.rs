//! Service tokens of requests: how they are shown, and whether they are good.
//!
//! Everything is asked of the snapshot, in memory: a token that was disabled, deleted or rotated opens nothing from the
//! next snapshot on. A good secret always counts, however many bad ones came along ([`super::limits`]): nobody guesses
//! 238 random bits, so nobody is to be locked out for trying.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use crate::crypto::digest::sha256;
use crate::crypto::equal::constant_time;
use crate::model::header_names::reads_as;
use crate::model::ids::{ClientId, ServiceTokenId};
use crate::model::service_token::{CredentialHeader, LONGEST_SECRET, SecretMark};
use crate::snapshot::{KnownToken, ServiceTokens};

const CLIENT_ID: HeaderName = HeaderName::from_static("cf-access-client-id");
const CLIENT_SECRET: HeaderName = HeaderName::from_static("cf-access-client-secret");

/// The longest single header that is read, in bytes: both parts and their names.
const LONGEST_HEADER: usize = 512;

/// What a request shows as a service token.
#[derive(Debug)]
pub enum Shown<'h> {
    /// Nothing.
    Nothing,
    /// Both parts.
    Pair(Pair<'h>),
    /// The same credentials in both carriers, which strict mode does not take.
    Twice(Pair<'h>),
    /// Half a pair, one header twice, two that differ, or a text that is none: nobody's credentials.
    Malformed,
}

/// Both parts of a service token, byte for byte as they were sent. `Debug` shows neither.
#[derive(PartialEq, Eq)]
pub struct Pair<'h> {
    client_id: Cow<'h, [u8]>,
    secret: Cow<'h, [u8]>,
}

impl std::fmt::Debug for Pair<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair([hidden])")
    }
}

/// What the two usual headers show, and the one that the application names besides.
pub fn shown<'h>(headers: &'h HeaderMap, single: Option<&CredentialHeader>) -> Shown<'h> {
    let pair = shown_as_pair(headers);
    let single = single.map_or(Shown::Nothing, |name| shown_in_one(headers, name));
    match (pair, single) {
        (Shown::Nothing, other) | (other, Shown::Nothing) => other,
        // Which of two is meant cannot be told.
        (Shown::Pair(one), Shown::Pair(other)) if one == other => Shown::Twice(one),
        _ => Shown::Malformed,
    }
}

fn shown_as_pair(headers: &HeaderMap) -> Shown<'_> {
    let (mut ids, mut secrets) = (
        headers.get_all(CLIENT_ID).iter(),
        headers.get_all(CLIENT_SECRET).iter(),
    );
    match (ids.next(), secrets.next()) {
        (None, None) => Shown::Nothing,
        (Some(client_id), Some(secret)) if ids.next().is_none() && secrets.next().is_none() => {
            Shown::Pair(Pair {
                client_id: Cow::Borrowed(client_id.as_bytes()),
                secret: Cow::Borrowed(secret.as_bytes()),
            })
        }
        _ => Shown::Malformed,
    }
}

fn shown_in_one<'h>(headers: &'h HeaderMap, name: &CredentialHeader) -> Shown<'h> {
    /// The keys are written in one way only; a key that comes twice or is not known makes the text none.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written<'h> {
        #[serde(rename = "cf-access-client-id", borrow)]
        client_id: Cow<'h, str>,
        #[serde(rename = "cf-access-client-secret", borrow)]
        secret: Cow<'h, str>,
    }
    let mut values = headers.get_all(name.as_str()).iter();
    let Some(value) = values.next() else {
        return Shown::Nothing;
    };
    if *name.as_str() == *AUTHORIZATION.as_str() && !is_written(value) {
        return Shown::Nothing; // of another kind: the application behind may ask for it
    }
    if values.next().is_some() || value.len() > LONGEST_HEADER {
        return Shown::Malformed;
    }
    match serde_json::from_slice::<Written<'h>>(value.as_bytes()) {
        Ok(Written { client_id, secret }) => Shown::Pair(Pair {
            client_id: bytes(client_id),
            secret: bytes(secret),
        }),
        Err(_) => Shown::Malformed,
    }
}

/// Whether a value is JSON, as no other credentials in `Authorization` are (RFC 9110 §11.4 has a scheme first).
fn is_written(value: &HeaderValue) -> bool {
    value.as_bytes().trim_ascii_start().starts_with(b"{")
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// Takes out of a request the headers in which some application takes service tokens, in any punctuation: no upstream
/// sees a secret. Of `Authorization`, which others use, only what can be a service token goes.
pub fn strip(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        if *name == AUTHORIZATION {
            if headers.get_all(AUTHORIZATION).iter().any(is_written) {
                headers.remove(AUTHORIZATION);
            }
            continue;
        }
        let doomed: Vec<HeaderName> = headers
            .keys()
            .filter(|sent| reads_as(sent.as_str(), name.as_str()))
            .cloned()
            .collect();
        for name in doomed {
            headers.remove(name);
        }
    }
}

/// A service token whose credentials are known to be good.
#[derive(Debug, Clone)]
pub struct Proven {
    known: Arc<KnownToken>,
    mark: SecretMark,
    until_ms: i64,
}

impl Proven {
    /// The token.
    pub fn id(&self) -> ServiceTokenId {
        self.known.token.id
    }

    /// What it is called.
    pub fn client_id(&self) -> &ClientId {
        &self.known.token.client_id
    }

    /// The mark of the secret it is proven by.
    pub fn mark(&self) -> SecretMark {
        self.mark
    }

    /// Until when it is good if nothing changes, milliseconds since 1970.
    pub fn until_ms(&self) -> i64 {
        self.until_ms
    }

    /// Whether it still is good as the tokens stand now.
    #[must_use]
    pub fn again(&self, tokens: &ServiceTokens, now_ms: i64) -> Option<Self> {
        stands(tokens, self.client_id(), self.mark, now_ms)
    }
}

/// Credentials that open nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotProven {
    /// The token that was named, if there is one.
    pub token: Option<ServiceTokenId>,
}

/// Whether both parts are good. What it takes does not depend on whether there is such a token.
///
/// # Errors
/// [`NotProven`] for an unknown token and a wrong secret, for one that is disabled or over, and for a secret that
/// another has taken the place of.
pub fn prove(tokens: &ServiceTokens, pair: &Pair<'_>, now_ms: i64) -> Result<Proven, NotProven> {
    let client_id = std::str::from_utf8(&pair.client_id)
        .ok()
        .and_then(|text| text.parse().ok());
    let known = client_id.and_then(|client_id: ClientId| tokens.called(&client_id));
    let refused = NotProven {
        token: known.map(|known| known.token.id),
    };
    if pair.secret.len() > LONGEST_SECRET {
        return Err(refused);
    }
    let shown = sha256(&pair.secret);
    // No secret has this hash.
    let nothing = [0; 32];
    let present = known.map_or(nothing, |known| known.token.secret.0);
    let previous = known.and_then(|known| known.token.previous.as_ref());
    let previous = previous.map_or(nothing, |previous| previous.secret.0);
    let (is_present, is_previous) = (constant_time(&shown, &present), constant_time(&shown, &previous));
    let known = known.ok_or(refused)?;
    let mark = match known.previous_mark {
        _ if is_present => known.mark,
        Some(mark) if is_previous => mark,
        _ => return Err(refused),
    };
    proven(known, mark, now_ms).ok_or(refused)
}

/// Whether a token that was proven before, by the secret of this mark, still stands.
pub fn stands(tokens: &ServiceTokens, client_id: &ClientId, mark: SecretMark, now_ms: i64) -> Option<Proven> {
    proven(tokens.called(client_id)?, mark, now_ms)
}

fn proven(known: &Arc<KnownToken>, mark: SecretMark, now_ms: i64) -> Option<Proven> {
    let token = &known.token;
    let until_ms = if mark == known.mark {
        token.expires_ms
    } else if known.previous_mark == Some(mark) {
        token.previous.as_ref()?.until_ms.min(token.expires_ms)
    } else {
        return None;
    };
    let good = token.is_good(now_ms) && now_ms < until_ms;
    good.then(|| Proven {
        known: Arc::clone(known),
        mark,
        until_ms,
    })
}

#[cfg(test)]
mod tests;
