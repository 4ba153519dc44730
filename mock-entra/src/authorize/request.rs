//! Reading the authorize request, with every check Microsoft makes before anybody signs in.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::Stop;
use super::reply::{Mode, ReplyTo};
use crate::aadsts::Refusal;
use crate::directory::{AppRegistration, Tenant};
use crate::discovery::is_alias;
use crate::grants::Challenge;
use crate::params::Params;
use crate::scope::Scopes;
use crate::server::Context;

/// The longest query accepted, in bytes. Microsoft publishes no figure (AADSTS90015 is known for long `state`
/// values): this one leaves room for every documented parameter and 2 kB of state.
const LONGEST_QUERY: usize = 6_000;

/// Length of a PKCE challenge in characters (RFC 7636 §4.2).
const CHALLENGE_LENGTH: std::ops::RangeInclusive<usize> = 43..=128;

/// The tenant of the address; none for an alias.
type Home = Option<Arc<Tenant>>;

/// `prompt`, as far as it changes what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// Nothing said: a session is enough, else the page.
    IfNeeded,
    /// `none`: a session or an error.
    Never,
    /// `login`: credentials, whatever session there is.
    Login,
    /// `select_account`: the list of accounts, whatever session there is.
    SelectAccount,
    /// `consent`: the consent page after signing in.
    Consent,
}

/// A request that passed all checks.
pub(crate) struct AuthorizeRequest {
    /// The tenants whose people may sign in: one, or all for an alias.
    pub(crate) tenants: Vec<Arc<Tenant>>,
    /// The application.
    pub(crate) app: AppRegistration,
    /// Where the answer goes.
    pub(crate) reply: ReplyTo,
    /// What is asked for.
    pub(crate) scopes: Scopes,
    /// The client's nonce.
    pub(crate) nonce: Option<String>,
    /// The PKCE challenge.
    pub(crate) challenge: Option<Challenge>,
    /// How much the person is to be bothered.
    pub(crate) prompt: Prompt,
    /// Who is expected to sign in.
    pub(crate) login_hint: Option<String>,
    /// Authentication contexts asked for.
    pub(crate) contexts: BTreeSet<String>,
    /// Whether the client understands claims challenges.
    pub(crate) understands_challenges: bool,
    /// How old the sign-in may be, in seconds.
    pub(crate) max_age: Option<i64>,
}

impl AuthorizeRequest {
    /// Reads and checks. Until client and redirect address are known to belong together, refusals stay on the page.
    pub(crate) fn read(context: &Context, segment: &str, query: &str, params: &Params) -> Result<Self, Stop> {
        let (mut tenants, home) = tenants(context, segment)?;
        let app = application(context, home.as_deref(), params)?;
        let reply = reply_to(&app, params)?;
        let refuse = |refusal: Refusal| Stop::in_place(refusal, &reply);
        if home.is_none() && !app.multi_tenant {
            return Err(refuse(Refusal::new(50194).app(&app)));
        }
        if query.len() > LONGEST_QUERY {
            return Err(refuse(Refusal::new(90015)));
        }
        if let Some(name) = params.repeated() {
            return Err(refuse(Refusal::new(9_002_313).value(name)));
        }
        if !app.enabled {
            return Err(refuse(Refusal::new(7_000_112).app(&app)));
        }
        if params.find("resource").is_some() {
            return Err(refuse(Refusal::new(901_002)));
        }
        response_type(params, &app).map_err(refuse)?;
        let scopes = scopes(context, home.as_deref(), &tenants, params, &app).map_err(refuse)?;
        let prompt = prompt(params).map_err(refuse)?;
        let challenge = challenge(params, &app).map_err(refuse)?;
        let claims = claims(params).map_err(refuse)?;
        let max_age = max_age(params).map_err(refuse)?;
        if let Some(domain) = params.find("domain_hint").filter(|_| tenants.len() > 1) {
            tenants.retain(|tenant| tenant.is_called(domain) || is_alias(domain));
        }
        Ok(Self {
            contexts: requested_contexts(&claims),
            understands_challenges: understands_challenges(&claims),
            nonce: params.find("nonce").map(str::to_owned),
            login_hint: params.find("login_hint").map(str::to_owned),
            tenants,
            app,
            reply: reply.clone(),
            scopes,
            challenge,
            prompt,
            max_age,
        })
    }
}

