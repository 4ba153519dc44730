//! What holds for every page: one list of all of them, each filled with hostile text.

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use super::*;
use crate::model::check::{Check, CheckState, Step};
use crate::model::design::{FooterLink, LauncherDesign, Welcome};
use crate::model::refusals::RequirementKind;

mod contrast;

const HOSTILE: &str = "\"><script>alert('x')</script><img src=x onerror=alert(1)>&amp;{host}";
const REQUEST_ID: &str = "7f3c91a0";
const APP: AppLabel<'static> = AppLabel {
    name: HOSTILE,
    host: HOSTILE,
};
const LINK: &str = "https://wiki.example.com/?a=\"><script>alert(1)</script>";

fn frame(organization: &str) -> Frame<'_> {
    Frame {
        organization,
        request_id: REQUEST_ID,
        at: "2026-11-25T10:32:07Z".parse().unwrap(),
        auth_origin: "https://login.example.com",
        design: &crate::model::design::LoginDesign::PLAIN,
    }
}

/// Calls `look` with the name, the page itself and its answer, for every page there is.
#[expect(clippy::too_many_lines, reason = "it is a list")]
fn every_page(mut look: impl FnMut(&str, &dyn Page, Response<Bytes>)) {
    let choices = [
        Choice {
            name: HOSTILE,
            href: LINK,
            last_used: true,
        },
        Choice {
            name: "Partner company",
            href: "/cdn-cgi/access/login?idp=2",
            last_used: false,
        },
    ];
    let tiles = [Tile {
        name: HOSTILE.to_owned(),
        place: HOSTILE.to_owned(),
        href: Some(LINK.to_owned()),
        logo: None,
        logo_origin: None,
    }];
    let tags = [TagLink {
        name: HOSTILE.to_owned(),
        count: 1,
        chosen: true,
        href: LINK.to_owned(),
    }];
    let sessions = [SessionLine {
        key: HOSTILE.to_owned(),
        browser: HOSTILE.to_owned(),
        address: HOSTILE.to_owned(),
        country: Some(HOSTILE.to_owned()),
        since: "2026-11-25T08:00:00Z".parse().unwrap(),
        used: "2026-11-25T10:30:00Z".parse().unwrap(),
        this: false,
    }];
    let checks = [
        Check::new(Step::Claim, CheckState::Bad, HOSTILE)
            .about(HOSTILE)
            .mend(HOSTILE)
            .details([HOSTILE.to_owned()]),
        Check::new(Step::Email, CheckState::Good, HOSTILE),
        Check::new(Step::Clock, CheckState::Unknown, HOSTILE),
    ];
    let asked = [
        Requirement {
            kinds: vec![RequirementKind::Group, RequirementKind::Account],
            met: Some(false),
            names: vec![HOSTILE.to_owned()],
            own_words: vec![Some(HOSTILE.to_owned()), None],
        },
        Requirement {
            kinds: vec![RequirementKind::Network],
            met: None,
            names: Vec::new(),
            own_words: Vec::new(),
        },
        Requirement {
            kinds: vec![RequirementKind::Country],
            met: Some(true),
            names: Vec::new(),
            own_words: Vec::new(),
        },
    ];
    let refused = |who, because| Refused {
        app: APP,
        who,
        because,
        requirements: &asked,
        note: Some(HOSTILE),
        again: Some(LINK),
        another_account: Some(LINK),
    };
    let back = Some(Back {
        name: HOSTILE,
        href: LINK,
    });
    let provider_failure = Failure {
        status: http::StatusCode::FORBIDDEN,
        code: "provider_denied",
        title: HOSTILE,
        what: HOSTILE,
        mend: HOSTILE,
        again: Some(LINK),
        another_account: Some(LINK),
        provider_reference: Some(HOSTILE),
    };
    let again = Some(LINK);
    let design = LauncherDesign {
        logo: Some(LINK.parse().unwrap()),
        background: Some("#0b1a33".parse().unwrap()),
        header: Some("#ffffff".parse().unwrap()),
        links: vec![FooterLink {
            name: HOSTILE.parse().unwrap(),
            address: LINK.parse().unwrap(),
        }],
        welcome: Some(Welcome {
            title: Some(HOSTILE.parse().unwrap()),
            message: Some(HOSTILE.parse().unwrap()),
            image: Some(LINK.parse().unwrap()),
            button: Some("#fff".parse().unwrap()),
            button_text: None,
        }),
    };
    let pages: Vec<(&str, Box<dyn Page + '_>)> = vec![
        (
            "chooser",
            Box::new(Chooser {
                app: Some(APP),
                choices: &choices,
            }),
        ),
        (
            "chooser, bare",
            Box::new(Chooser {
                app: None,
                choices: &choices,
            }),
        ),
        ("refused", Box::new(refused(Some(HOSTILE), Because::NoRule))),
        ("refused, nobody", Box::new(refused(None, Because::NoRule))),
        (
            "refused, blocked",
            Box::new(refused(Some(HOSTILE), Because::Blocked)),
        ),
        (
            "refused, groups",
            Box::new(refused(Some(HOSTILE), Because::GroupsUnknown)),
        ),
        (
            "refused, broken",
            Box::new(refused(Some(HOSTILE), Because::Broken)),
        ),
        (
            "refused, context",
            Box::new(refused(Some(HOSTILE), Because::ContextUnmet { name: HOSTILE })),
        ),
        (
            "refused, context not asked",
            Box::new(refused(Some(HOSTILE), Because::ContextNotAsked)),
        ),
        (
            "refused, not evaluated",
            Box::new(refused(Some(HOSTILE), Because::NotEvaluated)),
        ),
        (
            "signed out",
            Box::new(SignedOut {
                scope: Scope::Everything,
                back,
                provider_sign_out: again,
            }),
        ),
        (
            "no session",
            Box::new(SignedOut {
                scope: Scope::Nothing,
                back: None,
                provider_sign_out: None,
            }),
        ),
        (
            "signed out of one application",
            Box::new(SignedOut {
                scope: Scope::Application(HOSTILE),
                back,
                provider_sign_out: None,
            }),
        ),
        ("refreshed", Box::new(Refreshed)),
        ("provider failure", Box::new(provider_failure)),
        (
            "invalid login session",
            Box::new(Failure::invalid_login_session(again)),
        ),
        ("invalid session", Box::new(Failure::invalid_session(again))),
        ("login expired", Box::new(Failure::login_expired(again))),
        ("login used", Box::new(Failure::login_used(again))),
        ("not accepted", Box::new(Failure::answer_not_accepted(again))),
        (
            "provider unavailable",
            Box::new(Failure::provider_unavailable(again)),
        ),
        ("no provider", Box::new(Failure::no_provider())),
        ("deprovisioned", Box::new(Failure::deprovisioned(again))),
        ("ended meanwhile", Box::new(Failure::ended_meanwhile(again))),
        ("internal", Box::new(Failure::internal(None))),
        ("unknown host", Box::new(NotFound::Host(HOSTILE))),
        ("uncovered path", Box::new(NotFound::Path(HOSTILE))),
        ("unknown application", Box::new(NotFound::Application)),
        ("unknown page", Box::new(NotFound::Page)),
        (
            "sign in",
            Box::new(SignIn {
                app: APP,
                login: LINK,
            }),
        ),
        (
            "stop",
            Box::new(Stop {
                app: APP,
                again: LINK,
            }),
        ),
        ("malformed", Box::new(BadRequest::Malformed(HOSTILE))),
        ("method", Box::new(BadRequest::Method("GET, HEAD"))),
        ("cross-site", Box::new(BadRequest::CrossSite)),
        ("misdirected", Box::new(BadRequest::Misdirected(HOSTILE))),
        ("too long", Box::new(BadRequest::TooLong)),
        ("too slow", Box::new(BadRequest::TooSlow)),
        ("too many", Box::new(TooMany { retry_after: 30 })),
        ("bad service token", Box::new(BadServiceToken)),
        ("store", Box::new(Unavailable::Store(again))),
        ("busy", Box::new(Unavailable::Busy)),
        ("unreachable", Box::new(UpstreamFault::Unreachable(HOSTILE))),
        ("bad answer", Box::new(UpstreamFault::BadAnswer(HOSTILE))),
        ("timed out", Box::new(UpstreamFault::TimedOut(HOSTILE))),
        ("not configured", Box::new(UpstreamFault::NotConfigured(HOSTILE))),
        (
            "carry",
            Box::new(Carry {
                provider: HOSTILE,
                app: Some(APP),
                flow: HOSTILE,
                next: LINK,
                path_dropped: true,
            }),
        ),
        (
            "landing",
            Box::new(Landing {
                app: Some(APP),
                flow: HOSTILE,
                next: LINK,
            }),
        ),
        (
            "approve",
            Box::new(Approve {
                app: APP,
                who: HOSTILE,
                agent: HOSTILE,
                code: "7F3K-92QX",
                key_start: HOSTILE,
                here: "198.51.100.7",
                waits_at: Some("2001:db8::7"),
                everything: true,
                consent: HOSTILE,
                action: "/cdn-cgi/access/transfer",
                another_account: LINK,
            }),
        ),
        (
            "approve, one application",
            Box::new(Approve {
                app: APP,
                who: HOSTILE,
                agent: HOSTILE,
                code: "7F3K-92QX",
                key_start: "AbCd",
                here: "198.51.100.7",
                waits_at: None,
                everything: false,
                consent: "x",
                action: "javascript:alert(1)",
                another_account: LINK,
            }),
        ),
        (
            "approved",
            Box::new(Approved {
                app: APP,
                agent: HOSTILE,
                href: LINK,
            }),
        ),
        (
            "test of a provider",
            Box::new(TestIdp {
                provider: HOSTILE,
                redirect_address: HOSTILE,
                next: LINK,
            }),
        ),
        (
            "provider tested",
            Box::new(TestedIdp {
                provider: HOSTILE,
                checks: &checks,
            }),
        ),
        ("test link foreign", Box::new(Failure::test_link_foreign())),
        ("test link expired", Box::new(Failure::test_link_expired())),
        ("test link used", Box::new(Failure::test_link_used())),
        ("transfer used", Box::new(Failure::transfer_used())),
        ("transfer expired", Box::new(Failure::transfer_expired())),
        (
            "launcher",
            Box::new(Launcher {
                who: HOSTILE,
                tiles: &tiles,
                left_out: 3,
                all: 20,
                search: Some(HOSTILE),
                tags: &tags,
                sessions: &sessions,
                waiting: 2,
                form: HOSTILE,
                now: "2026-11-25T10:32:07Z".parse().unwrap(),
                design: &design,
            }),
        ),
        (
            "launcher before the sign-in",
            Box::new(LauncherWelcome {
                organization: HOSTILE,
                design: &design,
                next: HOSTILE,
            }),
        ),
        (
            "front channel",
            Box::new(FrontChannel {
                provider_origin: "https://login.microsoftonline.com",
            }),
        ),
    ];
    for (name, page) in &pages {
        look(name, page.as_ref(), page.respond(&frame(HOSTILE)));
    }
}

