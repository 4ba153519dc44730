//! Mail, by SMTP (RFC 5321): plain text and the same as HTML, sent in the background.
//!
//! Nobody waits for mail. It queues, is tried a few times, and where it cannot be sent the log says so: whatever a mail
//! tells can be seen in the launcher too. Addresses and subjects are set through the library's types, which encode them:
//! no text of a person can become a header.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use askama::Template;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::config::smtp::SmtpConfig;
use crate::shutdown::Shutdown;

/// Mails that wait to be sent. More means that the relay has been away for long: then new ones are given up.
const WAITING: usize = 256;
/// One step of a conversation with the relay.
const STEP: Duration = Duration::from_secs(20);
/// Waits between attempts. After the last the mail is given up.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(15),
    Duration::from_mins(2),
];

/// Matters whose mail the relay took that are remembered: a page that says so is looked at for minutes.
const REMEMBERED: usize = 1024;

/// One mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// To whom: an address.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// Its text, in plain paragraphs.
    pub paragraphs: Vec<String>,
    /// Where one goes from it: what the link says, and its address.
    pub link: Option<(String, String)>,
    /// The matter it tells of, for [`Mailer::was_taken`].
    pub about: Option<Uuid>,
}

/// Sends mail. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mailer {
    queue: Option<mpsc::Sender<Mail>>,
    taken: Taken,
}

/// The newest matters of which the relay has taken a mail from this process.
#[derive(Debug, Clone, Default)]
struct Taken(Arc<Mutex<VecDeque<Uuid>>>);

/// Mail cannot be sent as configured.
#[derive(Debug, thiserror::Error)]
pub enum MailUnusable {
    /// The relay cannot be spoken to as configured.
    #[error("the mail relay cannot be used: {0}")]
    Relay(#[from] lettre::transport::smtp::Error),
    /// The sender is no address.
    #[error("the sender of mail is no address: {0}")]
    From(#[from] lettre::address::AddressError),
}

impl Mailer {
    /// Sends nothing: mail is not configured.
    pub fn none() -> Self {
        Self {
            queue: None,
            taken: Taken::default(),
        }
    }

    /// Starts sending on the present runtime.
    ///
    /// # Errors
    /// [`MailUnusable`]
    pub fn start(config: &SmtpConfig, shutdown: &Shutdown) -> Result<Self, MailUnusable> {
        let relay = relay(config)?;
        let from: Mailbox = config.from.parse()?;
        let (queue, waiting) = mpsc::channel(WAITING);
        let stop = shutdown.clone();
        let taken = Taken::default();
        let outgoing = Outgoing {
            relay,
            name: name(config),
            from,
            taken: taken.clone(),
        };
        tokio::spawn(async move {
            tokio::select! {
                () = outgoing.send_all(waiting) => {}
                () = stop.hard() => {}
            }
        });
        Ok(Self {
            queue: Some(queue),
            taken,
        })
    }

    /// Whether the relay took a mail about this matter from this process. No is said too where that is long ago, and
    /// where another gateway sent it.
    pub fn was_taken(&self, about: Uuid) -> bool {
        self.taken.has(about)
    }

    /// Queues a mail.
    pub fn send(&self, mail: Mail) {
        if let Some(queue) = &self.queue
            && queue.try_send(mail).is_err()
        {
            tracing::error!("A mail for the relay of [smtp] was given up: too many wait already");
        }
    }
}

impl Taken {
    fn has(&self, about: Uuid) -> bool {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.contains(&about)
    }

    fn add(&self, about: Uuid) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !taken.contains(&about) {
            taken.push_back(about);
        }
        if taken.len() > REMEMBERED {
            taken.pop_front();
        }
    }
}

fn relay(config: &SmtpConfig) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailUnusable> {
    let host = host(config);
    let tls = match (config.url.scheme(), config.starttls) {
        ("smtps", _) => Tls::Wrapper(TlsParameters::new(host.to_owned())?),
        (_, true) => Tls::Required(TlsParameters::new(host.to_owned())?),
        (_, false) => Tls::None,
    };
    // "Dangerous" is the builder that chooses nothing by itself; TLS is chosen here.
    let mut relay = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(port(config))
        .tls(tls)
        .timeout(Some(STEP));
    if let (Some(name), Some(password)) = (&config.username, &config.password) {
        let password = password.expose_secret().to_owned();
        relay = relay.credentials(Credentials::new(name.clone(), password));
    }
    Ok(relay.build())
}

fn host(config: &SmtpConfig) -> &str {
    config.url.host_str().unwrap_or_default().trim_matches(['[', ']'])
}

/// The port of the address, or the usual one.
fn port(config: &SmtpConfig) -> u16 {
    let usual = match (config.url.scheme(), config.starttls) {
        ("smtps", _) => 465,
        (_, true) => 587,
        (_, false) => 25,
    };
    config.url.port().unwrap_or(usual)
}

/// The relay as the log calls it: host and port.
fn name(config: &SmtpConfig) -> String {
    let host = config.url.host_str().unwrap_or_default();
    format!("{host}:{}", port(config))
}

/// The sending end of the queue.
struct Outgoing {
    relay: AsyncSmtpTransport<Tokio1Executor>,
    name: String,
    from: Mailbox,
    taken: Taken,
}

impl Outgoing {
    async fn send_all(&self, mut waiting: mpsc::Receiver<Mail>) {
        while let Some(mail) = waiting.recv().await {
            let message = match message(&mail, &self.from) {
                Ok(message) => message,
                Err(error) => {
                    tracing::error!(%error, "A mail cannot be written");
                    continue;
                }
            };
            if self.send(message).await
                && let Some(about) = mail.about
            {
                self.taken.add(about);
            }
        }
    }

