//! The OpenAPI 3.1 document of the API, made from the operations and shapes that answer requests.
//! (<https://spec.openapis.org/oas/v3.1.1.html>)

use http::Method;
use serde_json::{Map, Value, json};

use super::operation::{Gives, Needed, Operation, Takes, parameter};
use super::operations;
use super::shape::{Key, Role, Shape, UnknownKeys, What};

/// The document. `server` is the address that paths stand below, `account` the one account there is, `page` the address
/// of the same for people.
pub(super) fn document(server: &str, account: &str, page: &str) -> Value {
    let mut schemas = Map::new();
    let mut paths: Map<String, Value> = Map::new();
    let mut areas: Vec<&str> = Vec::new();
    for (area, operation) in operations::by_area() {
        if !areas.contains(&area) {
            areas.push(area);
        }
        let described = described(area, operation, &mut schemas);
        let place = paths.entry(operation.path).or_insert_with(|| {
            let parameters: Vec<Value> = operation
                .path
                .split('/')
                .filter_map(parameter)
                .map(|name| in_path(name, account))
                .collect();
            json!({ "parameters": parameters })
        });
        if let Value::Object(place) = place {
            place.insert(operation.method.as_str().to_ascii_lowercase(), described);
        }
    }
    schemas.insert("Failure".to_owned(), failure());
    schemas.insert("ResultInfo".to_owned(), result_info());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Vestibule",
            "description": "The part of Cloudflare's API that Vestibule answers.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "externalDocs": { "description": "The same to be read by people", "url": page },
        "servers": [{ "url": server }],
        "tags": areas.iter().map(|area| json!({ "name": area })).collect::<Vec<_>>(),
        "security": [{ "token": [] }, { "email": [], "key": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "email": { "type": "apiKey", "in": "header", "name": "X-Auth-Email" },
                "key": { "type": "apiKey", "in": "header", "name": "X-Auth-Key" },
            },
        },
    })
}

fn described(area: &str, operation: &Operation, schemas: &mut Map<String, Value>) -> Value {
    let mut described = Map::new();
    described.insert("tags".to_owned(), json!([area]));
    described.insert("operationId".to_owned(), operation.id.into());
    described.insert("summary".to_owned(), operation.summary.into());
    let names: Vec<String> = operation
        .permissions()
        .map(|permission| format!("\"{}\"", permission.name()))
        .collect();
    if !names.is_empty() {
        let (what, names) = (
            if names.len() > 1 {
                "permissions"
            } else {
                "permission"
            },
            names.join(" and "),
        );
        let said = format!("Needs the {what} {names}.");
        described.insert("description".to_owned(), said.into());
    }
    if !operation.query.is_empty() {
        let parameters = operation.query.iter().map(|(name, meaning)| {
            let required = operation.needs.contains(name);
            json!({
                "name": name, "in": "query", "description": meaning, "required": required,
                "schema": { "type": "string" },
            })
        });
        described.insert("parameters".to_owned(), parameters.collect());
    }
    if let Some(body) = body(operation.takes, schemas) {
        described.insert("requestBody".to_owned(), body);
    }
    let failure = json!({ "description": "Nothing was changed", "content": content(&reference("Failure")) });
    let mut responses = Map::new();
    responses.insert(
        operation.status.as_str().to_owned(),
        success(operation.gives, schemas),
    );
    for (status, meaning) in refusals(operation) {
        let described = json!({ "description": meaning, "content": content(&reference("Failure")) });
        responses.insert(status.to_owned(), described);
    }
    responses.insert("default".to_owned(), failure);
    described.insert("responses".to_owned(), Value::Object(responses));
    Value::Object(described)
}

/// The answers to expect besides success, and what each means. There is no 401: whoever shows no good token is told 403,
/// as by Cloudflare's API.
fn refusals(operation: &Operation) -> Vec<(&'static str, &'static str)> {
    let mut refusals = vec![
        (
            "400",
            "The request cannot be taken as it is; each error says where",
        ),
        ("403", "No good token was shown, or one without the permission"),
    ];
    if operation.path.split('/').filter_map(parameter).count() > 1 {
        refusals.push(("404", "There is no such object"));
    }
    if *operation.method != Method::GET {
        refusals.push((
            "409",
            "Another object, or the configuration file, stands against it",
        ));
    }
    refusals.push((
        "429",
        "Too many wrong tokens, or too much at once; try again later",
    ));
    refusals.push((
        "503",
        "The store, or who else had to be asked, does not answer; look whether a change was made before asking for it again",
    ));
    refusals
}

