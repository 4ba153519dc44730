//! The relying party: one login from the authorization address to the person.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreAuthPrompt, CoreClient, CoreResponseType};
use openidconnect::{
    AuthUrl, AuthenticationFlow, ClientId, CsrfToken, IssuerUrl, JsonWebKeySet, LoginHint, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
};
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::cached::Cached;
use super::contexts::{AuthenticationContext, ContextLists};
use super::discovery::{self, Directory, Metadata, base};
use super::email;
use super::errors::{EntraError, TokenRejected};
use super::graph::{Graph, GraphFailed};
use super::groups;
use super::id_token::{self, BoundTo, Expected, IdToken};
use super::keys::{self, KeySet};
use super::outbound::Outbound;
use super::signed_in::{AuthorizationRequest, Redemption, Refresh, SignedIn};
use super::token_endpoint::{Grant, Tokens, exchange};
use crate::clock::Clock;
use crate::crypto::random;
use crate::model::identity::{Groups, PersonKey};
use crate::model::idp::{EntraSettings, IdentityProvider, Prompt};

/// Directories whose metadata and keys are remembered. One for each provider is usual.
const MAX_DIRECTORIES: usize = 256;

/// Tokens of the application's own, and until when they are used.
type Kept = (Arc<Tokens>, i64);

/// Talks to Microsoft for every provider. Cheap to clone.
#[derive(Clone)]
pub struct RelyingParty {
    pub(super) outbound: Outbound,
    pub(super) clock: Clock,
    directories: Arc<Cache<Directory, Arc<Remembered>>>,
    contexts: ContextLists,
    applications: Arc<Cache<(Directory, String), Kept>>,
}

/// How long a token of the application's own is used. Entra's last an hour
/// (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).
const APPLICATION_TOKEN_MS: i64 = 10 * 60 * 1000;

/// What is remembered of a directory.
struct Remembered {
    metadata: Arc<Cached<Metadata>>,
    keys: Arc<Cached<KeySet>>,
}

/// A PKCE verifier and its S256 challenge (RFC 7636 §4.1, §4.2).
pub fn pkce() -> (SecretString, String) {
    // 32 bytes make the 43 characters that are the least a verifier may have.
    let verifier = PkceCodeVerifier::new(URL_SAFE_NO_PAD.encode(random::bytes::<32>()));
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    (
        SecretString::from(verifier.into_secret()),
        challenge.as_str().to_owned(),
    )
}

impl std::fmt::Debug for RelyingParty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelyingParty").finish_non_exhaustive()
    }
}

impl RelyingParty {
    /// A relying party that remembers nothing yet.
    pub fn new(outbound: Outbound, clock: Clock) -> Self {
        Self {
            outbound,
            clock,
            directories: Arc::new(Cache::new(MAX_DIRECTORIES)),
            contexts: ContextLists::new(),
            applications: Arc::new(Cache::new(MAX_DIRECTORIES)),
        }
    }

    /// The authentication contexts of a provider's directory, as Graph lists them, at most ten minutes old; after a
    /// failure older ones are kept. It takes the application permission `Policy.Read.ConditionalAccess`.
    ///
    /// # Errors
    /// Graph or the token endpoint does not answer, or the permission is missing.
    pub async fn authentication_contexts(
        &self,
        provider: &IdentityProvider,
    ) -> Result<Arc<Vec<AuthenticationContext>>, EntraError> {
        let settings = &provider.entra;
        let token_endpoint = self.metadata(settings).await?.token_endpoint.clone();
        self.contexts
            .list(&self.outbound, &self.clock, settings, token_endpoint)
            .await
    }

    /// The same, read anew unless it was read within the last seconds; what was remembered stays where that fails.
    ///
    /// # Errors
    /// As [`RelyingParty::authentication_contexts`].
    pub async fn renew_authentication_contexts(
        &self,
        provider: &IdentityProvider,
    ) -> Result<Arc<Vec<AuthenticationContext>>, EntraError> {
        let settings = &provider.entra;
        let token_endpoint = self.metadata(settings).await?.token_endpoint.clone();
        self.contexts
            .renew(&self.outbound, &self.clock, settings, token_endpoint)
            .await
    }

