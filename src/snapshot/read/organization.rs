//! What the API says of the organization, where the configuration file does not.

use std::time::Duration;

use serde_json::Value;

use crate::model::duration::GoDuration;
use crate::model::ids::CustomPageId;
use crate::model::number;
use crate::model::organization::{
    KEY_ROTATION_DAYS, OrganizationPages, OrganizationSettings, SEAT_LEAST, SEAT_MOST,
};
use crate::model::service_token::{INACTIVITY_DAYS, Inactivity, InactivityAction, UnusedTokens};
use crate::model::token_duration::LONGEST_SESSION;

use super::design;
use super::object::{Object, Problem, Problems};

/// Where the settings stand in the organization's object.
pub const SETTINGS: &str = "settings";
/// Where the days between two rotations of the signing key stand in it.
pub const KEY_ROTATION: &str = "key_rotation_interval_days";

/// What changes who gets in, or how, and is not done here.
const UNENFORCED: &[&str] = &[
    "allow_authenticate_via_warp",
    "warp_auth_session_duration",
    "warp_auth_non_browser_401",
    "is_ui_read_only",
    "ui_read_only_toggle_reason",
    "mfa_config",
    "mfa_required_for_all_apps",
    "mfa_piv_key_requirements",
    "deny_unmatched_requests_exempted_zone_names",
];

/// As in the configuration file.
const SHORTEST_SESSION: Duration = Duration::from_mins(15);

/// Reads settings of the organization.
///
/// # Errors
/// Every problem found.
pub fn organization_settings(settings: &Value) -> Result<OrganizationSettings, Vec<Problem>> {
    let problems = Problems::default();
    let read = Object::new(settings, "", &problems).map(|object| read(&object));
    problems.or_value(read)
}

/// As much of the settings in the organization's object as can be read, and what is wrong with the rest.
pub(in crate::snapshot) fn readable_settings(body: &Value) -> (OrganizationSettings, Vec<Problem>) {
    let problems = Problems::default();
    let settings = body.get(SETTINGS).filter(|settings| !settings.is_null());
    let read = settings.and_then(|settings| Object::new(settings, "/settings", &problems));
    let mut settings = read.map(|object| self::read(&object)).unwrap_or_default();
    let days = body.get(KEY_ROTATION).and_then(number::whole);
    let days = days.and_then(|days| u16::try_from(days).ok());
    settings.key_rotation_days = days.filter(|days| KEY_ROTATION_DAYS.contains(days));
    (settings, problems.into_inner())
}

fn read(object: &Object<'_>) -> OrganizationSettings {
    object.refuse_unenforced(UNENFORCED);
    // What no application covers is denied in any case: whichever is asked for, nothing follows from it.
    object.flag("deny_unmatched_requests");
    OrganizationSettings {
        session_duration: session_duration(object),
        auto_redirect_to_identity: object.flag("auto_redirect_to_identity"),
        strict_service_token_auth: object.flag("strict_service_token_auth"),
        service_token_inactivity: inactivity(object),
        seat_expiration: seat_expiration(object),
        custom_pages: pages(object),
        login_design: design::login(object),
        key_rotation_days: None,
    }
}

fn session_duration(object: &Object<'_>) -> Option<GoDuration> {
    let duration: GoDuration = object.parsed("session_duration")?;
    if (SHORTEST_SESSION..=LONGEST_SESSION).contains(&duration.length()) {
        return Some(duration);
    }
    object.problem("session_duration", format!("{duration} is outside 15m to 720h"));
    None
}

fn seat_expiration(object: &Object<'_>) -> Option<GoDuration> {
    const KEY: &str = "user_seat_expiration_inactive_time";
    let away: GoDuration = object.parsed(KEY)?;
    if (SEAT_LEAST..=SEAT_MOST).contains(&away.length()) {
        return Some(away);
    }
    object.problem(KEY, format!("{away} is outside 730h to 87600h"));
    None
}

fn inactivity(object: &Object<'_>) -> Option<UnusedTokens> {
    const KEYS: [&str; 3] = ["enabled", "inactivity_threshold_days", "action"];
    let value = object.given("service_token_inactivity")?;
    let below = object.below(value, "/service_token_inactivity")?;
    below.has_only(&KEYS);
    if below.flag("enabled") == Some(false) {
        return Some(UnusedTokens::Stay);
    }
    let days = number::whole(below.need("inactivity_threshold_days")?);
    let days = days.and_then(|days| u16::try_from(days).ok());
    let Some(days) = days.filter(|days| INACTIVITY_DAYS.contains(days)) else {
        below.problem("inactivity_threshold_days", "a number from 30 to 365 is needed");
        return None;
    };
    let action = match below.needed_text("action")? {
        "disable" => InactivityAction::Disable,
        "delete" => InactivityAction::Delete,
        _ => {
            below.problem("action", "disable or delete is needed");
            return None;
        }
    };
    Some(UnusedTokens::End(Inactivity { days, action }))
}

fn pages(object: &Object<'_>) -> Option<OrganizationPages> {
    const KEYS: [&str; 2] = ["identity_denied", "forbidden"];
    let value = object.given("custom_pages")?;
    let below = object.below(value, "/custom_pages")?;
    below.has_only(&KEYS);
    let page = |key| below.parsed::<CustomPageId>(key).map(|id| id.to_string());
    Some(OrganizationPages {
        identity_denied: page("identity_denied"),
        forbidden: page("forbidden"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_stand_is_named_and_the_rest_is_read() {
        let body = json!({
            "settings": { "session_duration": "8m", "strict_service_token_auth": true },
            "key_rotation_interval_days": 21,
        });
        let (settings, problems) = readable_settings(&body);
        assert_eq!(settings.strict_service_token_auth, Some(true));
        assert_eq!(
            (settings.session_duration, settings.key_rotation_days),
            (None, Some(21))
        );
        assert_eq!(problems[0].pointer, "/settings/session_duration");
    }

    #[test]
    fn what_is_not_enforced_stands_only_where_it_is_off() {
        let off = json!({
            "allow_authenticate_via_warp": false, "login_design": { "header_text": "" }, "mfa_config": {},
            "deny_unmatched_requests": true, "deny_unmatched_requests_exempted_zone_names": [],
            "is_ui_read_only": false,
        });
        assert!(organization_settings(&off).is_ok());
        // What Access does unless told otherwise, which tools send.
        assert!(organization_settings(&json!({ "deny_unmatched_requests": false })).is_ok());
        for (on, pointer) in [
            (json!({ "is_ui_read_only": true }), "/is_ui_read_only"),
            (
                json!({ "deny_unmatched_requests": "no" }),
                "/deny_unmatched_requests",
            ),
            (
                json!({ "deny_unmatched_requests_exempted_zone_names": ["example.com"] }),
                "/deny_unmatched_requests_exempted_zone_names",
            ),
            (
                json!({ "login_design": { "background_color": "red;" } }),
                "/login_design/background_color",
            ),
            (
                json!({ "warp_auth_session_duration": "30m" }),
                "/warp_auth_session_duration",
            ),
        ] {
            assert_eq!(organization_settings(&on).unwrap_err()[0].pointer, pointer);
        }
    }
}
