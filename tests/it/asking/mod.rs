//! Policies that ask people for more than who they are: a reason, or leave.

mod approval;
mod reason;

use std::collections::BTreeMap;

use url::Url;

use crate::support::person::{Arrival, Person};
use crate::support::wire::Reply;

/// A form of ours as it stands on a page: where it is sent, and its hidden fields.
pub(crate) struct Form {
    action: String,
    fields: BTreeMap<String, String>,
}

impl Form {
    /// The first form of a page after a text.
    pub(crate) fn after(page: &str, text: &str) -> Self {
        let (_, page) = page
            .split_once(text)
            .unwrap_or_else(|| panic!("no {text:?} in {page}"));
        let (_, form) = page
            .split_once("<form class=\"ask\" method=\"post\" action=\"")
            .unwrap_or_else(|| panic!("no form in {page}"));
        let (action, form) = form.split_once('"').unwrap();
        let (form, _) = form.split_once("</form>").unwrap();
        let mut fields = BTreeMap::new();
        for input in form.split("<input type=\"hidden\" name=\"").skip(1) {
            let (name, rest) = input.split_once("\" value=\"").unwrap();
            let (value, _) = rest.split_once('"').unwrap();
            fields.insert(name.to_owned(), value.to_owned());
        }
        Self {
            action: action.to_owned(),
            fields,
        }
    }

    pub(crate) fn of(page: &str) -> Self {
        Self::after(page, "<main>")
    }

    /// Sends the form as a browser does that strips referrers: from a page of the same origin, which it does not name.
    pub(crate) async fn send(&self, person: &mut Person, from: &Url, fields: &[(&str, &str)]) -> Arrival {
        let reply = self.send_as(person, from, fields, FROM_OUR_PAGE).await;
        let url = from.join(&self.action).unwrap();
        match reply.header("location") {
            Some(next) => person.follow(url.join(next).unwrap()).await,
            None => Arrival {
                way: vec![url.clone()],
                url,
                reply,
            },
        }
    }

    /// Sends the form with these headers, and follows nothing.
    pub(crate) async fn send_as(
        &self,
        person: &mut Person,
        from: &Url,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Reply {
        let hidden = self
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(hidden.chain(fields.iter().copied()))
            .finish();
        let mut all = vec![("Content-Type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        let url = from.join(&self.action).unwrap();
        person.request("POST", &url, &all, body.as_bytes()).await
    }
}

pub(crate) const FROM_OUR_PAGE: &[(&str, &str)] = &[("Origin", "null"), ("Sec-Fetch-Site", "same-origin")];
