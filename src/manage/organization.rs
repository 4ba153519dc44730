//! The organization's own object: the account, made once, and what of it the file says.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{ManageError, written};
use crate::config::organization::OrganizationConfig;
use crate::crypto::random;
use crate::model::ids::AccountId;
use crate::model::organization::{Organization, USUAL_KEY_ROTATION_DAYS};
use crate::store::{Actor, ActorKind, Document, Kind, ObjectWrite, Store, StoreError};

/// There is one organization, so its id says nothing.
pub(super) const ID: Uuid = Uuid::nil();
const ACCOUNT: &str = "account_id";

/// The organization as the file describes it, with the account that the store has, or now gets, for life.
///
/// # Errors
/// [`ManageError::ForeignAccount`] where file and store name different accounts.
pub async fn organization(store: &Store, in_file: &OrganizationConfig) -> Result<Organization, ManageError> {
    let actor = Actor {
        kind: ActorKind::System,
        name: "start".to_owned(),
    };
    let mut write = store.write(actor).await?;
    let document = read(&mut write).await?;
    let account_id = account_for(account(&document), in_file)?;
    let mut described = document.clone();
    described.name.clone_from(&in_file.name);
    for (key, value) in [
        (ACCOUNT, account_id.as_str()),
        ("name", &in_file.name),
        ("auth_domain", in_file.auth.host().as_str()),
        ("session_duration", in_file.session_duration.as_str()),
    ] {
        set(&mut described, key, value.into());
    }
    if described.body != document.body {
        let before = (document.version > 0).then_some(&document);
        written::put(&mut write, before, &described).await?;
        write.commit().await?;
    }
    Ok(described_by(in_file, account_id))
}

/// The organization as [`organization`] would answer it. Nothing is written: for commands that only look.
///
/// # Errors
/// [`ManageError::ForeignAccount`] where file and store name different accounts.
pub async fn organization_to_be(
    store: &Store,
    written: &OrganizationConfig,
) -> Result<Organization, ManageError> {
    let account_id = account_for(stored_account(store).await?, written)?;
    Ok(described_by(written, account_id))
}

fn account_for(stored: Option<AccountId>, written: &OrganizationConfig) -> Result<AccountId, ManageError> {
    match (stored, &written.account_id) {
        (Some(stored), Some(written)) if stored != *written => Err(ManageError::ForeignAccount {
            stored,
            written: written.clone(),
        }),
        (Some(stored), _) => Ok(stored),
        (None, Some(written)) => Ok(written.clone()),
        (None, None) => generated(),
    }
}

fn described_by(written: &OrganizationConfig, account_id: AccountId) -> Organization {
    Organization {
        name: written.name.clone(),
        auth: written.auth.clone(),
        account_id,
        session_duration: written.session_duration.clone(),
        sign_out_at_provider: written.sign_out_at_provider,
        idle_timeout: written.idle_timeout.clone(),
        logout_return_to: written.logout_return_to.clone(),
        auto_redirect_to_identity: written.auto_redirect_to_identity,
        custom_pages: written.custom_pages.clone(),
        transfer_host: written.transfer_host.clone(),
        service_tokens: written.service_tokens.clone(),
        accept_unevaluated_selectors: written.accept_unevaluated_selectors.clone(),
        refusals: written.refusals.clone(),
        login_design: written.login_design.clone(),
        seat_expiration: written.seat_expiration.clone(),
        key_rotation_days: USUAL_KEY_ROTATION_DAYS,
        in_file: written.in_file.clone(),
    }
}

/// The account of a store that has one.
pub async fn stored_account(store: &Store) -> Result<Option<AccountId>, StoreError> {
    let document = store.document(Kind::Organization, ID).await?;
    Ok(document.as_ref().and_then(account))
}

/// The object in the store, or an empty one.
pub(super) async fn read(write: &mut ObjectWrite) -> Result<Document, StoreError> {
    let stored = write.document(Kind::Organization, ID).await?;
    Ok(stored.unwrap_or_else(|| Document {
        declared: true,
        ..Document::new(Kind::Organization, ID, String::new(), Value::Object(Map::new()))
    }))
}

/// Sets a key of the object.
pub(super) fn set(document: &mut Document, key: &str, value: Value) {
    if let Value::Object(body) = &mut document.body {
        body.insert(key.to_owned(), value);
    }
}

fn account(document: &Document) -> Option<AccountId> {
    document.body.get(ACCOUNT)?.as_str()?.parse().ok()
}

fn generated() -> Result<AccountId, ManageError> {
    let parsed = random::hex_digits::<16>().parse();
    parsed.map_err(|malformed: crate::model::ids::IdMalformed| {
        ManageError::Store(StoreError::Unavailable(malformed.into()))
    })
}
