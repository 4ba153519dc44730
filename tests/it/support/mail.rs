//! A mail relay that keeps what it is given (RFC 5321, as much as one client needs).

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};

/// The relay.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    mails: Mutex<mpsc::UnboundedReceiver<Mail>>,
}

/// A mail as it came.
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) text: String,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mails) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, sender.clone()));
            }
        });
        Self {
            address,
            mails: Mutex::new(mails),
        }
    }

    /// The next mail.
    pub(crate) async fn next(&self) -> Mail {
        let next = async { self.mails.lock().await.recv().await.unwrap() };
        tokio::time::timeout(Duration::from_secs(20), next)
            .await
            .expect("a mail")
    }
}

async fn serve(stream: TcpStream, mails: mpsc::UnboundedSender<Mail>) -> Option<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 sink ESMTP\r\n").await.ok()?;
    let mut to = String::new();
    while let Some(line) = lines.next_line().await.ok()? {
        let answer: &[u8] = match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => b"250-sink\r\n250 8BITMIME\r\n",
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                b"250 ok\r\n"
            }
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await.ok()?;
                let mut text = String::new();
                while let Some(line) = lines.next_line().await.ok()? {
                    if line == "." {
                        break;
                    }
                    // Quoted-printable breaks lines with `=`.
                    text.push_str(line.strip_suffix('=').unwrap_or(&line));
                }
                let _ = mails.send(Mail { to: to.clone(), text });
                b"250 ok\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        writer.write_all(answer).await.ok()?;
    }
    Some(())
}