/// The tenants a segment opens, and the one it names, if it names one.
fn tenants(context: &Context, segment: &str) -> Result<(Vec<Arc<Tenant>>, Home), Stop> {
    if is_alias(segment) {
        return Ok((context.directory.tenants(), None));
    }
    match context.directory.find_tenant(segment) {
        Some(tenant) => Ok((vec![Arc::clone(&tenant)], Some(tenant))),
        None => Err(Stop::on_page(Refusal::new(90002).tenant(segment))),
    }
}

fn application(context: &Context, home: Option<&Tenant>, params: &Params) -> Result<AppRegistration, Stop> {
    let Some(client_id) = params.find("client_id") else {
        return Err(Stop::on_page(Refusal::new(900_144).value("client_id")));
    };
    context.directory.app_in(home, client_id).ok_or_else(|| {
        let tenant = home.map_or("common", |tenant| tenant.name.as_str());
        Stop::on_page(Refusal::new(700_016).client_id(client_id).tenant(tenant))
    })
}

/// The redirect address is compared byte by byte: case, slash, port and all.
/// <https://learn.microsoft.com/entra/identity-platform/reply-url>
fn reply_to(app: &AppRegistration, params: &Params) -> Result<ReplyTo, Stop> {
    let Some(redirect_uri) = params.find("redirect_uri") else {
        return Err(Stop::on_page(Refusal::new(900_971).app(app)));
    };
    if !app.redirect_uris.contains(redirect_uri) {
        return Err(Stop::on_page(Refusal::new(50011).app(app).value(redirect_uri)));
    }
    let mut reply = ReplyTo {
        redirect_uri: redirect_uri.to_owned(),
        mode: Mode::Query,
        state: params.find("state").map(str::to_owned),
    };
    reply.mode = match params.find("response_mode") {
        None | Some("query") => Mode::Query,
        Some("fragment") => Mode::Fragment,
        Some("form_post") => Mode::FormPost,
        Some(_) => return Err(Stop::in_place(Refusal::new(90023).value("response_mode"), &reply)),
    };
    Ok(reply)
}

fn response_type(params: &Params, app: &AppRegistration) -> Result<(), Refusal> {
    match params.find("response_type") {
        Some("code") => Ok(()),
        None => Err(Refusal::new(900_144).value("response_type")),
        Some(other) if other.split(' ').any(|part| part == "id_token" || part == "token") => {
            // The implicit flow has to be switched on in the registration; the mock does not offer it.
            Err(Refusal::new(700_054).app(app).value(other))
        }
        Some(other) => Err(Refusal::new(70005).value(other)),
    }
}

fn scopes(
    context: &Context,
    home: Option<&Tenant>,
    tenants: &[Arc<Tenant>],
    params: &Params,
    app: &AppRegistration,
) -> Result<Scopes, Refusal> {
    let scope = params
        .find("scope")
        .ok_or_else(|| Refusal::new(900_144).value("scope"))?;
    let registered = tenants
        .iter()
        .find(|tenant| tenant.apps.contains_key(&app.client_id))
        .map(Arc::as_ref);
    match home.or(registered) {
        Some(tenant) => Scopes::parse(scope, &context.base_url, tenant, app),
        None => Err(Refusal::new(700_016).client_id(&app.client_id)),
    }
}