fn text(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).unwrap()
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// What stands between two marks, for each pair of them.
fn between<'a>(html: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    html.split(open)
        .skip(1)
        .map(|rest| rest.split_once(close).unwrap().0)
        .collect()
}

#[test]
fn nothing_that_fills_a_page_becomes_markup() {
    every_page(|name, _, response| {
        let html = text(&response);
        assert!(!html.contains("<script>alert"), "{name}: {html}");
        assert!(!html.contains("<img src=x"), "{name}");
        assert!(!html.contains("onerror=alert(1)>"), "{name}");
        assert!(!html.contains("a=\">"), "{name}: a link leaves its attribute");
    });
}

#[test]
fn every_page_has_a_language_one_heading_and_the_request_id() {
    every_page(|name, _, response| {
        let html = text(&response);
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{name}");
        assert_eq!(html.matches("<h1>").count(), 1, "{name}");
        assert!(html.contains(REQUEST_ID), "{name}");
        assert!(!html.contains("<h1></h1>"), "{name}");
        assert!(
            html.matches("class=\"button primary").count()
                + html.matches("class=\"button choice primary").count()
                <= 1,
            "{name}: more than one primary button"
        );
    });
}

#[test]
fn every_page_carries_its_headers() {
    every_page(|name, page, response| {
        assert_eq!(response.status(), page.status(), "{name}");
        assert_eq!(
            header(&response, "content-type"),
            Some("text/html; charset=utf-8"),
            "{name}"
        );
        assert_eq!(
            header(&response, "cache-control"),
            Some("private, max-age=0, no-store, no-cache, must-revalidate, post-check=0, pre-check=0"),
            "{name}"
        );
        assert_eq!(
            header(&response, "expires"),
            Some("Thu, 01 Jan 1970 00:00:01 GMT"),
            "{name}"
        );
        assert_eq!(
            header(&response, "x-content-type-options"),
            Some("nosniff"),
            "{name}"
        );
        // Browsers send the origin with a form only where the page lets them, and the path then to nobody else.
        let body = std::str::from_utf8(response.body()).unwrap();
        let referrer = if body.contains("method=\"post\"") {
            "same-origin"
        } else {
            "no-referrer"
        };
        assert_eq!(header(&response, "referrer-policy"), Some(referrer), "{name}");
        assert_eq!(
            header(&response, "cross-origin-opener-policy"),
            Some("same-origin"),
            "{name}"
        );

        let policy = header(&response, "content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{name}: {policy}");
        assert!(!policy.contains("unsafe"), "{name}: {policy}");
        if name == "front channel" {
            assert!(
                policy.ends_with("frame-ancestors https://login.microsoftonline.com"),
                "{policy}"
            );
            assert_eq!(header(&response, "x-frame-options"), None);
        } else {
            assert!(policy.ends_with("frame-ancestors 'none'"), "{name}: {policy}");
            assert_eq!(header(&response, "x-frame-options"), Some("DENY"), "{name}");
        }
    });
}

