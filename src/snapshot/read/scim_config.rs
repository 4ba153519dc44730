//! `scim_config` of identity providers, with our own keys, and `directory_sync`, which is ours.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::object::{Object, Problem, Problems};
use crate::model::duration::GoDuration;
use crate::model::scim::{
    FORGOTTEN_AT_ONCE, FORGOTTEN_TOO_SOON, IdentityUpdate, LOG_KEPT, LOG_KEPT_LEAST, READ_EVERY, SILENCE,
    ScimSettings, SyncSettings, TOLD_OF_EACH_PAUSE,
};
use crate::snapshot::secrets::SCIM_SECRET_HASH;

/// More often is more than Graph is there for.
const SHORTEST: Duration = Duration::from_mins(1);
/// Graph forgets what changed after seven days
/// (<https://learn.microsoft.com/graph/delta-query-overview#token-duration>); everybody is read anew each day.
const LONGEST: Duration = Duration::from_hours(24);
/// A directory that is read answers each time: after so long without an answer the operator is told, or after three
/// times that it should have answered.
const UNANSWERED: Duration = Duration::from_hours(1);

/// What follows from what a provider's directory tells, whichever way it does; `None` where it tells nothing. The hash of
/// a declared secret is not among it.
///
/// # Errors
/// Every problem found.
pub fn directory_settings(provider: &Value) -> Result<Option<ScimSettings>, Vec<Problem>> {
    let problems = Problems::default();
    let settings = Object::new(provider, "", &problems).map(|object| {
        let scim = scim_config(&object, &BTreeMap::new());
        let by_scim = scim.is_some();
        scim.or_else(|| directory_sync(&object, by_scim).map(|sync| sync.told))
    });
    problems.or_value(settings)
}

/// How a provider's directory is read by Graph; `None` where it is not.
///
/// # Errors
/// Every problem found.
pub fn sync_settings(provider: &Value) -> Result<Option<SyncSettings>, Vec<Problem>> {
    let problems = Problems::default();
    let settings = Object::new(provider, "", &problems).map(|object| {
        let by_scim = scim_config(&object, &BTreeMap::new()).is_some();
        directory_sync(&object, by_scim)
    });
    problems.or_value(settings)
}

/// Reads the settings; `None` where SCIM is off or something is wrong.
pub(super) fn scim_config(
    object: &Object<'_>,
    secrets: &BTreeMap<String, SecretString>,
) -> Option<ScimSettings> {
    let config = object.below(object.given("scim_config")?, "/scim_config")?;
    let enabled = config.flag("enabled").unwrap_or(false);
    let told = told(&config, SILENCE);
    let hash = secrets.get(SCIM_SECRET_HASH);
    let told = ScimSettings {
        declared_secret_hash: hash.map(|hash| hash.expose_secret().to_owned()),
        ..told?
    };
    enabled.then_some(told)
}

/// Reads how a directory is read by Graph; `None` where it is not or something is wrong.
pub(super) fn directory_sync(object: &Object<'_>, by_scim: bool) -> Option<SyncSettings> {
    let config = object.below(object.given("directory_sync")?, "/directory_sync")?;
    let enabled = config.flag("enabled").unwrap_or(true);
    let every = match config.text("interval") {
        None => Some(READ_EVERY),
        Some(_) => config
            .parsed::<GoDuration>("interval")
            .map(|every| every.length()),
    };
    if every.is_some_and(|every| !(SHORTEST..=LONGEST).contains(&every)) {
        config.problem("interval", "from a minute to a day is possible");
        return None;
    }
    if enabled && by_scim {
        object.problem(
            "directory_sync",
            "the directory tells of its people by SCIM: turn scim_config.enabled off, or leave this out",
        );
    }
    let told = told(&config, Duration::ZERO);
    let (every, told) = (every?, told?);
    let is_said = config.given("silence_alarm").is_some();
    let silence = if is_said {
        if told.silence.is_some_and(|silence| silence <= every) {
            config.problem("silence_alarm", TOLD_OF_EACH_PAUSE);
        }
        told.silence
    } else {
        Some(UNANSWERED.max(every * 3))
    };
    enabled.then_some(SyncSettings {
        every,
        told: ScimSettings { silence, ..told },
    })
}

/// What follows from what a directory tells.
fn told(config: &Object<'_>, usual_silence: Duration) -> Option<ScimSettings> {
    let flag = |key| config.flag(key).unwrap_or(false);
    let user_deprovision = flag("user_deprovision");
    let (seat_deprovision, by_group) = (flag("seat_deprovision"), flag("group_member_deprovision"));
    let reactivate_on_login = flag("reactivate_on_login");
    if seat_deprovision && !user_deprovision {
        config.problem("seat_deprovision", "it goes with user_deprovision only");
    }
    let written = config.text("identity_update_behavior").unwrap_or("no_action");
    let known = IdentityUpdate::WORDS.iter().find(|(word, _)| *word == written);
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
    let silence = duration("silence_alarm", usual_silence);
    let log_kept = duration("log_retention", LOG_KEPT);
    let (silence, log_kept) = (silence?, log_kept?);
    if log_kept < LOG_KEPT_LEAST {
        config.problem(
            "log_retention",
            format!("{FORGOTTEN_AT_ONCE}: write 24h at least"),
        );
    } else if log_kept < silence {
        config.problem("log_retention", FORGOTTEN_TOO_SOON);
    }
    Some(ScimSettings {
        user_deprovision,
        seat_deprovision,
        identity_update,
        reactivate_on_login,
        silence: (!silence.is_zero()).then_some(silence),
        log_kept,
        declared_secret_hash: None,
    })
}
