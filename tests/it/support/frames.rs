//! HTTP/2 by bare frames (RFC 9113), for requests that no library would send.

use std::collections::BTreeMap;

use super::wire::{Dial, Wire};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With this status.
    Status(u16),
    /// With the whole answer.
    Complete,
    /// Reset, with this error code.
    Reset(u32),
    /// The whole connection was ended, with this error code where one was given.
    Gone(Option<u32>),
}

/// A connection over TLS on which frames are written by hand.
pub(crate) struct Frames {
    wire: Wire,
    next: u32,
    // Streams that ended while another one was waited for.
    ended: BTreeMap<u32, Outcome>,
}

impl Frames {
    pub(crate) async fn connect(dial: &Dial, host: &str) -> Self {
        let mut wire = dial.connect_as(host, b"h2").await;
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let mut frames = Self {
            wire,
            next: 1,
            ended: BTreeMap::new(),
        };
        frames.write(SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// Sends a request without body and tells how its stream ended.
    pub(crate) async fn request(&mut self, fields: &[(&[u8], &[u8])]) -> Outcome {
        self.request_with(fields, None).await
    }

    /// The same with a body.
    pub(crate) async fn request_with(&mut self, fields: &[(&[u8], &[u8])], body: Option<&[u8]>) -> Outcome {
        let stream = self.open(fields, body.is_none()).await;
        if let Some(body) = body {
            self.write(DATA, END_STREAM, stream, body).await;
        }
        self.outcome(stream).await
    }

    /// Opens a stream and gives its number.
    pub(crate) async fn open(&mut self, fields: &[(&[u8], &[u8])], last: bool) -> u32 {
        let stream = self.next;
        self.next += 2;
        let block: Vec<u8> = fields
            .iter()
            .flat_map(|(name, value)| literal(name, value))
            .collect();
        self.write(
            HEADERS,
            END_HEADERS | if last { END_STREAM } else { 0 },
            stream,
            &block,
        )
        .await;
        stream
    }

    /// Sends a piece of a body.
    pub(crate) async fn data(&mut self, stream: u32, bytes: &[u8]) {
        self.write(DATA, 0, stream, bytes).await;
    }

    /// Takes a stream back (CANCEL).
    pub(crate) async fn reset(&mut self, stream: u32) {
        self.write(RST_STREAM, 0, stream, &8_u32.to_be_bytes()).await;
    }

    /// Waits for the head of the answer, a reset, or the end of the connection.
    pub(crate) async fn outcome(&mut self, stream: u32) -> Outcome {
        self.until(stream, |kind| kind == HEADERS).await
    }

    /// Waits for the end of the stream: however it ends.
    pub(crate) async fn end(&mut self, stream: u32) -> Outcome {
        match self.ended.get(&stream) {
            Some(outcome) => *outcome,
            None => self.until(stream, |_| false).await,
        }
    }

    async fn until(&mut self, stream: u32, enough: impl Fn(u8) -> bool) -> Outcome {
        loop {
            let head = self.wire.take(9).await;
            let [a, b, c, kind, flags, id @ ..] = head.as_slice() else {
                return Outcome::Gone(None);
            };
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            let id = u32::from_be_bytes(id.try_into().unwrap()) & 0x7fff_ffff;
            let payload = self.wire.take(length).await;
            match *kind {
                GOAWAY => {
                    let code = u32::from_be_bytes(payload[4..8].try_into().unwrap());
                    // A graceful end of the connection answers open streams first.
                    if code != 0 {
                        return Outcome::Gone(Some(code));
                    }
                }
                SETTINGS if flags & ACK == 0 => self.write(SETTINGS, ACK, 0, &[]).await,
                PING if flags & ACK == 0 => self.write(PING, ACK, 0, &payload).await,
                HEADERS if id == stream && enough(*kind) => return Outcome::Status(status(&payload)),
                RST_STREAM => {
                    let code = u32::from_be_bytes(payload[..4].try_into().unwrap());
                    self.ended.insert(id, Outcome::Reset(code));
                }
                DATA if flags & END_STREAM != 0 => {
                    self.ended.insert(id, Outcome::Complete);
                }
                _ => {}
            }
            if let Some(outcome) = self.ended.get(&stream) {
                return *outcome;
            }
        }
    }

    async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.wire.send(frame).await;
    }
}

/// A field as *literal without indexing, new name*, without Huffman coding (RFC 7541 §6.2.2).
fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        integer(&mut field, text.len());
        field.extend(text);
    }
    field
}

/// A length with a prefix of seven bits (RFC 7541 §5.1).
fn integer(field: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else {
        field.push(u8::try_from(length).unwrap());
        return;
    };
    field.push(127);
    while rest >= 128 {
        field.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    field.push(u8::try_from(rest).unwrap());
}

/// The status, which is the first field of every answer: from the static table, or a literal under one of its names.
fn status(block: &[u8]) -> u16 {
    // A change of the dynamic table's size may stand before it.
    let block = if block[0] & 0xe0 == 0x20 {
        &block[1..]
    } else {
        block
    };
    match block[0] {
        0x88 => 200,
        0x89 => 204,
        0x8a => 206,
        0x8b => 304,
        0x8c => 400,
        0x8d => 404,
        0x8e => 500,
        _ => {
            let length = usize::from(block[1] & 0x7f);
            let value = &block[2..2 + length];
            let digits = if block[1] & 0x80 == 0 {
                value.to_vec()
            } else {
                huffman_digits(value)
            };
            String::from_utf8(digits).unwrap().parse().unwrap()
        }
    }
}

/// Three digits in the code of RFC 7541 appendix B: `0` to `2` have five bits, the others six.
fn huffman_digits(coded: &[u8]) -> Vec<u8> {
    let mut bits = coded
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let mut digits = Vec::new();
    while digits.len() < 3 {
        let five = (0..5).fold(0, |code, _| code << 1 | bits.next().unwrap());
        digits.push(if five <= 2 {
            b'0' + five
        } else {
            b'0' + (five << 1 | bits.next().unwrap()) - 0x19 + 3
        });
    }
    digits
}