#[test]
fn the_policy_allows_the_inline_style_and_script_and_no_other() {
    use base64::Engine as _;
    let hash = |inline: &str| {
        let digest = crate::crypto::digest::sha256(inline.as_bytes());
        format!("'sha256-{}'", base64::prelude::BASE64_STANDARD.encode(digest))
    };
    every_page(|name, page, response| {
        let html = text(&response);
        let policy = header(&response, CONTENT_SECURITY_POLICY.as_str()).unwrap();
        let styles: Vec<String> = between(&html, "<style>", "</style>")
            .into_iter()
            .map(hash)
            .collect();
        assert!(
            styles.is_empty() || policy.contains(&format!("style-src {};", styles.join(" "))),
            "{name}: {policy}"
        );
        assert!(!html.contains("style="), "{name}: inline styles would be blocked");
        let scripts = between(&html, "<script>", "</script>");
        match page.script() {
            Script::None => {
                assert!(scripts.is_empty(), "{name}");
                assert!(policy.contains("script-src 'none';"), "{name}");
            }
            Script::Chooser | Script::Carry | Script::Landing => {
                assert_eq!(scripts.len(), 1, "{name}");
                assert!(
                    policy.contains(&format!("script-src {};", hash(scripts[0]))),
                    "{name}"
                );
            }
        }
    });
}

