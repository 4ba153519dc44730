//! What the identity provider's sign-out page loads in an invisible frame: done, and nothing else.

use askama::Template;
use http::StatusCode;

use super::assets::Ancestors;
use super::frame::Frame;
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// The answer to a front-channel logout (OpenID Connect Front-Channel Logout 1.0 §2). The same whether a session was
/// found or not: it tells nothing.
#[derive(Debug)]
pub struct FrontChannel<'a> {
    /// The origin of the provider, the only one that may frame this.
    pub provider_origin: &'a str,
}

impl Page for FrontChannel<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn code(&self) -> &'static str {
        "signed_out"
    }

    fn message(&self) -> String {
        words::SIGNED_OUT_TITLE.into()
    }

    fn ancestors(&self) -> Ancestors<'_> {
        Ancestors::Origin(self.provider_origin)
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let view = View {
            lang: words::LANGUAGE,
            title: Sentence::new(words::SIGNED_OUT_TITLE),
            request_id: frame.request_id,
        };
        view.render()
    }
}

#[derive(Template)]
#[template(path = "person/front_channel.html")]
struct View<'a> {
    lang: &'static str,
    title: Sentence<'static>,
    request_id: &'a str,
}
