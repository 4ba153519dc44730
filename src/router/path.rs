//! Paths: what a request's path means for decisions, and the bytes that mean the same to an upstream.

use super::target::TargetRefused;

/// A path read once.
#[derive(Debug)]
pub(super) struct Paths {
    /// Decoded once, dot segments resolved, slashes merged. `None`: exactly as it came.
    pub(super) decision: Option<Box<str>>,
    /// What goes to the upstream. `None`: exactly as it came.
    pub(super) forward: Option<String>,
    /// The other meaning an upstream may give the path, where there is one.
    pub(super) second: Option<Box<str>>,
    /// Whether an escaped slash or backslash is the cause of the second reading.
    pub(super) encoded_slash: bool,
    /// Whether dot segments or empty segments were taken out.
    pub(super) resolved: bool,
}

/// Reads a raw path, which starts with a slash.
///
/// Both results come from one list of segments, so they cannot disagree. The forwarded form keeps every escape but
/// those of unreserved characters, which RFC 3986 §6.2.2.2 calls equivalent; reading it again gives the same decision.
///
/// Two things have no single meaning. An escaped slash or backslash is a character to some upstreams and a separator to
/// others; what follows a `;` is part of the name to some and a parameter to others (servlets). Both readings are then
/// given, and requests whose readings lead to different applications are refused.
pub(super) fn read(raw: &str) -> Result<Paths, TargetRefused> {
    if is_plain(raw) {
        return Ok(Paths {
            decision: None,
            forward: None,
            second: None,
            encoded_slash: false,
            resolved: false,
        });
    }
    let inner = raw.strip_prefix('/').ok_or(TargetRefused::NotOriginForm)?;
    let segments = inner
        .split('/')
        .map(Segment::read)
        .collect::<Result<Vec<_>, _>>()?;
    let kept = resolve(&segments, |segment| &segment.text);
    // Only what is forwarded can be misread.
    let marks = kept
        .segments
        .iter()
        .fold(Marks::default(), |marks, segment| marks.with(segment.marks));
    Ok(Paths {
        decision: Some(kept.join(|segment| &segment.text).into()),
        forward: Some(kept.join(|segment| &segment.canonical)),
        second: second_reading(&kept, marks)?,
        encoded_slash: marks.slash || marks.backslash,
        resolved: leaves_out(&segments),
    })
}

/// Whether [`resolve`] takes out more than the empty segment behind a trailing slash.
fn leaves_out(segments: &[Segment]) -> bool {
    let Some((_, before)) = segments.split_last() else {
        return false;
    };
    before.iter().any(|segment| segment.text.is_empty())
        || segments
            .iter()
            .any(|segment| matches!(segment.text.as_str(), "." | ".."))
}

/// Whether nothing has to be decoded, resolved or refused: the usual case, taken without an allocation.
fn is_plain(raw: &str) -> bool {
    let mut previous = 0;
    raw.starts_with('/')
        && raw.bytes().all(|byte| {
            let after_slash = previous == b'/' && matches!(byte, b'/' | b'.');
            previous = byte;
            byte.is_ascii_graphic() && !matches!(byte, b'%' | b'\\' | b';') && !after_slash
        })
}

/// What in a path gives it a second reading.
#[derive(Debug, Default, Clone, Copy)]
struct Marks {
    slash: bool,
    backslash: bool,
    semicolon: bool,
}

impl Marks {
    fn with(self, other: Self) -> Self {
        Self {
            slash: self.slash || other.slash,
            backslash: self.backslash || other.backslash,
            semicolon: self.semicolon || other.semicolon,
        }
    }
}

#[derive(Debug)]
struct Segment {
    /// Decoded; an escaped slash stays `%2F`, so that it is not taken for a separator.
    text: String,
    /// Decoded altogether.
    decoded: String,
    /// For the upstream.
    canonical: String,
    marks: Marks,
}

