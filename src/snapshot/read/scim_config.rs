//! `scim_config` of identity providers (reference Access §5.4, and our own keys).

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::object::Object;
use crate::model::duration::GoDuration;
use crate::model::scim::{IdentityUpdate, ScimSettings};
use crate::snapshot::secrets::SCIM_SECRET_HASH;

/// After how long without a request the operator is told, where nothing else is said. A directory in which nothing
/// changes may be silent for long.
const SILENCE: &str = "24h";

/// How long the provisioning log is kept, where nothing else is said: as that of logins, half a year.
const LOG_KEPT: &str = "4392h";

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
    let duration = |key, usual: &str| match config.text(key) {
        None => usual.parse().ok(),
        Some(_) => config.parsed::<GoDuration>(key),
    };
    let silence = duration("silence_alarm", SILENCE).map(|silence| silence.length());
    let log_kept = duration("log_retention", LOG_KEPT).map(|kept| kept.length());
    let hash = secrets.get(SCIM_SECRET_HASH);
    let (silence, log_kept) = (silence?, log_kept?);
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
