use serde_json::json;

use super::*;
use crate::entra::errors::{EntraError, read_callback_error};

const PUBLISHED: &str = include_str!("../../../tests/fixtures/entra/aadsts.json");
const LEAK: &str = "Ask evil@attacker.example for help";

/// The published table, by code.
fn published() -> Vec<(u32, Class)> {
    let table: Value = serde_json::from_str(PUBLISHED).unwrap();
    let rows = table["codes"].as_array().unwrap().iter();
    rows.map(|row| {
        let code = u32::try_from(row["code"].as_u64().unwrap()).unwrap();
        (code, serde_json::from_value(row["class"].clone()).unwrap())
    })
    .collect()
}

/// The word of OAuth's that Microsoft sends with a class.
fn usual_error(class: Class) -> &'static str {
    match class {
        Class::Config => "invalid_client",
        Class::Denied => "access_denied",
        Class::Interactive => "interaction_required",
        Class::Transient => "temporarily_unavailable",
        Class::Consent => "consent_required",
        Class::Restart | Class::Revoked | Class::UserAction => "invalid_grant",
    }
}

#[test]
fn every_published_code_has_its_class_a_text_and_no_word_of_microsofts() {
    let rows = published();
    assert_eq!((rows.len(), KNOWN.len()), (196, 196));
    for (code, class) in rows {
        let description = format!("AADSTS{code}: {LEAK} Trace ID: x");
        let body =
            json!({ "error": usual_error(class), "error_description": description, "error_codes": [code] });
        let answer = AadstsAnswer::from_body(StatusCode::BAD_REQUEST, body.to_string().as_bytes()).unwrap();
        assert_eq!((answer.code, answer.class), (Some(code), class));
        let error = EntraError::Refused(Box::new(answer.clone()));
        let shown = error.explain();
        for text in [shown.title, shown.text, shown.advice, shown.operator.unwrap()] {
            assert!(!text.is_empty() && !text.contains("AADSTS"), "{code}: {text}");
        }
        assert_eq!(shown.status, class.status(), "{code}");
        for text in [format!("{error}"), format!("{error:?}"), format!("{shown:?}")] {
            assert!(!text.contains("attacker"), "{code}: {text}");
        }
    }
}

#[test]
fn each_class_differs_in_what_the_person_is_told() {
    for (index, class) in Class::ALL.into_iter().enumerate() {
        for other in Class::ALL.into_iter().skip(index + 1) {
            assert_ne!(class.title(), other.title());
            assert_ne!(class.text(), other.text());
            assert_ne!(class.advice(), other.advice());
        }
    }
    assert!(!Class::Config.offer_retry() && !Class::Denied.offer_retry());
    assert!(Class::Restart.offer_retry() && Class::Transient.offer_retry());
    assert_eq!(Class::Config.level(), tracing::Level::ERROR);
    assert_eq!(Class::Transient.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn details_of_a_wrong_configuration_are_the_operators() {
    let answer = body(&json!({ "error": "invalid_client", "error_codes": [7_000_222] }));
    let shown = EntraError::Refused(Box::new(answer)).explain();
    assert_eq!(shown.text, Class::Config.text());
    assert_eq!(
        shown.operator,
        Some("The client secret has expired; create a new one.")
    );
    assert!(shown.alarm);
}

#[test]
fn only_a_refused_secret_raises_the_alarm() {
    for (code, _) in published() {
        let answer = body(&json!({ "error": "invalid_client", "error_codes": [code] }));
        let alarm = EntraError::Refused(Box::new(answer)).explain().alarm;
        assert_eq!(alarm, matches!(code, 7_000_215 | 7_000_222), "{code}");
    }
}

#[test]
fn what_a_browser_brings_raises_no_alarm() {
    for code in [7_000_215, 7_000_222, 50_011] {
        let query = format!("error=invalid_client&error_description=AADSTS{code}%3A+x");
        let brought = crate::entra::errors::read_callback_error(&query).unwrap();
        let shown = brought.explain();
        assert!(!shown.alarm && shown.level != tracing::Level::ERROR, "{code}");
    }
}

/// `classify` of a recorded token answer, in our classes.
fn acceptable(classify: &str) -> &'static [Class] {
    match classify {
        "retry" => &[Class::Transient],
        "config" => &[Class::Config],
        "revoke_session" => &[Class::Revoked],
        "interactive" => &[Class::Interactive, Class::UserAction, Class::Revoked],
        "deny_user" | "deny_or_interactive" => &[Class::Denied],
        "restart_login" => &[Class::Restart],
        "consent" => &[Class::Consent],
        other => panic!("{other} is not known"),
    }
}

#[test]
fn recorded_token_answers_are_classified() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/entra/token");
    let mut read = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let (Some(classify), Some(body)) = (file["classify"].as_str(), file.get("body")) else {
            continue;
        };
        let status = StatusCode::from_u16(u16::try_from(file["status"].as_u64().unwrap()).unwrap()).unwrap();
        let answer = AadstsAnswer::from_body(status, body.to_string().as_bytes()).unwrap();
        assert!(
            acceptable(classify).contains(&answer.class),
            "{}: {:?}",
            path.display(),
            answer.class
        );
        assert_eq!(
            answer.trace_id.as_deref(),
            body["trace_id"].as_str(),
            "{}",
            path.display()
        );
        assert_eq!(
            answer.claims.as_deref(),
            body["claims"].as_str(),
            "{}",
            path.display()
        );
        read += 1;
    }
    assert!(read > 30, "{read} files were read");
}

