//! Identity providers of type `azureAD`
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/identity_providers/>).

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call, Content};
use super::error::{ApiError, Unknown};
use super::five::Five;
use super::operation::Operation;
use super::page::{Page, Sizes};
use super::resource::{self, Around, Before, Resource, Shown, name_of};
use super::shape::{Shape, Taken, UnknownKeys, What, needed, optional, read_only, secret};
use crate::crypto::digest::sha256_hex;
use crate::manage::{Draft, ManageError, provisions};
use crate::model::ids::IdpId;
use crate::model::organization::AuthUrl;
use crate::model::permission::Area;
use crate::model::scim::IdentityUpdate;
use crate::snapshot::read::Problem;
use crate::snapshot::secrets::{CERTIFICATE_KEY, CLIENT_SECRET, NEXT_CLIENT_SECRET};
use crate::store::{Document, Kind};

const CERTIFICATE: Shape = Shape {
    name: "ClientCertificate",
    keys: &[needed("certificate", What::Text), secret("key")],
    unknown: UnknownKeys::Refused,
};
const CONFIG: Shape = Shape {
    name: "IdentityProviderConfig",
    keys: &[
        needed("client_id", What::Id),
        secret("client_secret"),
        secret("next_client_secret"),
        optional("client_secret_expires_at", What::Time),
        optional("client_certificate", What::Object(&CERTIFICATE)),
        needed("directory_id", What::Id),
        optional("support_groups", What::Flag),
        optional("conditional_access_enabled", What::Flag),
        optional("pkce_enabled", What::Flag),
        optional("email_claim_name", What::Text),
        optional("claims", What::Texts),
        optional("prompt", What::Word(&["login", "select_account", "none"])),
        optional("domain_hint", What::Text),
        optional("azure_cloud", What::Text),
        optional("scopes", What::Texts),
        optional("trust_guest_email", What::Flag),
        optional("custom_signing_key", What::Flag),
        optional("refresh_check", What::Text),
        optional("refresh_check_grace", What::Text),
        read_only("redirect_url", What::Text),
    ],
    unknown: UnknownKeys::Refused,
};
/// The words of `identity_update_behavior`.
const BEHAVIORS: &[&str] = &{
    let [(first, _), (second, _), (third, _)] = IdentityUpdate::WORDS;
    [first, second, third]
};

/// What follows from what a directory tells, however it tells of it, with keys of its own.
macro_rules! directory_shape {
    ($name:literal, $($own:expr),+) => {
        Shape {
            name: $name,
            keys: &[
                optional("enabled", What::Flag),
                optional("user_deprovision", What::Flag),
                optional("seat_deprovision", What::Flag),
                optional("group_member_deprovision", What::Flag),
                optional("identity_update_behavior", What::Word(BEHAVIORS)),
                optional("reactivate_on_login", What::Flag),
                optional("silence_alarm", What::Text),
                optional("log_retention", What::Text),
                $($own),+
            ],
            unknown: UnknownKeys::Refused,
        }
    };
}
const SCIM: Shape = directory_shape!(
    "ScimConfig",
    read_only("secret", What::Text),
    read_only("scim_base_url", What::Text)
);
const SYNC: Shape = directory_shape!("DirectorySync", optional("interval", What::Text));

pub(super) const SHAPE: Shape = Shape {
    name: "IdentityProvider",
    keys: &[
        read_only("id", What::Id),
        read_only("uid", What::Id),
        read_only("version", What::Text),
        needed("name", What::Text),
        needed("type", What::Word(&["azureAD"])),
        needed("config", What::Object(&CONFIG)),
        optional("scim_config", What::Object(&SCIM)),
        optional("directory_sync", What::Object(&SYNC)),
        read_only("scim_base_url", What::Text),
        read_only("read_only", What::Flag),
        read_only("created_at", What::Time),
        read_only("updated_at", What::Time),
    ],
    unknown: UnknownKeys::Kept,
};

