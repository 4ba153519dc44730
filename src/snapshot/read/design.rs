//! What pages wear: of the organization, and of the launcher.

use crate::model::design::{FooterLink, LauncherDesign, LoginDesign, Welcome};

use super::object::{Object, asks_for_something};

/// Keys of the launcher's design in its application.
pub(super) const OF_LAUNCHER: [&str; 6] = [
    "app_launcher_logo_url",
    "bg_color",
    "header_bg_color",
    "footer_links",
    "landing_page_design",
    "skip_app_launcher_login_page",
];

/// `login_design` of the organization.
pub(super) fn login(object: &Object<'_>) -> Option<LoginDesign> {
    const KEYS: [&str; 5] = [
        "background_color",
        "text_color",
        "logo_path",
        "header_text",
        "footer_text",
    ];
    let below = part(object, "login_design", &KEYS)?;
    Some(LoginDesign {
        background: below.parsed("background_color"),
        text: below.parsed("text_color"),
        logo: below.parsed("logo_path"),
        header: below.parsed("header_text"),
        footer: below.parsed("footer_text"),
    })
}

/// What an application of type `app_launcher` says of looks.
pub(super) fn launcher(object: &Object<'_>) -> LauncherDesign {
    let skips = object.flag("skip_app_launcher_login_page").unwrap_or(false);
    let welcome = welcome(object);
    LauncherDesign {
        logo: object.parsed("app_launcher_logo_url"),
        background: object.parsed("bg_color"),
        header: object.parsed("header_bg_color"),
        links: links(object),
        welcome: welcome.filter(|_| !skips),
    }
}

/// The page before the sign-in. One that says nothing is none.
fn welcome(object: &Object<'_>) -> Option<Welcome> {
    const KEYS: [&str; 5] = [
        "title",
        "message",
        "image_url",
        "button_color",
        "button_text_color",
    ];
    let below = part(object, "landing_page_design", &KEYS)?;
    let welcome = Welcome {
        title: below.parsed("title"),
        message: below.parsed("message"),
        image: below.parsed("image_url"),
        button: below.parsed("button_color"),
        button_text: below.parsed("button_text_color"),
    };
    object
        .given("landing_page_design")
        .is_some_and(asks_for_something)
        .then_some(welcome)
}

fn links(object: &Object<'_>) -> Vec<FooterLink> {
    let items = object.items("footer_links");
    if items.len() > FooterLink::MOST {
        object.problem(
            "footer_links",
            format!("there are more than {}", FooterLink::MOST),
        );
        return Vec::new();
    }
    let links = items.into_iter().filter_map(|(pointer, item)| {
        let below = object.below(item, &pointer)?;
        below.has_only(&["name", "url"]);
        let (name, address) = (below.needed("name"), below.needed("url"));
        Some(FooterLink {
            name: name?,
            address: address?,
        })
    });
    links.collect()
}

/// An object below, which has no other keys than these.
fn part<'v>(object: &Object<'v>, key: &str, keys: &[&str]) -> Option<Object<'v>> {
    let value = object.given(key)?;
    let below = object.below(value, &format!("/{key}"))?;
    below.has_only(keys);
    Some(below)
}