impl Segment {
    fn read(raw: &str) -> Result<Self, TargetRefused> {
        let mut marks = Marks::default();
        let mut decoded = Vec::with_capacity(raw.len());
        let mut text = Vec::with_capacity(raw.len());
        let mut canonical = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(&first) = rest.as_bytes().first() {
            let (piece, byte) = if first == b'%' {
                let escape = rest.get(..3).ok_or(TargetRefused::BadEscape)?;
                (escape, unescape(escape)?)
            } else if first.is_ascii_graphic() && first != b'\\' {
                (rest.get(..1).unwrap_or_default(), first)
            } else {
                return Err(TargetRefused::BadByte);
            };
            rest = rest.get(piece.len()..).unwrap_or_default();
            marks.slash |= byte == b'/';
            marks.backslash |= byte == b'\\';
            marks.semicolon |= byte == b';';
            decoded.push(byte);
            if byte == b'/' {
                text.extend_from_slice(b"%2F");
            } else {
                text.push(byte);
            }
            if is_unreserved(byte) {
                canonical.push(char::from(byte));
            } else {
                canonical.push_str(piece);
            }
        }
        let text = String::from_utf8(text).map_err(|_| TargetRefused::BadByte)?;
        let decoded = String::from_utf8(decoded).map_err(|_| TargetRefused::BadByte)?;
        if text.chars().any(char::is_control) {
            return Err(TargetRefused::BadByte);
        }
        if matches!(text.split_once(';'), Some(("." | "..", _))) {
            return Err(TargetRefused::DotSegmentWithParameter);
        }
        Ok(Self {
            text,
            decoded,
            canonical,
            marks,
        })
    }
}

fn unescape(escape: &str) -> Result<u8, TargetRefused> {
    let digits = escape.strip_prefix('%').unwrap_or_default();
    // `from_str_radix` alone would take a sign.
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(TargetRefused::BadEscape);
    }
    u8::from_str_radix(digits, 16).map_err(|_| TargetRefused::BadEscape)
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The segments that remain, and whether a slash ends the path.
struct Resolved<'a, S> {
    segments: Vec<&'a S>,
    trailing_slash: bool,
}

/// RFC 3986 §5.2.4, with empty segments left out.
fn resolve<S>(segments: &[S], text: impl Fn(&S) -> &str) -> Resolved<'_, S> {
    let mut kept = Vec::with_capacity(segments.len());
    let mut trailing_slash = false;
    for segment in segments {
        trailing_slash = true;
        match text(segment) {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => {
                kept.push(segment);
                trailing_slash = false;
            }
        }
    }
    Resolved {
        segments: kept,
        trailing_slash,
    }
}

impl<S> Resolved<'_, S> {
    fn join(&self, text: impl Fn(&S) -> &str) -> String {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            path.push_str(text(segment));
        }
        if self.trailing_slash || path.is_empty() {
            path.push('/');
        }
        path
    }
}

fn second_reading(kept: &Resolved<'_, Segment>, marks: Marks) -> Result<Option<Box<str>>, TargetRefused> {
    let mut others: Vec<&str> = Vec::new();
    match (marks.slash, marks.backslash, marks.semicolon) {
        (false, false, false) => return Ok(None),
        (true, false, false) | (false, true, false) => {
            for segment in &kept.segments {
                let pieces = || segment.decoded.split(['/', '\\']);
                // An upstream may take the slash for one and the dots for a name: a third meaning.
                if pieces().any(|piece| matches!(piece, "." | "..")) {
                    return Err(TargetRefused::DotSegmentByEncodedSlash);
                }
                others.extend(pieces());
            }
        }
        (false, false, true) => {
            for segment in &kept.segments {
                let name = segment.text.split_once(';').map(|(name, _)| name);
                others.push(name.unwrap_or(&segment.text));
            }
        }
        // Each adds two readings to those of the other; nobody needs them together.
        _ => return Err(TargetRefused::Ambiguous),
    }
    if kept.trailing_slash {
        others.push("");
    }
    let resolved = resolve(&others, |text| text);
    Ok(Some(resolved.join(|text| text).into()))
}