/// The parameter of paths that holds a provider's id.
pub(super) const PARAM: &str = "identity_provider_id";

struct IdentityProviders;

impl Resource for IdentityProviders {
    const KIND: Kind = Kind::IdentityProvider;
    const UNKNOWN: Unknown = Unknown::IdentityProvider;
    const SHAPE: &'static Shape = &SHAPE;
    const SIZES: Sizes = Sizes {
        usual: 200,
        most: 1000,
    };
    const PARAM: &'static str = PARAM;

    fn draft(_: &Call<'_>, mut taken: Taken, before: Option<Before<'_>>) -> Result<Draft, Vec<Problem>> {
        leave_out_empty(&mut taken.body);
        let held = before.map(|before| before.secrets).unwrap_or_default();
        Ok(Draft {
            name: name_of(&taken.body),
            secrets: secrets(taken.secrets, held, &taken.body),
            body: Value::Object(taken.body),
        })
    }

    fn present(around: &Around<'_>, document: &Document) -> Value {
        show(document, &around.snapshot.organization.auth)
    }
}

/// Texts of which there are a few. The empty one is none of them, and means what it means not to say it: shown again, it
/// would make official clients take the answer for another type of provider.
const WORDS: &[(&str, &str)] = &[
    ("config", "prompt"),
    ("config", "azure_cloud"),
    ("scim_config", "identity_update_behavior"),
    ("directory_sync", "identity_update_behavior"),
];

fn leave_out_empty(body: &mut Map<String, Value>) {
    for (place, key) in WORDS {
        if let Some(Value::Object(below)) = body.get_mut(*place)
            && below.get(*key).is_some_and(|word| word == "")
        {
            below.shift_remove(*key);
        }
    }
}

fn show(document: &Document, auth: &AuthUrl) -> Value {
    let mut config = document
        .body
        .get("config")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for (key, value) in [
        ("azure_cloud", json!("default")),
        ("conditional_access_enabled", json!(false)),
        ("support_groups", json!(false)),
    ] {
        config.entry(key).or_insert(value);
    }
    config.insert("redirect_url".to_owned(), String::from(auth.callback()).into());
    let shown = Shown::begin(&["id", "uid"], document)
        .with("config", config)
        .with("version", version(document));
    // It is told of every provider, written or not: Terraform sends `{}` for what it was never told of, and takes an
    // answer that has more than that for a fault.
    let mut scim = document
        .body
        .get("scim_config")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for (key, value) in [
        ("enabled", json!(false)),
        ("user_deprovision", json!(false)),
        ("seat_deprovision", json!(false)),
        ("identity_update_behavior", json!("no_action")),
    ] {
        scim.entry(key).or_insert(value);
    }
    let base = auth.scim_base_url(IdpId(document.id));
    scim.insert("scim_base_url".to_owned(), base.clone().into());
    shown
        .with("scim_config", scim)
        .with("scim_base_url", base)
        .timed(document)
        .into_value()
}

async fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let Some(provisioned) = call.query.flag("scim_enabled")? else {
        return resource::list::<IdentityProviders>(call).await;
    };
    let page = Page::of(&call.query, IdentityProviders::SIZES)?;
    let around = call.around().await?;
    let all = Page {
        number: 1,
        size: u32::MAX,
    };
    let (mut found, _) = around.found(Kind::IdentityProvider, &call.query, all);
    found.retain(|object| provisions(&object.document().body) == provisioned);
    let (shown, total) = page.cut(found);
    Ok(around.page_of::<IdentityProviders>(page, &shown, total))
}

async fn create(call: &Call<'_>) -> Result<Answer, ApiError> {
    let made = resource::create::<IdentityProviders>(call).await?;
    with_first_secret(call, made).await
}

