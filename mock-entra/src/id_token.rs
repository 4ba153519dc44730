//! ID tokens, claim by claim as Entra's version 2.0 makes them.
//!
//! <https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference>,
//! <https://learn.microsoft.com/entra/identity-platform/optional-claims-reference>

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use serde_json::{Map, Value, json};

use crate::aadsts::Refusal;
use crate::directory::{AppRegistration, Tenant, User};
use crate::discovery::issuer;
use crate::faults::{Fault, IdTokenFault};
use crate::grants::Login;
use crate::jose::{base64url, signing_input, with_signature};
use crate::keys::SigningKey;
use crate::random;
use crate::server::Context;

/// Tokens are stamped as made this many seconds ago, as seen at Microsoft.
const BACK_DATED: i64 = 300;

/// `exp - iat` in seconds, as seen at Microsoft.
const LIFE: i64 = 3_900;

/// Most groups a token lists; above it they are left to Graph.
/// <https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference#groups-overage-claim>
const MOST_GROUPS: usize = 200;

/// Who signed in where, and how.
pub(crate) struct Subject<'a> {
    /// The tenant signed in to.
    pub(crate) tenant: &'a Tenant,
    /// The person.
    pub(crate) user: &'a User,
    /// The application.
    pub(crate) app: &'a AppRegistration,
    /// The sign-in.
    pub(crate) login: &'a Login,
    /// The nonce of the authorize request; none on refresh.
    pub(crate) nonce: Option<&'a str>,
}

/// Makes the token, with the fault that waits for it, if any.
pub(crate) fn issue(context: &Context, subject: &Subject<'_>) -> Result<String, Refusal> {
    let broken = |_| Refusal::new(50000);
    let fault = context.directory.lock().faults.strike(|fault| match fault {
        Fault::IdToken(fault) => Some(fault.clone()),
        _ => None,
    });
    let keys = context.directory.keys_for(Some(subject.app)).map_err(broken)?;
    let key = keys.current().ok_or_else(|| Refusal::new(50000))?;
    let mut claims = claims(subject, context.directory.now(), &context.base_url);
    match fault {
        None => Ok(key.sign(&Value::Object(claims))),
        Some(IdTokenFault::AlgNone) => Ok(unsigned(&claims.into())),
        Some(IdTokenFault::Hs256) => Ok(with_public_key_as_secret(&key, &claims.into())),
        Some(IdTokenFault::UnknownKey) => Ok(SigningKey::generate()
            .map_err(broken)?
            .sign(&Value::Object(claims))),
        Some(other) => {
            spoil(&mut claims, other, context);
            Ok(key.sign(&Value::Object(claims)))
        }
    }
}

/// The claim `sub`: the same person has another one in every application.
pub(crate) fn pairwise_subject(tenant: &Tenant, app: &AppRegistration, user: &User) -> String {
    base64url(digest(
        &SHA256,
        format!("{}|{}|{}", tenant.id, app.client_id, user.oid).as_bytes(),
    ))
}

fn claims(subject: &Subject<'_>, now: i64, base_url: &str) -> Map<String, Value> {
    let Subject {
        tenant,
        user,
        app,
        login,
        nonce,
    } = subject;
    let issued = now.saturating_sub(BACK_DATED);
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("aud", json!(app.client_id));
    put("iss", json!(issuer(base_url, &tenant.id)));
    put("iat", json!(issued));
    put("nbf", json!(issued));
    put("exp", json!(issued.saturating_add(LIFE)));
    put("aio", json!(random::opaque()));
    if let Some(nonce) = nonce {
        put("nonce", json!(nonce));
    }
    put("rh", json!(format!("1.{}.", random::opaque())));
    put("sub", json!(pairwise_subject(tenant, app, user)));
    put("tid", json!(tenant.id));
    put("uti", json!(random::opaque()));
    put("ver", json!("2.0"));
    if let Some(idp) = &user.idp {
        put("idp", json!(idp));
    }
    if login.scopes.has("profile") {
        put("oid", json!(user.oid));
        put("name", json!(user.name));
        put("preferred_username", json!(user.shown_name()));
    }
    address(subject, &mut claims);
    session(subject, &mut claims);
    optional(subject, &mut claims);
    groups(subject, &mut claims);
    claims
}

/// `email` and what vouches for it. Guests bring their address along; members' goes out when asked for.
fn address(subject: &Subject<'_>, claims: &mut Map<String, Value>) {
    let Subject {
        tenant,
        user,
        app,
        login,
        ..
    } = subject;
    let Some(mail) = &user.mail else { return };
    if user.guest || app.wants("email") || login.scopes.has("email") {
        claims.insert("email".to_owned(), json!(mail));
        if app.wants("xms_edov") {
            claims.insert("xms_edov".to_owned(), json!(vouched_for(tenant, user)));
        }
    }
    if app.wants("verified_primary_email") && vouched_for(tenant, user) {
        claims.insert("verified_primary_email".to_owned(), json!([mail]));
    }
    if app.wants("verified_secondary_email") && !user.other_mails.is_empty() {
        claims.insert("verified_secondary_email".to_owned(), json!(user.other_mails));
    }
}

/// Whether the owner of the address' domain is known to Microsoft: a domain of the tenant, or a guest's own
/// provider.
fn vouched_for(tenant: &Tenant, user: &User) -> bool {
    let domain = user
        .mail
        .as_deref()
        .and_then(|mail| mail.rsplit_once('@'))
        .map_or("", |(_, domain)| domain);
    let own = tenant
        .domains
        .iter()
        .any(|known| known.eq_ignore_ascii_case(domain));
    user.domain_owner_verified.unwrap_or(own || user.guest)
}