    /// Whether the relay took it.
    async fn send(&self, message: Message) -> bool {
        let name = &self.name;
        let mut pauses = PAUSES.iter();
        loop {
            let Err(error) = self.relay.send(message.clone()).await else {
                tracing::debug!(relay = %name, "A mail was sent");
                return true;
            };
            match pauses.next() {
                // What the relay refuses for good is not offered again (RFC 5321 §4.2.1).
                Some(pause) if !error.is_permanent() => {
                    tracing::warn!(relay = %name, %error, "The relay {name} of [smtp] did not take a mail; it is tried again");
                    tokio::time::sleep(*pause).await;
                }
                _ => {
                    tracing::error!(relay = %name, %error, "The relay {name} of [smtp] did not take a mail; it was given up");
                    return false;
                }
            }
        }
    }
}

fn message(mail: &Mail, from: &Mailbox) -> Result<Message, Unwritable> {
    let to: Mailbox = mail.to.parse()?;
    let html = Html {
        paragraphs: &mail.paragraphs,
        link: mail.link.as_ref(),
    };
    let body = MultiPart::alternative_plain_html(plain(mail), html.render()?);
    Ok(Message::builder()
        .from(from.clone())
        .to(to)
        .subject(mail.subject.as_str())
        .multipart(body)?)
}

#[derive(Debug, thiserror::Error)]
enum Unwritable {
    #[error("its receiver is no address: {0}")]
    To(#[from] lettre::address::AddressError),
    #[error(transparent)]
    Html(#[from] askama::Error),
    #[error(transparent)]
    Message(#[from] lettre::error::Error),
}

fn plain(mail: &Mail) -> String {
    let link = mail.link.as_ref();
    let link = link.map(|(words, address)| format!("{words}: {address}"));
    let paragraphs: Vec<&str> = mail.paragraphs.iter().chain(&link).map(String::as_str).collect();
    paragraphs.join("\n\n") + "\n"
}

/// The same as HTML; the template escapes.
#[derive(Template)]
#[template(path = "mail/mail.html")]
struct Html<'m> {
    paragraphs: &'m [String],
    link: Option<&'m (String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(subject: &str, paragraph: &str) -> Mail {
        Mail {
            to: "bob@example.com".to_owned(),
            subject: subject.to_owned(),
            paragraphs: vec![paragraph.to_owned()],
            link: Some(("Open".to_owned(), "https://login.example.com/a&b".to_owned())),
            about: None,
        }
    }

    fn written(mail: &Mail) -> String {
        let from = "Access <access@example.com>".parse().unwrap();
        String::from_utf8(message(mail, &from).unwrap().formatted()).unwrap()
    }

    #[test]
    fn a_text_of_a_person_never_becomes_a_header_or_markup() {
        let text = written(&mail("Hi\r\nBcc: eve@example.com", "<script>1</script>\r\n.\r\n"));
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            !head
                .lines()
                .any(|line| line.to_ascii_lowercase().starts_with("bcc")),
            "{head}"
        );
        let (_, html) = body.split_once("text/html").unwrap();
        assert!(!html.contains("<script>"), "{html}");
    }

    #[test]
    fn only_the_newest_matters_are_remembered() {
        let taken = Taken::default();
        let matters: Vec<Uuid> = (0..=REMEMBERED as u128).map(Uuid::from_u128).collect();
        for matter in &matters {
            taken.add(*matter);
            taken.add(*matter);
        }
        assert!(!taken.has(matters[0]));
        assert!(matters[1..].iter().all(|matter| taken.has(*matter)));
    }

    #[test]
    fn the_link_stands_in_both_parts() {
        let text = written(&mail("Leave asked", "Ada asks."));
        assert!(text.contains("Open: https://login.example.com/a&b"), "{text}");
        assert!(text.contains("/a&amp;b") || text.contains("/a&#38;b"), "{text}");
    }
}