async fn update(call: &Call<'_>) -> Result<Answer, ApiError> {
    let id = IdentityProviders::id(call)?;
    let around = call.around().await?;
    let before = around.snapshot.objects.get(Kind::IdentityProvider, id);
    let did = before.is_some_and(|before| provisions(&before.document().body));
    let mut updated = resource::update::<IdentityProviders>(call).await?;
    let does = matches!(&updated.result, Content::Made(shown) if provisions(shown));
    if did && !does {
        let why = if call.object()?.contains_key("scim_config") {
            ""
        } else {
            "scim_config was left out, and what is left out is off: "
        };
        updated.messages.push(format!(
            "{why}the directory provisions no longer, and its secret is dead; turning it on again makes a new one"
        ));
    }
    let was_read = before.is_some_and(|before| is_read(&before.document().body));
    let is_left_out = !call.object()?.contains_key("directory_sync");
    if was_read && is_left_out && matches!(&updated.result, Content::Made(shown) if !is_read(shown)) {
        let why = "directory_sync was left out, and what is left out is off: the directory is read by Graph no longer";
        updated.messages.push(why.to_owned());
    }
    with_first_secret(call, updated).await
}

/// Whether a provider, as it is written, has its directory read by Graph.
fn is_read(provider: &Value) -> bool {
    provider
        .get("directory_sync")
        .is_some_and(|sync| sync.is_object() && sync.get("enabled") != Some(&Value::Bool(false)))
}

/// Where SCIM was turned on just now the directory's secret is made and told with the answer, this once.
async fn with_first_secret(call: &Call<'_>, mut answer: Answer) -> Result<Answer, ApiError> {
    let Content::Made(shown) = &answer.result else {
        return Ok(answer);
    };
    let id = shown.get("id").and_then(Value::as_str);
    let id = id.filter(|_| provisions(shown));
    let Some(id) = id.and_then(|id| Uuid::try_parse(id).ok()) else {
        return Ok(answer);
    };
    if call.api.store.scim_secret_hash(IdpId(id)).await?.is_some() {
        return Ok(answer);
    }
    let manage = &call.api.manage;
    match manage.refresh_scim_secret(IdpId(id), call.actor()).await {
        Ok(secret) => Ok(shown_with(call, id, &secret).await?.saying(answer.messages)),
        // The provider stands, so that no error may be answered for it.
        Err(ManageError::Store(error)) => {
            tracing::error!(request.id = call.request_id, provider.id = %id, %error, "No SCIM secret could be made");
            let why = "the directory's secret could not be made: ask for one by refresh_scim_secret";
            answer.messages.push(why.to_owned());
            Ok(answer)
        }
        Err(error) => Err(error.into()),
    }
}

/// A provider as it is shown.
pub(super) async fn shown(call: &Call<'_>, id: Uuid) -> Result<Value, ApiError> {
    let around = call.around().await?;
    let object = around.snapshot.objects.get(Kind::IdentityProvider, id);
    let object = object.ok_or_else(|| ApiError::unknown(Unknown::IdentityProvider))?;
    Ok(IdentityProviders::present(&around, &object.document()))
}

/// A provider with the secret of its directory, which is told this once.
pub(super) async fn shown_with(call: &Call<'_>, id: Uuid, secret: &SecretString) -> Result<Answer, ApiError> {
    let mut shown = shown(call, id).await?;
    if let Some(scim) = shown.get_mut("scim_config").and_then(Value::as_object_mut) {
        scim.insert("secret".to_owned(), secret.expose_secret().into());
    }
    Ok(Answer::of(shown))
}

/// What differs between any two states of a provider.
fn version(document: &Document) -> String {
    let mut version = sha256_hex(format!("{}/{}", document.id, document.version).as_bytes());
    version.truncate(32);
    version
}

/// Where secrets stand in a body, and what they are called beside it.
const SECRETS: &[(&str, &str)] = &[
    ("/config/client_secret", CLIENT_SECRET),
    ("/config/next_client_secret", NEXT_CLIENT_SECRET),
    ("/config/client_certificate/key", CERTIFICATE_KEY),
];

