use http::{Method, StatusCode, Version};

use super::*;

fn finished(application: Option<&str>, code: StatusCode) -> Finished<'_> {
    Finished {
        application,
        code,
        method: &Method::GET,
        version: Version::HTTP_2,
        duration: Duration::from_millis(30),
    }
}

#[test]
fn a_scrape_adds_the_cores_up() {
    let metrics = Metrics::new();
    let (one, two) = (metrics.core(), metrics.core());
    one.finished(&finished(Some("Wiki"), StatusCode::OK));
    one.finished(&finished(Some("Wiki"), StatusCode::OK));
    two.finished(&finished(Some("Wiki"), StatusCode::OK));
    two.finished(&finished(None, StatusCode::NOT_FOUND));
    one.streams_open(2);
    two.streams_open(3);
    let text = metrics.text().unwrap();
    for line in [
        "vestibule_http_requests_total{application=\"Wiki\",code=\"200\",method=\"GET\",protocol=\"http/2\"} 3",
        "vestibule_http_requests_total{application=\"\",code=\"404\",method=\"GET\",protocol=\"http/2\"} 1",
        "vestibule_streams_open 5",
        "vestibule_http_request_duration_seconds_count 4",
        "vestibule_http_request_duration_seconds_bucket{le=\"0.025\"} 0",
        "vestibule_http_request_duration_seconds_bucket{le=\"0.05\"} 4",
        "vestibule_http_request_duration_seconds_bucket{le=\"+Inf\"} 4",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\nnot in\n{text}");
    }
}

#[test]
fn a_request_is_in_flight_until_its_guard_is_dropped() {
    let metrics = Metrics::new();
    let core = metrics.core();
    let request = core.arrived();
    assert!(
        metrics
            .text()
            .unwrap()
            .contains("vestibule_http_requests_in_flight 1\n")
    );
    drop(request);
    assert!(
        metrics
            .text()
            .unwrap()
            .contains("vestibule_http_requests_in_flight 0\n")
    );
}

#[test]
fn our_own_share_is_counted_from_ten_microseconds() {
    let metrics = Metrics::new();
    let core = metrics.core();
    let decided = Decided {
        application: Some("Wiki"),
        decision: "allow",
        reason: "policy",
    };
    core.decided(&decided, Duration::from_micros(9));
    core.decided(&decided, Duration::from_micros(15));
    let text = metrics.text().unwrap();
    assert!(
        text.contains("vestibule_gate_duration_seconds_bucket{le=\"1e-05\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("vestibule_gate_duration_seconds_bucket{le=\"2e-05\"} 2\n"),
        "{text}"
    );
    assert!(
        text.contains("vestibule_gate_duration_seconds_sum 0.000024\n"),
        "{text}"
    );
    assert!(
        text.contains(
            "vestibule_decisions_total{application=\"Wiki\",decision=\"allow\",reason=\"policy\"} 2\n"
        ),
        "{text}"
    );
}

#[test]
fn methods_that_clients_invent_share_one_label() {
    let metrics = Metrics::new();
    let core = metrics.core();
    for name in ["BREW", "WHEN", "get"] {
        let method = Method::from_bytes(name.as_bytes()).unwrap();
        core.finished(&Finished {
            method: &method,
            ..finished(Some("Wiki"), StatusCode::OK)
        });
    }
    let text = metrics.text().unwrap();
    assert!(
        text.contains("method=\"_OTHER\",protocol=\"http/2\"} 3\n"),
        "{text}"
    );
}

#[test]
fn every_metric_has_its_published_name() {
    let metrics = Metrics::new();
    let now: jiff::Timestamp = "2026-11-25T10:32:07Z".parse().unwrap();
    metrics.upstream_failed("Wiki \"R&D\"", "connect");
    metrics.login_ended("Entra ID", "refused", "policy");
    metrics.graph_answered("transitive_member_of", 429);
    metrics.sessions_live("organization", 7);
    metrics.streams_cut("logout", 3);
    metrics.revocation_applied(Duration::from_millis(200));
    metrics.feed_confirmed_ago(Duration::from_millis(250));
    metrics.store_is(true);
    metrics.config_reloaded(false, now);
    metrics.config_reloaded(true, now);
    metrics.client_secrets_end([("Old", now)]);
    metrics.client_secrets_end([("Entra ID", now)]);
    metrics.signing_keys_end([("old", now)]);
    metrics.signing_keys_end([("new", now)]);
    let text = metrics.text().unwrap();
    for line in [
        concat!(
            "vestibule_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\",revision="
        ),
        "vestibule_upstream_errors_total{application=\"Wiki \\\"R&D\\\"\",reason=\"connect\"} 1",
        "vestibule_logins_total{provider=\"Entra ID\",result=\"refused\",reason=\"policy\"} 1",
        "vestibule_graph_requests_total{operation=\"transitive_member_of\",code=\"429\"} 1",
        "vestibule_sessions{kind=\"organization\"} 7",
        "vestibule_streams_cut_total{reason=\"logout\"} 3",
        "vestibule_revocation_delay_seconds_bucket{le=\"0.25\"} 1",
        "vestibule_feed_lag_seconds 0.25",
        "vestibule_store_up 1",
        "vestibule_config_reloads_total{result=\"refused\"} 1",
        "vestibule_config_reloads_total{result=\"success\"} 1",
        "vestibule_config_last_reload_success_timestamp_seconds 1795602727.0",
        "vestibule_client_secret_not_after_timestamp_seconds{provider=\"Entra ID\"} 1795602727.0",
        "vestibule_signing_key_not_after_timestamp_seconds{kid=\"new\"} 1795602727.0",
    ] {
        assert!(text.contains(line), "{line}\nnot in\n{text}");
    }
    assert!(
        !text.contains("kid=\"old\"") && !text.contains("\"Old\""),
        "{text}"
    );
}