    /// The groups of a person, nested ones included, without the person. It takes the application permission
    /// `GroupMember.Read.All`; without it they are unknown.
    ///
    /// # Errors
    /// The token endpoint does not answer, or refuses the application.
    pub async fn groups_of(
        &self,
        provider: &IdentityProvider,
        person: PersonKey,
    ) -> Result<Groups, EntraError> {
        let settings = &provider.entra;
        let tokens = self.application_tokens(settings).await?;
        let graph = Graph::new(&self.outbound, &settings.cloud.graph, &tokens.access);
        let read = groups::read(&mut graph.about(person.object)).await;
        Ok(read.unwrap_or_else(|failed| Groups::Unknown {
            partial: Vec::new(),
            reason: failed.to_string(),
        }))
    }

    /// A token of the application's own for Graph, ten minutes old at most.
    pub(super) async fn application_tokens(
        &self,
        settings: &EntraSettings,
    ) -> Result<Arc<Tokens>, EntraError> {
        let key = (Directory::of(settings), settings.client_id.clone());
        let now_ms = self.clock.now_ms();
        if let Some((tokens, until_ms)) = self.applications.get(&key)
            && now_ms < until_ms
        {
            return Ok(tokens);
        }
        let token_endpoint = self.metadata(settings).await?.token_endpoint.clone();
        let scope = format!("{}/.default", base(&settings.cloud.graph));
        let grant = Grant::Application { scope: &scope };
        let now = self.clock.now_seconds();
        let tokens = exchange(&self.outbound, settings, &token_endpoint, &grant, now).await?;
        let tokens = Arc::new(tokens);
        self.applications
            .insert(key, (Arc::clone(&tokens), now_ms + APPLICATION_TOKEN_MS));
        Ok(tokens)
    }

    /// The next such token is a new one.
    pub(super) fn forget_application_tokens(&self, settings: &EntraSettings) {
        let key = (Directory::of(settings), settings.client_id.clone());
        self.applications.remove(&key);
    }

    /// The address at Microsoft where the person signs in.
    ///
    /// # Errors
    /// The directory's metadata is not known and cannot be read, or is not this directory's.
    pub async fn authorization(
        &self,
        provider: &IdentityProvider,
        request: &AuthorizationRequest,
    ) -> Result<Url, EntraError> {
        let settings = &provider.entra;
        let metadata = self.metadata(settings).await?;
        let issuer = IssuerUrl::new(metadata.issuer.clone())
            .map_err(|_| EntraError::Misconfigured("the issuer is no address".to_owned()))?;
        let client_id = ClientId::new(settings.client_id.clone());
        let client = CoreClient::new(client_id, issuer, JsonWebKeySet::default())
            .set_auth_uri(AuthUrl::from_url(metadata.authorization_endpoint.clone()))
            .set_redirect_uri(RedirectUrl::from_url(request.redirect_uri.clone()));
        let (state, nonce) = (request.state.clone(), request.nonce.clone());
        let mut address = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scopes(scopes(settings).into_iter().map(Scope::new))
            // `form_post` would need cookies with SameSite=None.
            .add_extra_param("response_mode", "query");
        if let Some(challenge) = &request.pkce_challenge {
            address = address
                .add_extra_param("code_challenge", challenge.as_str())
                .add_extra_param("code_challenge_method", "S256");
        }
        let usual = settings
            .prompt
            .filter(|prompt| !(request.interactive && *prompt == Prompt::None));
        let prompt = request.prompt.or(usual);
        if let Some(prompt) = prompt {
            address = address.add_prompt(core_prompt(prompt));
        }
        // Microsoft refuses a hint beside the account picker.
        if let Some(hint) = &request.login_hint
            && prompt != Some(Prompt::SelectAccount)
        {
            address = address.set_login_hint(LoginHint::new(hint.clone()));
        }
        if let Some(domain) = &settings.domain_hint {
            address = address.add_extra_param("domain_hint", domain.as_str());
        }
        if let Some(claims) = &request.claims_challenge {
            address = address.add_extra_param("claims", claims.as_str());
        }
        let (address, _, _) = address.url();
        Ok(address)
    }