/// The secrets as they are to be: those sent, and those held that were not sent anew. Whoever turns to a certificate
/// gives up the secret, and the other way round.
fn secrets(
    mut sent: BTreeMap<String, SecretString>,
    held: BTreeMap<String, SecretString>,
    body: &Map<String, Value>,
) -> BTreeMap<String, SecretString> {
    let sent = SECRETS
        .iter()
        .filter_map(|(pointer, name)| Some(((*name).to_owned(), sent.remove(*pointer)?)));
    let mut secrets: BTreeMap<String, SecretString> = sent.collect();
    let certificate = body
        .get("config")
        .and_then(|config| config.get("client_certificate"));
    let by_certificate = certificate.is_some_and(|certificate| !certificate.is_null());
    let anew = secrets.contains_key(CLIENT_SECRET);
    for (name, secret) in held {
        let stays = match name.as_str() {
            CLIENT_SECRET => !by_certificate,
            // A new secret takes the place of the one that was to follow.
            NEXT_CLIENT_SECRET => !by_certificate && !anew,
            CERTIFICATE_KEY => by_certificate,
            _ => true,
        };
        if stays {
            secrets.entry(name).or_insert(secret);
        }
    }
    secrets
}

const ASKED: &[(&str, &str)] = &[
    ("page", "the page, from 1"),
    ("per_page", "items a page"),
    ("name", "the exact name"),
    ("search", "a part of the name"),
    (
        "scim_enabled",
        "true for those whose directory provisions, false for the others",
    ),
];
const ALL: &str = "/accounts/{account_id}/access/identity_providers";
const ONE: &str = "/accounts/{account_id}/access/identity_providers/{identity_provider_id}";

pub(super) const OPERATIONS: &[Operation] = &{
    let [listed, made, read, replaced, deleted] = Five {
        paths: (ALL, ONE),
        area: Area::Organization,
        list: ("list_identity_providers", "List identity providers"),
        create: ("create_identity_provider", "Make an identity provider"),
        get: ("get_identity_provider", "Read an identity provider"),
        update: (
            "update_identity_provider",
            "Replace an identity provider; a secret that is not sent stays",
        ),
        delete: (
            "delete_identity_provider",
            "Delete an identity provider that nothing names, and end its sessions",
        ),
    }
    .of::<IdentityProviders>();
    [
        listed.by(|call| Box::pin(list(call))).asked(ASKED),
        made.by(|call| Box::pin(create(call))),
        read,
        replaced.by(|call| Box::pin(update(call))),
        deleted,
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    fn held(names: &[&str]) -> BTreeMap<String, SecretString> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), SecretString::from("old")))
            .collect()
    }

    fn kept(sent: &[&str], before: &[&str], config: Value) -> Vec<String> {
        let sent = sent
            .iter()
            .map(|pointer| ((*pointer).to_owned(), SecretString::from("new")));
        let body = Map::from_iter([("config".to_owned(), config)]);
        secrets(sent.collect(), held(before), &body).into_keys().collect()
    }

    #[test]
    fn a_secret_that_is_not_sent_stays_as_long_as_it_is_the_way_in() {
        assert_eq!(
            kept(&[], &[CLIENT_SECRET, NEXT_CLIENT_SECRET], json!({})),
            [CLIENT_SECRET, NEXT_CLIENT_SECRET]
        );
        assert_eq!(
            kept(
                &["/config/client_secret"],
                &[CLIENT_SECRET, NEXT_CLIENT_SECRET],
                json!({})
            ),
            [CLIENT_SECRET]
        );
        let by_certificate = json!({ "client_certificate": { "certificate": "PEM" } });
        let sent = ["/config/client_certificate/key"];
        assert_eq!(kept(&sent, &[CLIENT_SECRET], by_certificate), [CERTIFICATE_KEY]);
        assert_eq!(
            kept(&["/config/client_secret"], &[CERTIFICATE_KEY], json!({})),
            [CLIENT_SECRET]
        );
    }
}
