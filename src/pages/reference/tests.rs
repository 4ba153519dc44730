use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::*;
use crate::crypto::digest::sha256;

/// A document whose every text tries to be markup.
fn hostile() -> Value {
    let evil = "<script>alert(1)</script>\"'&";
    json!({
        "info": { "version": evil, "description": evil },
        "servers": [{ "url": evil }],
        "tags": [{ "name": evil }],
        "paths": { evil: {
            "parameters": [{ "name": evil, "in": "path", "required": true, "schema": { "type": "string" } }],
            "post": {
                "tags": [evil], "operationId": evil, "summary": evil, "description": evil,
                "parameters": [{ "name": evil, "in": "query", "description": evil, "schema": { "enum": [evil] } }],
                "requestBody": { "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{evil}") } } } },
                "responses": { evil: { "description": evil } },
            },
        } },
        "components": { "schemas": { evil: {
            "type": "object", "required": [evil],
            "properties": { evil: { "anyOf": [{ "const": evil }, { "$ref": format!("#/components/schemas/{evil}") }] } },
        } } },
    })
}

fn html(document: &Value) -> String {
    let reference = Reference::of(document, "<b>R&D</b>").unwrap();
    String::from_utf8(reference.page(&HeaderMap::new()).body().to_vec()).unwrap()
}

#[test]
fn nothing_of_the_document_becomes_markup() {
    let html = html(&hostile());
    assert!(!html.contains("<script") && !html.contains("<b>R&D"), "{html}");
    assert!(!html.contains("\"'&"), "{html}");
}

#[test]
fn the_policy_allows_its_two_styles_and_nothing_else() {
    let reference = Reference::of(&json!({}), "Example").unwrap();
    let answer = reference.page(&HeaderMap::new());
    let html = std::str::from_utf8(answer.body()).unwrap();
    let hash = |style: &str| {
        let style = style.split("</style>").next().unwrap();
        format!("'sha256-{}'", BASE64_STANDARD.encode(sha256(style.as_bytes())))
    };
    let styles: Vec<String> = html.split("<style>").skip(1).map(hash).collect();
    assert_eq!(styles.len(), 2);
    let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.contains(&format!("style-src {};", styles.join(" "))),
        "{policy}"
    );
    assert!(
        policy.contains("script-src 'none';") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(!html.contains("style=") && !html.contains("<script"), "{html}");
    assert_eq!(html.matches("<h1>").count(), 1);
    assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"));
}

#[test]
fn a_schema_that_holds_itself_comes_to_an_end() {
    let own = json!({ "$ref": "#/components/schemas/Knot" });
    let document = json!({
        "servers": [{ "url": "https://login.example.com/client/v4" }],
        "tags": [{ "name": "Knots" }],
        "paths": { "/knots": { "post": {
            "tags": ["Knots"], "operationId": "tie", "summary": "Tie",
            "requestBody": { "required": true, "content": { "application/json": { "schema": own } } },
            "responses": {},
        } } },
        "components": { "schemas": { "Knot": {
            "type": "object", "required": ["inner"], "properties": { "inner": own, "name": { "type": ["string", "null"] } },
        } } },
    });
    let html = html(&document);
    assert!(html.contains("<a href=\"#shape-Knot\">Knot</a>"), "{html}");
    assert!(
        html.contains("curl -X POST &#34;https://login.example.com/client/v4/knots&#34;"),
        "{html}"
    );
    assert!(html.contains("or null"), "{html}");
}

#[test]
fn a_kind_is_told_in_words() {
    for (schema, words) in [
        (json!({ "type": ["string", "null"] }), "text"),
        (
            json!({ "type": "array", "items": { "type": "string", "format": "uuid" } }),
            "list of UUID",
        ),
        (
            json!({ "enum": ["a", "<", null] }),
            "<code>a</code>, <code>&#60;</code>",
        ),
        (
            json!({ "anyOf": [{ "$ref": "#/components/schemas/Policy" }, { "type": "string" }, { "type": "null" }] }),
            "<a href=\"#shape-Policy\">Policy</a> or text",
        ),
        (json!({ "const": true }), "<code>true</code>"),
        (json!({}), "JSON"),
        (json!({ "type": "null" }), "<code>null</code>"),
    ] {
        assert_eq!(kind::kind(&schema).to_string(), words, "{schema}");
    }
}