    /// Redeems the code of a callback and finds out who signed in.
    ///
    /// # Errors
    /// Microsoft refuses, a check of the ID token fails, or Graph asks for a new login.
    pub async fn finish(
        &self,
        provider: &IdentityProvider,
        redemption: &Redemption,
    ) -> Result<SignedIn, EntraError> {
        let grant = Grant::Code {
            code: &redemption.code,
            redirect_uri: &redemption.redirect_uri,
            pkce_verifier: redemption.pkce_verifier.as_ref(),
        };
        let bound_to = BoundTo::Login {
            nonce: &redemption.nonce,
        };
        self.person(&provider.entra, &grant, bound_to, redemption.challenge_answered)
            .await
    }

    /// Renews what is known of a person, without the person.
    ///
    /// # Errors
    /// As [`RelyingParty::finish`]; class Revoked ends the session.
    pub async fn refresh(
        &self,
        provider: &IdentityProvider,
        refresh: &Refresh,
    ) -> Result<SignedIn, EntraError> {
        let mut scopes = scopes(&provider.entra);
        scopes.push("openid".to_owned());
        let grant = Grant::Refresh {
            token: &refresh.refresh_token,
            scopes: &scopes,
        };
        let bound_to = BoundTo::Refresh {
            person: refresh.person,
        };
        self.person(&provider.entra, &grant, bound_to, false).await
    }

    /// Where signing out at Microsoft begins. Its page returns to `post_logout_redirect` if that is registered.
    /// `logout_hint` is the `login_hint` claim: with it there is no account picker.
    pub fn end_session_url(
        &self,
        provider: &IdentityProvider,
        post_logout_redirect: &Url,
        logout_hint: Option<&str>,
    ) -> Option<Url> {
        let directory = Directory::of(&provider.entra);
        // Signing out waits for nobody: without metadata at hand the usual address serves.
        let remembered = self.directories.get(&directory);
        let held = remembered.and_then(|remembered| remembered.metadata.held());
        let mut address = held
            .and_then(|metadata| metadata.end_session_endpoint.clone())
            .or_else(|| Url::parse(&directory.end_session_address()).ok())?;
        address
            .query_pairs_mut()
            .append_pair("post_logout_redirect_uri", post_logout_redirect.as_str());
        if let Some(hint) = logout_hint {
            address.query_pairs_mut().append_pair("logout_hint", hint);
        }
        Some(address)
    }

    async fn person(
        &self,
        settings: &EntraSettings,
        grant: &Grant<'_>,
        bound_to: BoundTo<'_>,
        challenge_answered: bool,
    ) -> Result<SignedIn, EntraError> {
        let metadata = self.metadata(settings).await?;
        let now = self.clock.now_seconds();
        let tokens = exchange(&self.outbound, settings, &metadata.token_endpoint, grant, now).await?;
        let id_token = self.verified(settings, &metadata, &tokens, bound_to).await?;
        self.described(settings, id_token, tokens, challenge_answered)
            .await
    }

    async fn verified(
        &self,
        settings: &EntraSettings,
        metadata: &Metadata,
        tokens: &Tokens,
        bound_to: BoundTo<'_>,
    ) -> Result<IdToken, EntraError> {
        let jwt = tokens
            .identity
            .as_ref()
            .ok_or(TokenRejected::Missing)?
            .expose_secret();
        let kid = id_token::key_id(jwt)?;
        let remembered = self.remembered(settings);
        let now_ms = self.clock.now_ms();
        let key = keys::find(&remembered.keys, &kid, &self.outbound, &metadata.jwks_uri, now_ms).await?;
        let expected = Expected {
            client_id: &settings.client_id,
            tenant: settings.directory_id,
            issuer: &metadata.issuer,
            instance_name: metadata.instance_name.as_deref(),
            bound_to,
        };
        Ok(id_token::verify(jwt, &key, &expected, self.clock.now_seconds())?)
    }

