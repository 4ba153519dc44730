//! Identity providers of type `azureAD`, with our own keys.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use crate::model::duration::GoDuration;
use crate::model::idp::{ClientCredential, Cloud, EntraSettings, IdentityProvider, Prompt, RefreshCheck};
use crate::model::ids::{IdpId, TenantId};
use crate::snapshot::secrets::{CERTIFICATE_KEY, CLIENT_SECRET, NEXT_CLIENT_SECRET};

use super::object::{Object, Problem, Problems};
use super::scim_config::{directory_sync, scim_config};

/// The cloud of providers that name none.
const WORLDWIDE: &str = "default";

/// Reads an identity provider. `secrets` are those taken out of the object, by the key that held them.
///
/// # Errors
/// Every problem found.
pub fn identity_provider(
    id: IdpId,
    body: &Value,
    secrets: &BTreeMap<String, SecretString>,
    clouds: &BTreeMap<String, Cloud>,
) -> Result<IdentityProvider, Vec<Problem>> {
    let problems = Problems::default();
    let provider = Object::new(body, "", &problems).and_then(|object| read(id, &object, secrets, clouds));
    problems.or_value(provider)
}

fn read(
    id: IdpId,
    object: &Object<'_>,
    secrets: &BTreeMap<String, SecretString>,
    clouds: &BTreeMap<String, Cloud>,
) -> Option<IdentityProvider> {
    let name = object.needed_text("name");
    if object.needed_text("type").is_some_and(|kind| kind != "azureAD") {
        object.problem("type", "this version has providers of type azureAD only");
    }
    let config = object.below(object.need("config")?, "/config")?;
    let entra = settings(&config, secrets, clouds);
    let scim = scim_config(object, secrets);
    let sync = directory_sync(object, scim.is_some());
    Some(IdentityProvider {
        id,
        name: name?.to_owned(),
        entra: entra?,
        scim,
        sync,
    })
}

fn settings(
    config: &Object<'_>,
    secrets: &BTreeMap<String, SecretString>,
    clouds: &BTreeMap<String, Cloud>,
) -> Option<EntraSettings> {
    let flag = |key, default| config.flag(key).unwrap_or(default);
    let text = |key| config.text(key).map(str::to_owned);
    let client_id = config.needed_text("client_id");
    let directory_id = config.needed::<TenantId>("directory_id");
    let credential = credential(config, secrets);
    let secret_expires_at = config.parsed("client_secret_expires_at");
    let cloud = cloud(config, clouds);
    let prompt = prompt(config);
    let refresh_check = refresh_check(config);
    Some(EntraSettings {
        client_id: client_id?.to_owned(),
        directory_id: directory_id?,
        credential: credential?,
        secret_expires_at,
        cloud: cloud?,
        support_groups: flag("support_groups", false),
        conditional_access_enabled: flag("conditional_access_enabled", false),
        pkce_enabled: flag("pkce_enabled", true),
        email_claim_name: text("email_claim_name"),
        claims: config.list("claims"),
        prompt,
        domain_hint: text("domain_hint"),
        scopes: config.list("scopes"),
        trust_guest_email: flag("trust_guest_email", false),
        refresh_check,
        custom_signing_key: flag("custom_signing_key", false),
    })
}

/// How long sessions go on where Microsoft cannot be asked, if nothing else is said.
const USUAL_GRACE: Duration = Duration::from_hours(4);
/// More often is more than Microsoft's token endpoint is there for.
const SHORTEST_CHECK: Duration = Duration::from_mins(1);

fn refresh_check(config: &Object<'_>) -> Option<RefreshCheck> {
    let every = config.parsed::<GoDuration>("refresh_check")?.length();
    let grace = config.parsed::<GoDuration>("refresh_check_grace");
    if every < SHORTEST_CHECK {
        config.problem("refresh_check", "a minute is the least");
        return None;
    }
    Some(RefreshCheck {
        every,
        grace: grace.map_or(USUAL_GRACE, |grace| grace.length()),
    })
}

/// How the client proves itself: one way, or the provider is not usable.
fn credential(config: &Object<'_>, secrets: &BTreeMap<String, SecretString>) -> Option<ClientCredential> {
    let secret = secrets.get(CLIENT_SECRET);
    let certificate = config.given("client_certificate");
    let token_file = config.text("federated_token_file");
    match (secret, certificate, token_file) {
        (Some(current), None, None) => Some(ClientCredential::Secret {
            current: current.clone(),
            next: secrets.get(NEXT_CLIENT_SECRET).cloned(),
        }),
        (None, Some(certificate), None) => {
            let certificate = config.below(certificate, "/config/client_certificate")?;
            let pem = certificate.needed_text("certificate");
            let key = secrets.get(CERTIFICATE_KEY);
            if key.is_none() {
                certificate.problem("key", "it is missing");
            }
            Some(ClientCredential::Certificate {
                certificate: pem?.to_owned(),
                key: key?.clone(),
            })
        }
        (None, None, Some(path)) => Some(ClientCredential::FederatedTokenFile(path.into())),
        (None, None, None) => {
            config.problem(CLIENT_SECRET, "it is missing");
            None
        }
        _ => {
            config.problem(
                CLIENT_SECRET,
                "the client proves itself by one of client_secret, client_certificate and federated_token_file",
            );
            None
        }
    }
}

fn cloud(config: &Object<'_>, clouds: &BTreeMap<String, Cloud>) -> Option<Cloud> {
    let key = config.text("azure_cloud").unwrap_or(WORLDWIDE);
    let cloud = clouds.get(key);
    if cloud.is_none() {
        config.problem("azure_cloud", format!("no cloud is called {key}"));
    }
    cloud.cloned()
}

fn prompt(config: &Object<'_>) -> Option<Prompt> {
    match config.text("prompt")? {
        "login" => return Some(Prompt::Login),
        "select_account" => return Some(Prompt::SelectAccount),
        "none" => return Some(Prompt::None),
        _ => config.problem("prompt", "one of login, select_account and none is needed"),
    }
    None
}