#[test]
fn the_passage_works_without_script() {
    every_page(|name, page, response| {
        if matches!(page.script(), Script::Carry | Script::Landing) {
            let html = text(&response);
            assert!(
                html.contains(
                    "<noscript><meta http-equiv=\"refresh\" content=\"0;url=https://wiki.example.com/"
                ),
                "{name}"
            );
            assert!(html.contains("id=\"next\""), "{name}");
        }
    });
}

#[test]
fn a_client_that_wants_json_gets_the_same_as_json() {
    every_page(|name, page, _| {
        let response = page.respond_as(Accept::Json, &frame("Example"));
        assert_eq!(response.status(), page.status(), "{name}");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json", "{name}");
        let twin: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(twin["error"], page.code(), "{name}");
        assert_eq!(twin["request_id"], REQUEST_ID, "{name}");
        assert_eq!(twin["message"], page.message(), "{name}");
        assert_ne!(page.message(), "", "{name}");
        assert_ne!(page.code(), "", "{name}");
    });
}

#[test]
fn a_provider_origin_that_is_no_origin_frames_nothing() {
    let response = FrontChannel {
        provider_origin: "https://a.example\r\nx: y",
    }
    .respond(&frame("Example"));
    assert_eq!(
        header(&response, "content-security-policy"),
        Some("default-src 'none'; frame-ancestors 'none'")
    );
}

#[test]
fn pages_that_will_pass_say_when_to_come_back() {
    assert_eq!(
        header(
            &TooMany { retry_after: 30 }.respond(&frame("Example")),
            "retry-after"
        ),
        Some("30")
    );
    assert_eq!(
        header(&Unavailable::Busy.respond(&frame("Example")), "retry-after"),
        Some("10")
    );
}

/// RFC 9110 §15.5.6: whoever asked with a method that is not served learns which are.
#[test]
fn a_method_that_is_not_served_is_answered_with_those_that_are() {
    let answer = BadRequest::Method("GET, HEAD").respond(&frame("Example"));
    assert_eq!(answer.headers()[http::header::ALLOW], "GET, HEAD");
}

/// What the operator wrote above a page begins where the page does, on pages of every width.
#[test]
fn what_stands_around_a_page_is_as_wide_as_the_page() {
    for width in ["form", "wide"] {
        let rule = assets::STYLE
            .lines()
            .find(|line| line.contains(&format!(".{width} main")) && line.contains("max-inline-size"));
        let rule = rule.unwrap_or_else(|| panic!("no rule for {width}"));
        for part in [".brand", " > .around", " footer"] {
            assert!(
                rule.contains(&format!(".{width}{}", part.replace(".brand", " .brand"))),
                "{width}: {rule}"
            );
        }
    }
}