    /// The person as the token and Graph describe them.
    async fn described(
        &self,
        settings: &EntraSettings,
        id_token: IdToken,
        tokens: Tokens,
        challenge_answered: bool,
    ) -> Result<SignedIn, EntraError> {
        let claims = id_token.claims();
        let guest = email::is_guest(claims, settings.directory_id);
        let mut found = email::in_token(claims, guest, settings);
        let mut groups = Groups::NotAsked;
        // Without `support_groups` the access token has no permission that Graph would answer to.
        if settings.support_groups {
            let mut graph = Graph::new(&self.outbound, &settings.cloud.graph, &tokens.access);
            if found.email.is_none() {
                let name = match graph.principal_name().await {
                    Err(GraphFailed::ClaimsChallenge(claims)) if !challenge_answered => {
                        return Err(EntraError::ClaimsChallenge(claims));
                    }
                    name => name.ok().flatten(),
                };
                found = email::or_principal_name(found, name.as_deref(), claims, guest, settings);
            }
            groups = match groups::read(&mut graph).await {
                Ok(groups) => groups,
                Err(GraphFailed::ClaimsChallenge(claims)) if !challenge_answered => {
                    return Err(EntraError::ClaimsChallenge(claims));
                }
                Err(failure) => Groups::Unknown {
                    partial: Vec::new(),
                    reason: failure.to_string(),
                },
            };
        }
        let text = |name: &str| claims.text(name).map(str::to_owned);
        let texts =
            |name: &str| -> Vec<String> { claims.texts(name).into_iter().map(str::to_owned).collect() };
        Ok(SignedIn {
            person: id_token.person(),
            email: found.email,
            email_steps: found.steps,
            name: text("name"),
            given_name: text("given_name"),
            family_name: text("family_name"),
            guest,
            groups,
            amr: texts("amr"),
            contexts: settings.conditional_access_enabled.then(|| texts("acrs")),
            claims: claims.select(&settings.claims),
            provider_session: text("sid"),
            login_hint: text("login_hint"),
            granted: tokens.scopes.map(|scopes| permissions(&scopes)),
            refresh_token: tokens.refresh,
        })
    }

    async fn metadata(&self, settings: &EntraSettings) -> Result<Arc<Metadata>, EntraError> {
        let directory = Directory::of(settings);
        let fetch = || discovery::fetch(self.outbound.clone(), directory);
        let remembered = self.remembered(settings);
        remembered.metadata.get(self.clock.now_ms(), fetch).await
    }

    fn remembered(&self, settings: &EntraSettings) -> Arc<Remembered> {
        let directory = Directory::of(settings);
        let fresh = || {
            Ok::<_, std::convert::Infallible>(Arc::new(Remembered {
                metadata: Arc::new(Cached::new()),
                keys: Arc::new(Cached::new()),
            }))
        };
        match self.directories.get_or_insert_with(&directory, fresh) {
            Ok(remembered) => remembered,
            Err(never) => match never {},
        }
    }
}

/// The scopes besides `openid`. Those of Graph are written out: short names mean the public cloud's Graph everywhere.
pub(super) fn scopes(settings: &EntraSettings) -> Vec<String> {
    let of_graph = |name: &str| format!("{}/{name}", base(&settings.cloud.graph));
    let mut scopes: Vec<String> = ["profile", "email", "offline_access"].map(str::to_owned).into();
    if settings.support_groups {
        scopes.push(of_graph("User.Read"));
        scopes.push(of_graph("GroupMember.Read.All"));
    }
    for scope in &settings.scopes {
        let scope = if scope.contains("://") {
            scope.clone()
        } else {
            of_graph(scope)
        };
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes
}

/// Scopes by the names of their permissions: `https://graph.microsoft.com/User.Read` is `User.Read`.
pub(super) fn permissions(scopes: &[String]) -> Vec<String> {
    let name = |scope: &String| scope.rsplit('/').next().unwrap_or_default().to_owned();
    scopes.iter().map(name).collect()
}

fn core_prompt(prompt: Prompt) -> CoreAuthPrompt {
    match prompt {
        Prompt::Login => CoreAuthPrompt::Login,
        Prompt::SelectAccount => CoreAuthPrompt::SelectAccount,
        Prompt::None => CoreAuthPrompt::None,
    }
}

#[cfg(test)]
mod tests;
