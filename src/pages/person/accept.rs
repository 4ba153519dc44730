//! Whether a client wants a page or JSON.

use http::HeaderMap;
use http::header::ACCEPT;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// A page.
    Html,
    /// `{"error", "message", "request_id"}`.
    Json,
}

impl Accept {
    /// Reads `Accept` (RFC 9110 §12.5.1). JSON only for a client that names it and does not want HTML at least as much:
    /// a wildcard alone is no wish for JSON.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut html = 0;
        let mut json = 0;
        let values = headers.get_all(ACCEPT).iter();
        for range in values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
        {
            let mut pieces = range.split(';').map(str::trim);
            let kind = pieces.next().unwrap_or_default().to_ascii_lowercase();
            let weight = pieces
                .find_map(|piece| piece.strip_prefix("q=").or_else(|| piece.strip_prefix("Q=")))
                .map_or(1000, thousandths);
            match kind.as_str() {
                "text/html" | "application/xhtml+xml" => html = weight.max(html),
                "application/json" => json = weight.max(json),
                other if other.starts_with("application/") && other.ends_with("+json") => {
                    json = weight.max(json);
                }
                _ => {}
            }
        }
        if json > html { Self::Json } else { Self::Html }
    }
}

/// A weight in thousandths; a malformed one counts as none, so that it wins nothing.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction_fine = fraction.len() <= 3 && fraction.bytes().all(|b| b.is_ascii_digit());
    match whole {
        "1" => 1000,
        "0" if fraction_fine => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_those_who_ask_for_it() {
        for (accept, expected) in [
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Accept::Html,
            ),
            ("*/*", Accept::Html),
            ("", Accept::Html),
            ("application/json", Accept::Json),
            ("Application/JSON", Accept::Json),
            ("application/json, text/plain, */*", Accept::Json),
            ("application/problem+json", Accept::Json),
            ("text/html;q=0.5, application/json", Accept::Json),
            ("text/html, application/json;q=0.9", Accept::Html),
            ("application/json;q=0", Accept::Html),
            ("application/json;q=x", Accept::Html),
        ] {
            let headers: HeaderMap = [(ACCEPT, accept.parse().unwrap())].into_iter().collect();
            assert_eq!(Accept::of(&headers), expected, "{accept}");
        }
        assert_eq!(Accept::of(&HeaderMap::new()), Accept::Html);
    }
}
