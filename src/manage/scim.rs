//! The secret with which a directory proves itself by SCIM, and what follows where it is let tell of its people.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{Manage, ManageError, RefusedObject};
use crate::crypto::digest::sha256_hex;
use crate::crypto::random;
use crate::model::ids::IdpId;
use crate::model::scim::ScimSettings;
use crate::session::table::Cause;
use crate::snapshot::read::{self, Problem};
use crate::snapshot::secrets;
use crate::store::{Actor, AuditEntry, Document, Kind, ObjectWrite, ScimRules, StoreError};

/// Letters and digits of a secret: some 285 bits.
const LENGTH: usize = 48;

/// What a provider, as it stands in the store, wants to follow from changes in its directory, however that tells of them;
/// `None` where it may not tell anything. One that cannot be read is none of this gateway's snapshot any more.
pub fn scim_rules(provider: Option<&Value>) -> Option<ScimRules<'static>> {
    let told = read::directory_settings(provider?).ok().flatten()?;
    Some(rules_of(&told))
}

/// What follows where a provider is set like this.
pub fn rules_of(settings: &ScimSettings) -> ScimRules<'static> {
    ScimRules {
        user_deprovision: settings.user_deprovision,
        seat_deprovision: settings.seat_deprovision,
        identity_update: settings.identity_update,
        names_repeat: false,
        round: None,
        journal: None,
        actor: None,
    }
}

/// Does what follows from another `scim_config`, with the write of the provider.
///
/// A secret is good from when provisioning is turned on until it is turned off; and where whoever is inactive is to be
/// out from now on, those are who are inactive already.
pub(super) async fn settings_changed(
    write: &mut ObjectWrite,
    before: &Document,
    after: &Document,
) -> Result<(), StoreError> {
    let (was, is) = (Switches::of(&before.body), Switches::of(&after.body));
    let provider = IdpId(after.id);
    if was.on != is.on {
        write.forget_scim_secret(provider).await?;
    }
    let out = is.puts_out && !was.puts_out;
    if out || (is.frees_seats && !was.frees_seats) {
        let cause = Cause::Deprovisioned.word();
        let people = write.put_out_inactive(provider, is.frees_seats, cause).await?;
        tracing::info!(
            provider.id = %provider, people,
            "Whoever the directory has deactivated or deleted is out from now on; of them, so many were signed in"
        );
    }
    Ok(())
}

/// What a provider's directory may bring about.
struct Switches {
    on: bool,
    puts_out: bool,
    frees_seats: bool,
}

impl Switches {
    fn of(provider: &Value) -> Self {
        // One that cannot be read puts nobody out, and is none that was accepted.
        let told = read::directory_settings(provider).ok().flatten();
        let puts_out = told.as_ref().is_some_and(|told| told.user_deprovision);
        Self {
            on: provisions(provider),
            puts_out,
            frees_seats: puts_out && told.is_some_and(|told| told.seat_deprovision),
        }
    }
}

/// Whether a provider, as it is written, lets its directory tell of its people.
pub fn provisions(provider: &Value) -> bool {
    provider.pointer("/scim_config/enabled") == Some(&Value::Bool(true))
}

impl Manage {
    /// Makes a new SCIM secret for a provider. The one before is good no longer, on no replica. It is told this once and
    /// kept nowhere.
    ///
    /// # Errors
    /// [`ManageError::NotFound`]; [`ManageError::Refused`] where SCIM is off, or the file declares the secret.
    pub async fn refresh_scim_secret(&self, id: IdpId, actor: Actor) -> Result<SecretString, ManageError> {
        let mut write = self.store.write(actor).await?;
        let document = write.document(Kind::IdentityProvider, id.0).await?;
        let document = document.ok_or(ManageError::NotFound {
            kind: Kind::IdentityProvider,
            id: id.0,
        })?;
        let sealed = secrets::open(&document, &self.sealer, self.clock.now_ms());
        let sealed = sealed.map_err(|error| refused(&document, "", &error.to_string()))?;
        let provider = read::identity_provider(id, &document.body, &sealed, &self.clouds);
        let provider = provider.map_err(|problems| {
            ManageError::Refused(vec![RefusedObject {
                kind: Kind::IdentityProvider,
                name: document.name.clone(),
                problems,
            }])
        })?;
        match &provider.scim {
            None => return Err(refused(&document, "/scim_config/enabled", "SCIM is off")),
            Some(scim) if scim.declared_secret_hash.is_some() => {
                let reason = "the configuration file declares it as scim_secret: change it there";
                return Err(refused(&document, "/scim_secret", reason));
            }
            Some(_) => {}
        }
        let secret = SecretString::from(random::alphanumeric(LENGTH));
        write
            .set_scim_secret(id, &sha256_hex(secret.expose_secret().as_bytes()))
            .await?;
        let entry = AuditEntry {
            action: "refresh_scim_secret",
            kind: Kind::IdentityProvider,
            id: id.0,
            before: None,
            after: None,
        };
        write.audit(&entry).await?;
        write.commit().await?;
        Ok(secret)
    }
}

fn refused(document: &Document, pointer: &str, reason: &str) -> ManageError {
    ManageError::Refused(vec![RefusedObject {
        kind: document.kind,
        name: document.name.clone(),
        problems: vec![Problem {
            pointer: pointer.to_owned(),
            reason: reason.to_owned(),
        }],
    }])
}