/// What tells one sign-in from another.
fn session(subject: &Subject<'_>, claims: &mut Map<String, Value>) {
    let Subject { user, app, login, .. } = subject;
    let mut contexts = login.contexts.clone();
    if app.wants("acrs") {
        contexts.extend(user.satisfied_contexts.iter().cloned());
    }
    if !contexts.is_empty() {
        claims.insert("acrs".to_owned(), json!(contexts));
    }
    let candidates = [
        ("auth_time", json!(login.auth_time)),
        ("sid", json!(login.sid)),
        ("login_hint", json!(user.login_hint())),
    ];
    claims.extend(wanted(app, candidates));
}

/// The remaining optional claims, and mapped ones by the names the person has values for.
fn optional(subject: &Subject<'_>, claims: &mut Map<String, Value>) {
    let Subject {
        tenant,
        user,
        app,
        login,
        ..
    } = subject;
    claims.extend(wanted(
        app,
        [
            ("acct", json!(u8::from(user.guest))),
            ("tenant_region_scope", json!("NA")),
            ("tenant_ctry", json!("US")),
        ],
    ));
    if let Some(upn) = upn(app, user) {
        claims.insert("upn".to_owned(), json!(upn));
    }
    if login.scopes.has("profile") {
        let names = [("given_name", &user.given_name), ("family_name", &user.surname)];
        let names = names
            .into_iter()
            .filter_map(|(name, value)| Some((name, json!(value.as_ref()?))));
        claims.extend(wanted(app, names));
    }
    let own = user
        .claims
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()));
    claims.extend(wanted(app, own));
    let roles = tenant.roles(app, user);
    if !roles.is_empty() {
        claims.insert("roles".to_owned(), json!(roles));
    }
}

/// A guest's user principal name goes out only with an additional property, which may replace the hash signs.
fn upn(app: &AppRegistration, user: &User) -> Option<String> {
    if !app.wants("upn") {
        return None;
    }
    if !user.guest || app.wants("include_externally_authenticated_upn") {
        return Some(user.upn.clone());
    }
    app.wants("include_externally_authenticated_upn_without_hash")
        .then(|| user.upn.replace('#', "_"))
}

fn groups(subject: &Subject<'_>, claims: &mut Map<String, Value>) {
    let Subject {
        tenant, user, app, ..
    } = subject;
    let groups = tenant.groups_for_claim(app, user);
    if groups.is_empty() {
        return;
    }
    if groups.len() <= MOST_GROUPS {
        claims.insert("groups".to_owned(), json!(groups));
        return;
    }
    // The address is the one of the retired Azure AD Graph, at Microsoft too.
    let endpoint = format!(
        "https://graph.windows.net/{}/users/{}/getMemberObjects",
        tenant.id, user.oid
    );
    claims.insert("_claim_names".to_owned(), json!({ "groups": "src1" }));
    claims.insert(
        "_claim_sources".to_owned(),
        json!({ "src1": { "endpoint": endpoint } }),
    );
}

fn wanted<'a>(
    app: &AppRegistration,
    candidates: impl IntoIterator<Item = (&'a str, Value)>,
) -> Vec<(String, Value)> {
    let wanted = candidates.into_iter().filter(|(name, _)| app.wants(name));
    wanted.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn spoil(claims: &mut Map<String, Value>, fault: IdTokenFault, context: &Context) {
    /// A GUID that belongs to nobody.
    const STRANGER: &str = "0e0e0e0e-0000-4000-8000-00000000dead";
    /// An hour and more: beyond every tolerance.
    const FAR: i64 = 7_200;
    let now = context.directory.now();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    match fault {
        IdTokenFault::WrongNonce => drop(put("nonce", json!(random::opaque()))),
        IdTokenFault::WrongAudience => drop(put("aud", json!(STRANGER))),
        IdTokenFault::WrongIssuer => drop(put("iss", json!("https://login.attacker.example/v2.0"))),
        IdTokenFault::OtherTenant => {
            put("tid", json!(STRANGER));
            put("iss", json!(issuer(&context.base_url, STRANGER)));
        }
        IdTokenFault::Expired => {
            put("iat", json!(now.saturating_sub(FAR)));
            put("nbf", json!(now.saturating_sub(FAR)));
            put("exp", json!(now.saturating_sub(FAR / 2)));
        }
        IdTokenFault::NotYetValid => drop(put("nbf", json!(now.saturating_add(FAR / 2)))),
        IdTokenFault::NoOid => drop(claims.remove("oid")),
        IdTokenFault::ExtraClaims(extra) => claims.extend(extra),
        IdTokenFault::AlgNone | IdTokenFault::Hs256 | IdTokenFault::UnknownKey => {}
    }
}

fn unsigned(claims: &Value) -> String {
    with_signature(
        &signing_input(&json!({ "typ": "JWT", "alg": "none" }), claims),
        b"",
    )
}

/// The classic confusion: the public key taken as an HMAC secret.
fn with_public_key_as_secret(key: &SigningKey, claims: &Value) -> String {
    let input = signing_input(&json!({ "typ": "JWT", "alg": "HS256", "kid": key.kid() }), claims);
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, &key.modulus()),
        input.as_bytes(),
    );
    with_signature(&input, tag.as_ref())
}