fn in_path(name: &str, account: &str) -> Value {
    let schema = json!({ "type": "string" });
    if name == "account_id" {
        json!({ "name": name, "in": "path", "required": true, "schema": schema, "example": account })
    } else {
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    }
}

fn body(takes: Takes, schemas: &mut Map<String, Value>) -> Option<Value> {
    let (schema, required) = match takes {
        Takes::Nothing => return None,
        Takes::Object(shape, needed) => (schema_of(shape, schemas), needed == Needed::Yes),
        Takes::Objects(shape) => (list_of(&schema_of(shape, schemas)), true),
    };
    Some(json!({ "required": required, "content": content(&schema) }))
}

fn success(gives: Gives, schemas: &mut Map<String, Value>) -> Value {
    let mut paged = false;
    let result = match gives {
        Gives::Any => json!({}),
        Gives::Nothing => json!({ "type": "null" }),
        Gives::Id => {
            json!({ "type": "object", "properties": { "id": { "type": "string" } }, "required": ["id"] })
        }
        Gives::Object(shape) => schema_of(shape, schemas),
        Gives::Objects(shape) => list_of(&schema_of(shape, schemas)),
        Gives::Page(shape) => {
            paged = true;
            list_of(&schema_of(shape, schemas))
        }
    };
    let note = json!({
        "type": "object",
        "properties": { "code": { "type": "integer" }, "message": { "type": "string" } },
    });
    let mut properties = Map::new();
    properties.insert("success".to_owned(), json!({ "const": true }));
    properties.insert("errors".to_owned(), json!({ "type": "array", "maxItems": 0 }));
    properties.insert("messages".to_owned(), list_of(&note));
    properties.insert("result".to_owned(), result);
    if paged {
        properties.insert("result_info".to_owned(), reference("ResultInfo"));
    }
    let required: Vec<String> = properties.keys().cloned().collect();
    let envelope = json!({ "type": "object", "properties": properties, "required": required });
    json!({ "description": "Done", "content": content(&envelope) })
}

