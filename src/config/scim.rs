//! `scim_config`, `scim_secret` and `directory_sync` of an identity provider: how its directory tells of its people.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::bounds::Bounds;
use super::service_tokens::strong_secret;
use super::tree::{Keys, Node, Table};
use crate::crypto::digest::sha256_hex;
use crate::model::duration::GoDuration;
use crate::model::scim::{
    FORGOTTEN_AT_ONCE, FORGOTTEN_TOO_SOON, IdentityUpdate, LOG_KEPT, LOG_KEPT_LEAST, READ_EVERY, SILENCE,
    TOLD_OF_EACH_PAUSE,
};

/// The keys of what follows from what a directory tells, however it tells of it, and one's own.
macro_rules! keys {
    ($($own:literal),*) => {
        &[
            "enabled",
            $($own,)*
            "user_deprovision",
            "seat_deprovision",
            "group_member_deprovision",
            "identity_update_behavior",
            "reactivate_on_login",
            "silence_alarm",
            "log_retention",
        ]
    };
}

const KEYS: Keys = Keys {
    known: keys!(),
    refused: &[
        (
            "secret",
            "it is generated: `vestibule idp scim-secret NAME` shows it once; or declare it as scim_secret beside scim_config",
        ),
        (
            "scim_base_url",
            "it follows from auth_url and the provider's id; `vestibule idp list` shows it",
        ),
    ],
};
const SYNC_KEYS: Keys = Keys {
    known: keys!("interval"),
    refused: &[],
};
const INTERVAL: Bounds = Bounds {
    least: Duration::from_mins(1),
    most: Duration::from_hours(24),
    said: "one minute to 24 hours",
};
const SECRET: &str = "write { env = \"NAME\" }, as for other secrets; 32 characters or more";

/// The settings of SCIM as the object of the API has them.
pub(super) fn config(node: &Node<'_>) -> Option<Value> {
    let table = node.table(&KEYS)?;
    told(node, &table, SILENCE).map(Value::Object)
}

/// The settings of reading a directory by Graph, likewise.
pub(super) fn sync(node: &Node<'_>) -> Option<Value> {
    let table = node.table(&SYNC_KEYS)?;
    let interval = table.node("interval").map(|node| INTERVAL.parse(&node));
    let mut sync = told(node, &table, Duration::ZERO)?;
    let mut every = READ_EVERY;
    if let Some(interval) = interval {
        let interval = interval?;
        every = interval.length();
        sync.insert("interval".to_owned(), interval.as_str().into());
    }
    if let Some(node) = table.node("silence_alarm") {
        let silence = length(&sync, "silence_alarm", Duration::ZERO);
        if !silence.is_zero() && silence <= every {
            node.fault(
                TOLD_OF_EACH_PAUSE,
                "write a longer one (an hour, or three intervals where they are longer, is what counts where it is left \
                 out; \"0s\" for never), or a shorter interval",
            );
            return None;
        }
    }
    Some(Value::Object(sync))
}

/// What follows from what a directory tells.
fn told(node: &Node<'_>, table: &Table<'_>, usual_silence: Duration) -> Option<Map<String, Value>> {
    let mut config = Map::new();
    let mut complete = true;
    for key in [
        "enabled",
        "user_deprovision",
        "seat_deprovision",
        "group_member_deprovision",
        "reactivate_on_login",
    ] {
        let Some(node) = table.node(key) else { continue };
        match node.boolean() {
            Some(flag) => {
                config.insert(key.to_owned(), flag.into());
            }
            None => complete = false,
        }
    }
    if let Some(node) = table.node("identity_update_behavior") {
        complete &= node.one_of(&IdentityUpdate::WORDS).is_some();
        config.extend(
            node.text()
                .map(|word| ("identity_update_behavior".to_owned(), word.into())),
        );
    }
    for (key, mend) in [
        (
            "silence_alarm",
            "write a duration such as \"2h\"; \"0s\" for never",
        ),
        ("log_retention", "write a duration such as \"4392h\""),
    ] {
        let Some(node) = table.node(key) else { continue };
        match node.parsed::<GoDuration>(mend) {
            Some(length) => {
                config.insert(key.to_owned(), length.as_str().into());
            }
            None => complete = false,
        }
    }
    let kept = length(&config, "log_retention", LOG_KEPT);
    if kept < LOG_KEPT_LEAST {
        table
            .node("log_retention")
            .as_ref()
            .unwrap_or(node)
            .fault(FORGOTTEN_AT_ONCE, "write \"24h\" at least");
        complete = false;
    } else if kept < length(&config, "silence_alarm", usual_silence) {
        table.node("log_retention").as_ref().unwrap_or(node).fault(
            FORGOTTEN_TOO_SOON,
            "keep the log longer, or write a shorter silence_alarm (24h where nothing is said; \"0s\" for never)",
        );
        complete = false;
    }
    let is_on = |key: &str| config.get(key) == Some(&Value::Bool(true));
    if is_on("seat_deprovision") && !is_on("user_deprovision") {
        node.fault(
            "a seat is freed with its person only",
            "set user_deprovision = true as well",
        );
        complete = false;
    }
    complete.then_some(config)
}

/// A duration among settings that were read.
fn length(config: &Map<String, Value>, key: &str, usual: Duration) -> Duration {
    let written = config.get(key).and_then(Value::as_str);
    let written = written.and_then(|written| written.parse::<GoDuration>().ok());
    written.map_or(usual, |written| written.length())
}

/// The hash of a secret that the file declares. The secret itself goes no further.
pub(super) fn secret_hash(node: &Node<'_>) -> Option<SecretString> {
    let secret = strong_secret(node, SECRET)?;
    Some(sha256_hex(secret.expose_secret().as_bytes()).into())
}
