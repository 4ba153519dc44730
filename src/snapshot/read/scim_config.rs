//! `scim_config` of identity providers, and our own keys.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::object::Object;
use crate::model::duration::GoDuration;
use crate::model::scim::{FORGOTTEN_TOO_SOON, IdentityUpdate, LOG_KEPT, SILENCE, ScimSettings};
use crate::snapshot::secrets::SCIM_SECRET_HASH;

/// The words of `identity_update_behavior`.
const BEHAVIORS: [(&str, IdentityUpdate); 3] = [
    ("automatic", IdentityUpdate::Automatic),
    ("reauth", IdentityUpdate::Reauth),
    ("no_action", IdentityUpdate::NoAction),
];

/// Reads the settings; `None` where SCIM is off or something is wrong.
pub(super) fn scim_config(
    object: &Object<'_>,
    secrets: &BTreeMap<String, SecretString>,
) -> Option<ScimSettings> {
    let config = object.below(object.given("scim_config")?, "/scim_config")?;
    let flag = |key| config.flag(key).unwrap_or(false);
    let (enabled, user_deprovision) = (flag("enabled"), flag("user_deprovision"));
    let (seat_deprovision, by_group) = (flag("seat_deprovision"), flag("group_member_deprovision"));
    let reactivate_on_login = flag("reactivate_on_login");
    if seat_deprovision && !user_deprovision {
        config.problem("seat_deprovision", "it goes with user_deprovision only");
    }
    let written = config.text("identity_update_behavior").unwrap_or("no_action");
    let known = BEHAVIORS.iter().find(|(word, _)| *word == written);
    if known.is_none() {
        config.problem(
            "identity_update_behavior",
            "one of automatic, reauth and no_action is needed",
        );
    }
    let identity_update = match known?.1 {
        // The flag from before there were behaviours says the same as `reauth`.
        IdentityUpdate::NoAction if by_group => IdentityUpdate::Reauth,
        update => update,
    };
    let duration = |key, usual| match config.text(key) {
        None => Some(usual),
        Some(_) => config.parsed::<GoDuration>(key).map(|duration| duration.length()),
    };
    let (silence, log_kept) = (
        duration("silence_alarm", SILENCE),
        duration("log_retention", LOG_KEPT),
    );
    let hash = secrets.get(SCIM_SECRET_HASH);
    let (silence, log_kept) = (silence?, log_kept?);
    if log_kept < silence {
        config.problem("log_retention", FORGOTTEN_TOO_SOON);
    }
    enabled.then(|| ScimSettings {
        user_deprovision,
        seat_deprovision,
        identity_update,
        reactivate_on_login,
        silence: (!silence.is_zero()).then_some(silence),
        log_kept,
        declared_secret_hash: hash.map(|hash| hash.expose_secret().to_owned()),
    })
}