fn content(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn list_of(schema: &Value) -> Value {
    json!({ "type": "array", "items": schema })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A reference to the schema of a shape, which is made where it is not there yet.
fn schema_of(shape: &'static Shape, schemas: &mut Map<String, Value>) -> Value {
    if !schemas.contains_key(shape.name) {
        // Held before it is filled, so that a shape may contain itself.
        schemas.insert(shape.name.to_owned(), Value::Null);
        let properties: Map<String, Value> = shape
            .keys
            .iter()
            .map(|key| (key.name.to_owned(), property(key, schemas)))
            .collect();
        let mut schema = json!({ "type": "object", "properties": properties });
        if let Value::Object(schema) = &mut schema {
            let needed: Vec<&str> = shape.needed().collect();
            if !needed.is_empty() {
                schema.insert("required".to_owned(), needed.into());
            }
            if shape.unknown == UnknownKeys::Refused {
                schema.insert("additionalProperties".to_owned(), false.into());
            }
        }
        schemas.insert(shape.name.to_owned(), schema);
    }
    reference(shape.name)
}

fn property(key: &Key, schemas: &mut Map<String, Value>) -> Value {
    let nullable = |kind: &str| json!({ "type": [kind, "null"] });
    let mut schema = match key.what {
        What::Text => nullable("string"),
        What::Word(words) => {
            let words = words.iter().map(|word| Value::from(*word));
            let words: Vec<Value> = words.chain([Value::Null]).collect();
            json!({ "type": ["string", "null"], "enum": words })
        }
        What::Flag => nullable("boolean"),
        What::Number => nullable("integer"),
        What::Time => json!({ "type": ["string", "null"], "format": "date-time" }),
        What::Id => json!({ "type": ["string", "null"], "format": "uuid" }),
        What::Texts => json!({ "type": ["array", "null"], "items": { "type": "string" } }),
        What::Rules => json!({
            "type": ["array", "null"],
            "items": { "type": "object", "minProperties": 1, "maxProperties": 1 },
            "examples": [[{ "email_domain": { "domain": "example.com" } }]],
        }),
        What::Object(shape) => json!({ "anyOf": [schema_of(shape, schemas), { "type": "null" }] }),
        What::Objects(shape) => json!({
            "type": ["array", "null"],
            "items": schema_of(shape, schemas),
        }),
        What::ObjectsOrLinks(shape, link) => json!({
            "type": ["array", "null"],
            "items": { "anyOf": [schema_of(shape, schemas), schema_of(link, schemas), { "type": "string", "format": "uuid" }] },
        }),
        What::Any => json!({}),
    };
    if let Value::Object(schema) = &mut schema {
        match key.role {
            Role::ReadOnly => schema.insert("readOnly".to_owned(), true.into()),
            Role::Secret => schema.insert("writeOnly".to_owned(), true.into()),
            Role::Needed | Role::Optional => None,
        };
    }
    schema
}

fn failure() -> Value {
    let error = json!({
        "type": "object",
        "properties": {
            "code": { "type": "integer", "minimum": 900 },
            "message": { "type": "string" },
            "source": { "type": "object", "properties": { "pointer": { "type": "string" } } },
        },
        "required": ["code", "message"],
    });
    json!({
        "type": "object",
        "properties": {
            "success": { "const": false },
            "errors": { "type": "array", "minItems": 1, "items": error },
            "messages": { "type": "array" },
            "result": { "type": "null" },
        },
        "required": ["success", "errors", "messages", "result"],
    })
}

fn result_info() -> Value {
    let numbers = ["page", "per_page", "count", "total_count", "total_pages"];
    let properties: Map<String, Value> = numbers
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "type": "integer" })))
        .collect();
    json!({ "type": "object", "properties": properties, "required": numbers })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reference leads somewhere, and two shapes never share a name.
    #[test]
    fn the_document_is_whole() {
        let document = document(
            "https://login.example.com/client/v4",
            "0123456789abcdef0123456789abcdef",
            "https://login.example.com/cdn-cgi/access/api",
        );
        let text = document.to_string();
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(
                document.pointer(pointer).is_some_and(Value::is_object),
                "{pointer}"
            );
        }
        let paths = document["paths"].as_object().unwrap();
        let described: usize = paths
            .values()
            .map(|place| place.as_object().unwrap().len() - 1)
            .sum();
        assert_eq!(described, operations::all().count());
        let group = &document["components"]["schemas"]["Group"];
        assert_eq!(group["required"], json!(["name", "include"]));
        assert_eq!(group["additionalProperties"], json!(false));
        let decision = &document["components"]["schemas"]["Policy"]["properties"]["decision"];
        assert_eq!(
            decision["enum"],
            json!(["allow", "deny", "bypass", "non_identity", null])
        );
        let updates = &document["paths"]["/accounts/{account_id}/access/logs/scim/updates"]["get"];
        let parameters = updates["parameters"].as_array().unwrap().iter();
        let required = parameters.filter(|parameter| parameter["required"] == true);
        assert_eq!(
            required.map(|needed| &needed["name"]).collect::<Vec<_>>(),
            ["idp_id"]
        );
        for (status, there) in [("401", false), ("403", true), ("404", false), ("409", false)] {
            assert_eq!(updates["responses"].get(status).is_some(), there, "{status}");
        }
        let app = &document["paths"]["/accounts/{account_id}/access/apps/{app_id}"]["put"]["responses"];
        assert!(app["404"].is_object() && app["409"].is_object());
        // Policies of an application: whole, by a link with a precedence, or by id.
        let policies = &document["components"]["schemas"]["Application"]["properties"]["policies"];
        let shapes = policies["items"]["anyOf"].as_array().unwrap();
        assert_eq!(shapes.len(), 3);
        assert!(shapes.contains(&reference("PolicyLink")));
        let link = &document["components"]["schemas"]["PolicyLink"];
        assert_eq!(link["required"], json!(["id"]));
        assert_eq!(
            link["properties"]["precedence"]["type"],
            json!(["integer", "null"])
        );
    }
}
