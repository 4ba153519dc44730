//! `[smtp]`: how mail is sent, where it is.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::secret;
use super::tree::{Keys, Node};

/// How mail is sent.
#[derive(Debug, Clone)]
pub struct SmtpConfig {
    /// `smtps://host[:port]`, or `smtp://host[:port]` for relays that begin in the clear. It holds no password.
    pub url: Url,
    /// Whether a connection that begins in the clear must be encrypted before anything is said (STARTTLS, RFC 3207).
    pub starttls: bool,
    /// The name to sign in with.
    pub username: Option<String>,
    /// The password to sign in with.
    pub password: Option<SecretString>,
    /// Whom mail comes from, such as `Vestibule <access@example.com>`.
    pub from: String,
}

impl PartialEq for SmtpConfig {
    /// Both sides come from the file's owner: there is nobody to hide the time of a comparison from.
    fn eq(&self, other: &Self) -> bool {
        let password = |config: &Self| Some(config.password.as_ref()?.expose_secret().to_owned());
        self.url == other.url
            && self.starttls == other.starttls
            && self.username == other.username
            && password(self) == password(other)
            && self.from == other.from
    }
}

impl Eq for SmtpConfig {}

pub(super) const KEYS: Keys = Keys {
    known: &["url", "username", "password", "from", "starttls"],
    refused: &[],
};
const URL: &str = "write url = \"smtps://mail.example.com\"";
const FROM: &str = "write from = \"Vestibule <access@example.com>\"";
const PASSWORD: &str = "write password = { env = \"SMTP_PASSWORD\" }";

pub(super) fn read(node: &Node<'_>) -> Option<SmtpConfig> {
    let table = node.table(&KEYS)?;
    let url = table.need("url", URL).and_then(|node| url(&node));
    let from = table.need("from", FROM).and_then(|node| from(&node));
    let username = table.node("username").map(|node| node.text().map(str::to_owned));
    let password = table.node("password").map(|node| secret::text(&node));
    let starttls = table.node("starttls").map_or(Some(true), |node| node.boolean());
    if username.is_some() != password.is_some() {
        table.fault(
            "a name goes with a password, and a password with a name",
            PASSWORD,
        );
        return None;
    }
    let (url, starttls) = (url?, starttls?);
    if password.is_some() && url.scheme() == "smtp" && !starttls && !is_loopback(&url) {
        table.fault(
            "the password would be sent in the clear",
            "use smtps://, or leave starttls on",
        );
        return None;
    }
    Some(SmtpConfig {
        url,
        starttls,
        username: username.map_or(Some(None), |name| name.map(Some))?,
        password: password.map_or(Some(None), |password| password.map(Some))?,
        from: from?,
    })
}

fn url(node: &Node<'_>) -> Option<Url> {
    let url: Url = node.parsed(URL)?;
    let known =
        matches!(url.scheme(), "smtp" | "smtps") && url.host_str().is_some_and(|host| !host.is_empty());
    let bare = url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    match (known, bare) {
        (true, true) => return Some(url),
        (true, false) => node.fault(
            "it holds more than a host and a port",
            "write name and password as username and password",
        ),
        (false, _) => node.fault("mail is sent by smtps or smtp", URL),
    }
    None
}

fn from(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    if text.parse::<lettre::message::Mailbox>().is_err() {
        node.fault("it is no address of mail", FROM);
        return None;
    }
    Some(text.to_owned())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