fn prompt(params: &Params) -> Result<Prompt, Refusal> {
    match params.find("prompt") {
        None => Ok(Prompt::IfNeeded),
        Some("none") => Ok(Prompt::Never),
        Some("login") => Ok(Prompt::Login),
        Some("select_account") => Ok(Prompt::SelectAccount),
        Some("consent") => Ok(Prompt::Consent),
        Some(_) => Err(Refusal::new(90023).value("prompt")),
    }
}

fn challenge(params: &Params, app: &AppRegistration) -> Result<Option<Challenge>, Refusal> {
    let Some(challenge) = params.find("code_challenge") else {
        if app.require_pkce {
            return Err(Refusal::new(9_002_325));
        }
        return Ok(None);
    };
    if !CHALLENGE_LENGTH.contains(&challenge.len()) {
        return Err(Refusal::new(501_491));
    }
    match params.find("code_challenge_method") {
        Some("S256") => Ok(Some(Challenge::S256(challenge.to_owned()))),
        // RFC 7636 §4.3: without a method the challenge is the verifier itself.
        None | Some("plain") => Ok(Some(Challenge::Plain(challenge.to_owned()))),
        Some(_) => Err(Refusal::new(90023).value("code_challenge_method")),
    }
}

fn claims(params: &Params) -> Result<Value, Refusal> {
    let Some(text) = params.find("claims") else {
        return Ok(Value::Null);
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(parts)) if parts.iter().all(is_part) => Ok(Value::Object(parts)),
        _ => Err(Refusal::new(90100).value("claims")),
    }
}

/// One part of the `claims` parameter: whose claims they are, and each of them with nothing but its three members
/// (OpenID Connect Core §5.5). A context is asked for by its id.
fn is_part((whose, claims): (&String, &Value)) -> bool {
    let is_member = |(name, value): (&String, &Value)| match name.as_str() {
        "essential" => value.is_boolean(),
        "value" => value.is_string(),
        "values" => value
            .as_array()
            .is_some_and(|values| !values.is_empty() && values.iter().all(Value::is_string)),
        _ => false,
    };
    let is_request = |(name, request): (&String, &Value)| {
        let well_formed = request.is_null()
            || request
                .as_object()
                .is_some_and(|request| request.iter().all(is_member));
        well_formed && (name != "acrs" || contexts_in(request).all(is_context_id))
    };
    matches!(whose.as_str(), "id_token" | "access_token" | "userinfo")
        && claims
            .as_object()
            .is_some_and(|claims| claims.iter().all(is_request))
}

/// `c1` to `c99`.
fn is_context_id(id: &str) -> bool {
    let number = id.strip_prefix('c').unwrap_or_default();
    !number.starts_with('0') && matches!(number.parse(), Ok(1..=99_u8)) && !number.starts_with('+')
}

fn max_age(params: &Params) -> Result<Option<i64>, Refusal> {
    let Some(text) = params.find("max_age") else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|_| Refusal::new(90100).value("max_age"))
}

/// `{"id_token":{"acrs":{"essential":true,"value":"c1"}}}`, also with `values`.
/// <https://learn.microsoft.com/entra/identity-platform/developer-guide-conditional-access-authentication-context>
fn requested_contexts(claims: &Value) -> BTreeSet<String> {
    let request = claims.pointer("/id_token/acrs").unwrap_or(&Value::Null);
    contexts_in(request).map(str::to_owned).collect()
}

fn contexts_in(request: &Value) -> impl Iterator<Item = &str> {
    let many = request.get("values").and_then(Value::as_array);
    let one = request.get("value").into_iter();
    one.chain(many.into_iter().flatten()).filter_map(Value::as_str)
}

/// `{"access_token":{"xms_cc":{"values":["cp1"]}}}`.
/// <https://learn.microsoft.com/entra/identity-platform/claims-challenge>
pub(crate) fn understands_challenges(claims: &Value) -> bool {
    let capabilities = claims
        .pointer("/access_token/xms_cc/values")
        .and_then(Value::as_array);
    capabilities.is_some_and(|values| values.iter().any(|value| value == "cp1"))
}
