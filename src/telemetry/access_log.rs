//! The lines that tell what became of requests: one at `debug` for every answer, one at `info` for every
//! refusal.
//!
//! Both carry fields, not prose, under the targets `vestibule::access` and `vestibule::decision`. Neither holds a query
//! string, a header or a token: queries carry secrets of the applications behind.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::{Method, StatusCode};
use tracing::Level;

use super::request_id::RequestId;
use crate::model::country::CountryCode;
use crate::model::ids::{ServiceTokenId, UserId};

/// Target of the line of each answer.
pub const ACCESS: &str = "vestibule::access";

/// Target of the line of each refusal.
pub const DECISION: &str = "vestibule::decision";

/// A request that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// Its id.
    pub request_id: RequestId,
    /// The client, as the listener found it.
    pub address: IpAddr,
    /// The country it comes from, where somebody tells.
    pub country: Option<CountryCode>,
    /// The method.
    pub method: &'a Method,
    /// The host asked for.
    pub host: &'a str,
    /// The path as decided on, without query.
    pub path: &'a str,
    /// The application's name, where one covers the request.
    pub application: Option<&'a str>,
    /// Who asked, where the request was let in for it.
    pub user: Option<UserId>,
    /// The status of the answer.
    pub status: StatusCode,
    /// From the request's head to the answer's. The bodies may still be on their way.
    pub duration: Duration,
}

/// A request that was refused.
#[derive(Clone, Copy)]
pub struct RefusedRequest<'a> {
    /// Its id.
    pub request_id: RequestId,
    /// The client, as the listener found it.
    pub address: IpAddr,
    /// The host asked for.
    pub host: &'a str,
    /// The path as decided on, without query.
    pub path: &'a str,
    /// The application's name, where one covers the request.
    pub application: Option<&'a str>,
    /// The policy that refused, where one did.
    pub policy: Option<&'a str>,
    /// Who asked.
    pub user: Option<UserId>,
    /// The service token that was shown or, where it is not good, named.
    pub service_token: Option<ServiceTokenId>,
    /// Why, as a word of a fixed set.
    pub reason: &'static str,
    /// How each policy came out, for the operator. Asked for only if the line is written.
    pub explanation: Option<&'a dyn fmt::Display>,
}

/// Whether [`answered`] writes anything: what it needs is gathered only then.
pub fn tells_answers() -> bool {
    tracing::enabled!(target: ACCESS, Level::DEBUG)
}

/// Writes the line of an answer.
pub fn answered(request: &Answered<'_>) {
    tracing::debug!(
        target: ACCESS,
        {
        request.id = %request.request_id,
        client.address = %request.address,
        client.country = request.country.map(tracing::field::display),
        http.method = %request.method,
        http.host = request.host,
        http.path = request.path,
        http.status = request.status.as_u16(),
        application = request.application,
        user.id = request.user.map(tracing::field::display),
        duration_us = u64::try_from(request.duration.as_micros()).unwrap_or(u64::MAX)
        },
        "Answered"
    );
}

/// Writes the line of a refusal.
pub fn refused(request: &RefusedRequest<'_>) {
    tracing::info!(
        target: DECISION,
        {
        request.id = %request.request_id,
        client.address = %request.address,
        http.host = request.host,
        http.path = request.path,
        application = request.application,
        policy = request.policy,
        user.id = request.user.map(tracing::field::display),
        service_token.id = request.service_token.map(tracing::field::display),
        reason = request.reason,
        explanation = request.explanation.map(tracing::field::display)
        },
        "Refused"
    );
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::logging::LineFormat;
    use super::super::logging::captured::written;
    use super::super::request_id::RequestIds;
    use super::*;

    fn tell_both(id: RequestId) {
        refused(&RefusedRequest {
            request_id: id,
            address: [203, 0, 113, 7].into(),
            host: "payroll.example.com",
            path: "/reports\nforged line",
            application: Some("Payroll"),
            policy: None,
            user: None,
            service_token: None,
            reason: "no_rule",
            explanation: Some(&"Finance: no"),
        });
        if tells_answers() {
            answered(&Answered {
                request_id: id,
                address: [203, 0, 113, 7].into(),
                country: "SE".parse().ok(),
                method: &Method::GET,
                host: "payroll.example.com",
                path: "/reports",
                application: Some("Payroll"),
                user: None,
                status: StatusCode::FORBIDDEN,
                duration: Duration::from_millis(2),
            });
        }
    }

    #[test]
    fn refusals_are_told_at_info_and_every_answer_at_debug() {
        let id = RequestIds::new().next();
        let info = written("info", LineFormat::Json, || tell_both(id));
        let lines: Vec<Value> = info
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 1, "{info}");
        assert_eq!(lines[0]["request.id"], id.to_string());
        assert_eq!(lines[0]["application"], "Payroll");
        assert_eq!(lines[0]["reason"], "no_rule");
        assert_eq!(lines[0]["explanation"], "Finance: no");
        assert_eq!(lines[0].get("policy"), None);

        let debug = written("info,vestibule::access=debug", LineFormat::Json, || tell_both(id));
        let answer: Value = serde_json::from_str(debug.lines().last().unwrap()).unwrap();
        assert_eq!(debug.lines().count(), 2, "{debug}");
        assert_eq!(answer["client.country"], "SE");
        assert_eq!(answer["http.status"], 403);
        assert_eq!(answer["duration_us"], 2000);
    }

    #[test]
    fn a_path_cannot_forge_a_line() {
        let text = written("info", LineFormat::Text, || tell_both(RequestIds::new().next()));
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
