//! A token for an application without a browser: the kept one, or a new one for the organization token.

use std::fmt;

use super::discover::Application;
use super::exchange::{exchange, is_taken};
use super::tokens::Keys;
use super::trouble::Trouble;
use super::{Access, keep};

/// A token whose signature, issuer, audience and time were checked.
#[derive(Clone)]
pub(super) struct Obtained {
    /// The token.
    pub(super) text: String,
    /// Whose it is.
    pub(super) email: String,
    /// When it ends, seconds since 1970.
    pub(super) expires: i64,
}

/// Without the token.
impl fmt::Debug for Obtained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Obtained")
            .field("email", &self.email)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Seconds that a token must still be good for, so that what follows can be done with it.
const STILL: i64 = 30;

/// The kept token where the gateway still takes it, else a new one for the organization token; `None` where a person has
/// to sign in.
pub(super) async fn without_browser(
    access: &Access,
    application: &Application,
) -> Result<Option<Obtained>, Trouble> {
    let (auth, aud) = (&application.auth, &application.aud);
    let kept = access.keep.token(auth, &keep::Name::Application(aud))?;
    let organization = access.keep.token(auth, &keep::Name::Organization)?;
    if kept.is_none() && organization.is_none() {
        return Ok(None);
    }
    let keys = Keys::of(&access.web, auth).await?;
    let lasts = |token: &Obtained| token.expires > access.clock.now_seconds() + STILL;
    let kept = kept
        .and_then(|text| keys.application_token(&text, aud))
        .filter(lasts);
    if let Some(token) = kept
        && is_taken(&access.web, application, &token.text).await?
    {
        return Ok(Some(token));
    }
    let organization = organization.and_then(|text| keys.organization_token(&text));
    let Some(organization) = organization else {
        return Ok(None);
    };
    let Some(text) = exchange(&access.web, application, &organization.text).await? else {
        return Ok(None);
    };
    let token = keys.application_token(&text, aud).ok_or_else(|| {
        Trouble::Untrusted(format!("{} gave a token for something else", application.address))
    })?;
    access
        .keep
        .put(auth, &keep::Name::Application(aud), &token.text)?;
    Ok(Some(token))
}
