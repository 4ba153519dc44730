//! What pages wear: `login_design` of the organization, and the looks of the launcher.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::tree::{Keys, Node, Table};
use crate::model::colour::Colour;
use crate::model::design::{FooterLink, LoginDesign, SlotText};
use crate::model::web_address::WebAddress;

pub(super) const LOGIN_KEYS: Keys = Keys {
    known: &[
        "background_color",
        "text_color",
        "logo_path",
        "header_text",
        "footer_text",
    ],
    refused: &[],
};
pub(super) const WELCOME_KEYS: Keys = Keys {
    known: &[
        "title",
        "message",
        "image_url",
        "button_color",
        "button_text_color",
    ],
    refused: &[],
};
pub(super) const LINK_KEYS: Keys = Keys {
    known: &["name", "url"],
    refused: &[],
};

const COLOUR: &str = "write \"#1f5fbf\"";
const PICTURE: &str = "write \"https://www.example.com/logo.svg\"";
const TEXT: &str = "write a short plain text";

/// `login_design`.
pub(super) fn login(node: &Node<'_>) -> Option<LoginDesign> {
    let table = node.table(&LOGIN_KEYS)?;
    let (background, text) = (
        optional(&table, "background_color", COLOUR),
        optional(&table, "text_color", COLOUR),
    );
    let logo = optional(&table, "logo_path", PICTURE);
    let (header, footer) = (
        optional(&table, "header_text", TEXT),
        optional(&table, "footer_text", TEXT),
    );
    Some(LoginDesign {
        background: background.ok()?,
        text: text.ok()?,
        logo: logo.ok()?,
        header: header.ok()?,
        footer: footer.ok()?,
    })
}

/// The looks of the launcher, as the API has them.
pub(super) fn launcher(table: &Table<'_>) -> Option<Map<String, Value>> {
    let mut body = Map::new();
    let logo = text::<WebAddress>(table, "app_launcher_logo_url", PICTURE);
    let (behind, header) = (
        text::<Colour>(table, "bg_color", COLOUR),
        text::<Colour>(table, "header_bg_color", COLOUR),
    );
    let links = table
        .node("footer_links")
        .map_or(Some(Value::Null), |node| links(&node));
    let welcome = table
        .node("landing_page_design")
        .map_or(Some(Value::Null), |node| welcome(&node));
    let skips = table
        .node("skip_app_launcher_login_page")
        .map_or(Some(Value::Null), |node| node.boolean().map(Value::from));
    for (key, value) in [
        ("app_launcher_logo_url", logo?),
        ("bg_color", behind?),
        ("header_bg_color", header?),
        ("footer_links", links?),
        ("landing_page_design", welcome?),
        ("skip_app_launcher_login_page", skips?),
    ] {
        if !value.is_null() {
            body.insert(key.to_owned(), value);
        }
    }
    Some(body)
}

fn welcome(node: &Node<'_>) -> Option<Value> {
    let table = node.table(&WELCOME_KEYS)?;
    let read = [
        ("title", text::<SlotText>(&table, "title", TEXT)),
        ("message", text::<SlotText>(&table, "message", TEXT)),
        ("image_url", text::<WebAddress>(&table, "image_url", PICTURE)),
        ("button_color", text::<Colour>(&table, "button_color", COLOUR)),
        (
            "button_text_color",
            text::<Colour>(&table, "button_text_color", COLOUR),
        ),
    ];
    let mut body = Map::new();
    for (key, value) in read {
        let value = value?;
        if !value.is_null() {
            body.insert(key.to_owned(), value);
        }
    }
    Some(Value::Object(body))
}

fn links(node: &Node<'_>) -> Option<Value> {
    let nodes = node.array()?;
    if nodes.len() > FooterLink::MOST {
        node.fault(format!("more than {} links", FooterLink::MOST), "name fewer");
        return None;
    }
    let links: Vec<Option<Value>> = nodes.iter().map(link).collect();
    links.into_iter().collect::<Option<Vec<Value>>>().map(Value::from)
}

fn link(node: &Node<'_>) -> Option<Value> {
    let table = node.table(&LINK_KEYS)?;
    let name = table
        .need("name", "write name = \"Help\"")
        .and_then(|node| node.parsed::<SlotText>(TEXT));
    let url = table
        .need("url", "write url = \"https://www.example.com/help\"")
        .and_then(|node| node.parsed::<WebAddress>("write \"https://www.example.com/help\""));
    Some(json!({ "name": name?.as_str(), "url": url?.as_str() }))
}

/// A fault was told.
struct Faulty;

/// What a text stands for, where it is written.
fn optional<T: FromStr<Err: Display>>(table: &Table<'_>, key: &str, mend: &str) -> Result<Option<T>, Faulty> {
    let Some(node) = table.node(key) else {
        return Ok(None);
    };
    node.parsed(mend).map(Some).ok_or(Faulty)
}

/// A text that stands for something, as it is written; null where it is not written.
fn text<T: FromStr<Err: Display>>(table: &Table<'_>, key: &str, mend: &str) -> Option<Value> {
    let Some(node) = table.node(key) else {
        return Some(Value::Null);
    };
    node.parsed::<T>(mend)?;
    node.text().map(Value::from)
}
