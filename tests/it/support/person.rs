//! A person at a browser: keeps cookies as browsers do, follows one redirect after the other, and signs in at Entra.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mock_entra::MockEntra;
use url::Url;

use super::wire::{Dial, Reply, Wire};

/// How many redirects browsers follow before they speak of a loop.
const LONGEST_CHAIN: usize = 20;

/// A browser and who sits at it.
#[derive(Clone)]
pub(crate) struct Person {
    /// Who signs in at Entra when asked; nobody, for an anonymous browser.
    pub(crate) upn: Option<String>,
    /// The gateway this browser's requests go to.
    pub(crate) via: Dial,
    /// Scheme of all addresses.
    pub(crate) scheme: &'static str,
    /// Header lines of each request to the gateway, as a proxy in front would add them.
    pub(crate) says: Vec<(String, String)>,
    /// The port of all addresses, which is not that of `via` where there are several gateways.
    pub(crate) port: u16,
    // By host, name and path.
    cookies: BTreeMap<(String, String, String), String>,
}

/// Where a chain of redirects ended.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) url: Url,
    pub(crate) reply: Reply,
    /// Every address visited, the last one included.
    pub(crate) way: Vec<Url>,
}

impl Arrival {
    pub(crate) fn status(&self) -> u16 {
        self.reply.status
    }

    pub(crate) fn text(&self) -> String {
        self.reply.text()
    }

    /// Whether the way led over a page of Entra.
    pub(crate) fn asked_entra(&self) -> bool {
        self.way.iter().any(|url| url.path().ends_with("/authorize"))
    }
}

impl Person {
    pub(crate) fn new(upn: Option<&str>, via: Dial, scheme: &'static str, port: u16) -> Self {
        Self {
            upn: upn.map(str::to_owned),
            via,
            scheme,
            says: Vec::new(),
            port,
            cookies: BTreeMap::new(),
        }
    }

    /// Behind a proxy that adds this header to each request.
    pub(crate) fn saying(mut self, name: &str, value: &str) -> Self {
        self.says.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The address of a path on a host of ours.
    pub(crate) fn address(&self, host: &str, path: &str) -> Url {
        format!("{}://{host}:{}{path}", self.scheme, self.port)
            .parse()
            .unwrap()
    }

    /// Opens a page and follows every redirect, through Entra's sign-in where it comes to that.
    pub(crate) async fn open(&mut self, host: &str, path: &str) -> Arrival {
        self.follow(self.address(host, path)).await
    }

    /// [`Person::open`] for a whole address.
    pub(crate) async fn follow(&mut self, start: Url) -> Arrival {
        self.follow_while(start, |_| true).await
    }

    /// Follows redirects as long as the next address is one to go to. The arrival's address is then that next one.
    pub(crate) async fn follow_while(&mut self, start: Url, goes_on: impl Fn(&Url) -> bool) -> Arrival {
        let mut url = start;
        let mut way = Vec::new();
        loop {
            way.push(url.clone());
            assert!(way.len() <= LONGEST_CHAIN, "redirected in a loop: {way:#?}");
            let reply = self.get(&url).await;
            let Some(next) = next(&url, &reply) else {
                return Arrival { url, reply, way };
            };
            if !goes_on(&next) {
                return Arrival {
                    url: next,
                    reply,
                    way,
                };
            }
            url = next;
        }
    }

    /// Goes as far as the answer of Entra, and gives the address of the callback without opening it.
    pub(crate) async fn up_to_callback(&mut self, host: &str, path: &str) -> Url {
        let start = self.address(host, path);
        let arrival = self
            .follow_while(start, |url| !url.path().ends_with("/cdn-cgi/access/callback"))
            .await;
        assert!(
            arrival.url.path().ends_with("/callback"),
            "no callback: {:?}",
            arrival.way
        );
        arrival.url
    }

    /// One request with this browser's cookies; no redirect is followed.
    pub(crate) async fn get(&mut self, url: &Url) -> Reply {
        self.request("GET", url, &[], b"").await
    }

    /// One request to a path of a host.
    pub(crate) async fn fetch(&mut self, host: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        let url = self.address(host, path);
        self.request("GET", &url, headers, b"").await
    }

    /// One request with further headers and a body.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        url: &Url,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        self.attempt(method, url, headers, body).await.expect("an answer")
    }