#[test]
fn recorded_callback_errors_offer_what_they_should() {
    let file = include_str!("../../../tests/fixtures/entra/authorize/callback_errors.json");
    let file: Value = serde_json::from_str(file).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in case["query"].as_object().unwrap() {
            query.append_pair(name, value.as_str().unwrap());
        }
        let error = read_callback_error(&query.finish()).unwrap();
        let EntraError::Refused(answer) = &error else {
            panic!("{case}")
        };
        let name = case["name"].as_str().unwrap();
        match case["restart_login"].as_str().unwrap() {
            "button" => assert!(error.explain().offer_retry && answer.cancelled(), "{name}"),
            "interactive" | "interactive once" => assert!(answer.interaction_may_help(), "{name}"),
            "auto once" => assert_eq!(answer.class, Class::Transient, "{name}"),
            "no" => assert!(!error.explain().offer_retry, "{name}"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn unknown_codes_and_words_still_have_a_class() {
    for (error, class) in [
        ("invalid_grant", Class::Restart),
        ("invalid_client", Class::Config),
        ("access_denied", Class::Denied),
        ("interaction_required", Class::Interactive),
        ("server_error", Class::Transient),
        ("something_new", Class::Restart),
    ] {
        let answer = body(&json!({ "error": error, "error_description": "AADSTS99999999: new" }));
        assert_eq!((answer.code, answer.class), (Some(99_999_999), class), "{error}");
    }
    let throttled = AadstsAnswer::from_body(StatusCode::TOO_MANY_REQUESTS, br#"{"error":"invalid_request"}"#);
    assert_eq!(throttled.unwrap().class, Class::Transient);
}

#[test]
fn what_is_no_error_of_oauths_is_none() {
    for body in ["", "<html>Sign in</html>", "null", "[]", "{}", r#"{"error":5}"#] {
        assert_eq!(
            AadstsAnswer::from_body(StatusCode::BAD_REQUEST, body.as_bytes()),
            None,
            "{body}"
        );
    }
    assert!(read_callback_error("code=1&state=2").is_none());
}

#[test]
fn a_crafted_callback_puts_nothing_of_its_own_into_log_or_page() {
    let query = "error=%3Cscript%3E&error_subcode=a%0Ab&error_description=AADSTS50105abc%3A+evil%0Aline+Trace+ID:+..%2F..&error=second";
    let error = read_callback_error(query).unwrap();
    let EntraError::Refused(answer) = &error else {
        panic!()
    };
    assert_eq!(answer.error, "unrecognized");
    assert_eq!((&answer.suberror, &answer.trace_id), (&None, &None));
    let all = format!("{error} {error:?} {:?}", error.explain());
    assert!(!all.contains("script") && !all.contains("evil"), "{all}");
}

fn body(body: &Value) -> AadstsAnswer {
    AadstsAnswer::from_body(StatusCode::BAD_REQUEST, body.to_string().as_bytes()).unwrap()
}