    /// [`Person::request`] that may be cut before there is an answer: its session ended while it waited.
    pub(crate) async fn attempt(
        &mut self,
        method: &str,
        url: &Url,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Reply> {
        let mut url = url.clone();
        if let Some(upn) = self
            .upn
            .as_deref()
            .filter(|_| url.path().ends_with("/oauth2/v2.0/authorize"))
        {
            url = MockEntra::signed_in_as(url.as_str(), upn).parse().unwrap();
        }
        let mut wire = self.connect(&url).await;
        let mut head = self.head(method, &url, headers);
        if !body.is_empty() || method == "POST" {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        head.push_str("Connection: close\r\n\r\n");
        wire.send(head.as_bytes()).await;
        wire.send(body).await;
        let reply = wire.head().await?;
        let reply = Reply {
            body: if method == "HEAD" {
                Vec::new()
            } else {
                wire.body(&reply).await
            },
            ..reply
        };
        self.keep_cookies(&url, &reply);
        Some(reply)
    }

    /// A connection on which a request with this browser's cookies has begun: its head is sent, with these headers.
    pub(crate) async fn begin(&self, method: &str, host: &str, path: &str, headers: &[(&str, &str)]) -> Wire {
        let url = self.address(host, path);
        let mut wire = self.connect(&url).await;
        wire.send(format!("{}\r\n", self.head(method, &url, headers)))
            .await;
        wire
    }

    async fn connect(&self, url: &Url) -> Wire {
        let host = url.host_str().unwrap();
        match host.parse() {
            // Entra has a plain address.
            Ok(address) => {
                Dial::plain((std::net::IpAddr::V4(address), url.port().unwrap()).into())
                    .connect(host)
                    .await
            }
            Err(_) => self.via.connect(host).await,
        }
    }

    /// Request line and header lines, without the empty line at the end.
    fn head(&self, method: &str, url: &Url, headers: &[(&str, &str)]) -> String {
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {authority}\r\n");
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("accept"))
        {
            head.push_str("Accept: text/html,*/*\r\n");
        }
        let cookies = self.cookie_header(url);
        if !cookies.is_empty() {
            write!(head, "Cookie: {cookies}\r\n").unwrap();
        }
        let said = self
            .says
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in headers.iter().copied().chain(said) {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head
    }

    /// The `Cookie` header for an address.
    pub(crate) fn cookie_header(&self, url: &Url) -> String {
        let fits = |(host, _, path): &(String, String, String)| {
            url.host_str() == Some(host) && (path == "/" || url.path().starts_with(path.as_str()))
        };
        let cookies = self.cookies.iter().filter(|(key, _)| fits(key));
        cookies
            .map(|((_, name, _), value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// A cookie of a host, whatever its path.
    pub(crate) fn cookie(&self, host: &str, name: &str) -> Option<String> {
        let found = self.cookies.iter().find(|((h, n, _), _)| h == host && n == name);
        found.map(|(_, value)| value.clone())
    }

    /// Puts a cookie into the jar, as scripts, sibling hosts and thieves do.
    pub(crate) fn plant(&mut self, host: &str, name: &str, value: &str) {
        self.cookies.insert(
            (host.to_owned(), name.to_owned(), "/".to_owned()),
            value.to_owned(),
        );
    }

    fn keep_cookies(&mut self, url: &Url, reply: &Reply) {
        for line in reply.all("set-cookie") {
            let cookie = cookie::Cookie::parse(line.to_owned()).unwrap();
            let path = cookie.path().unwrap_or("/").to_owned();
            let key = (url.host_str().unwrap().to_owned(), cookie.name().to_owned(), path);
            if cookie.max_age().is_some_and(|age| age.whole_seconds() <= 0) {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, cookie.value().to_owned());
            }
        }
    }
}

/// Where a redirect leads.
fn next(url: &Url, reply: &Reply) -> Option<Url> {
    let location = reply
        .header("location")
        .filter(|_| matches!(reply.status, 301..=303 | 307 | 308))?;
    Some(url.join(location).unwrap())
}
