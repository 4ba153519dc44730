//! Filters: the whole grammar of RFC 7644 §3.4.2.2, bounded, and the form that Entra adds to it
//! (`emails[type eq "work"].value eq "…"`).

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::attribute::AttrPath;

/// The longest filter that is read, in bytes. One with which the head of a request is longer than the listener takes (16
/// KiB) never comes here: such a request is answered 431 without a body, before anybody knows that it is SCIM's.
pub const LONGEST: usize = 8 * 1024;
/// How deep parentheses, `not` and brackets may nest.
pub const DEEPEST: usize = 32;
/// The most comparisons of a filter. Entra sends two.
pub const MOST_COMPARISONS: usize = 100;

/// How much may still be compared, in bytes of text, for one request: resources are long, and so are filters.
///
/// Where nothing is left, nothing matches any more; whoever asked must then refuse ([`Work::is_spent`]).
#[derive(Debug)]
pub struct Work {
    left: usize,
}

impl Work {
    /// So many bytes and no more.
    pub fn of(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// Whether there was too little, and what was told since is not to be relied on.
    pub fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// What is left, in bytes.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Takes so much off; says whether it was there.
    pub fn spend(&mut self, bytes: usize) -> bool {
        self.left = self.left.saturating_sub(bytes);
        !self.is_spent()
    }
}

/// What a resource must be like.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them hold; at least two.
    And(Vec<Filter>),
    /// One of them holds; at least two.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// The attribute has a value.
    Present(AttrPath),
    /// A value of the attribute compares so.
    Compare(AttrPath, Comparison, Literal),
    /// One element of the list is like that.
    Element(AttrPath, Box<Filter>),
}

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `co`
    Contains,
    /// `sw`
    StartsWith,
    /// `ew`
    EndsWith,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

/// What is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `true`, `false`
    Bool(bool),
    /// `null`
    Null,
    /// A number.
    Number(serde_json::Number),
    /// A text.
    Text(String),
}

/// A text that is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the filter cannot be read at byte {at}: {reason}")]
pub struct FilterMalformed {
    /// Where, in bytes.
    pub at: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

const WORDS: [(&str, Comparison); 9] = [
    ("eq", Comparison::Equal),
    ("ne", Comparison::NotEqual),
    ("co", Comparison::Contains),
    ("sw", Comparison::StartsWith),
    ("ew", Comparison::EndsWith),
    ("gt", Comparison::Greater),
    ("ge", Comparison::GreaterOrEqual),
    ("lt", Comparison::Less),
    ("le", Comparison::LessOrEqual),
];

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// [`FilterMalformed`], also where it is too long or nests too deep.
    pub fn parse(text: &str) -> Result<Self, FilterMalformed> {
        let mut parser = Parser::new(text)?;
        let filter = parser.either()?;
        parser.skip_space();
        if parser.rest().is_empty() {
            Ok(filter)
        } else {
            Err(parser.fault("nothing may follow here"))
        }
    }

    /// Reads the filter in brackets at the beginning of a text, which starts behind the opening bracket; and gives what
    /// stands behind the closing one.
    pub(super) fn parse_bracketed(text: &str) -> Result<(Self, &str), FilterMalformed> {
        let mut parser = Parser::new(text)?;
        let filter = parser.either()?;
        parser.expect("]")?;
        Ok((filter, parser.rest()))
    }

    /// Whether a resource is so, as far as there is `work` left.
    pub fn matches(&self, resource: &Map<String, Value>, work: &mut Work) -> bool {
        match self {
            Self::And(all) => all.iter().all(|filter| filter.matches(resource, work)),
            Self::Or(some) => some.iter().any(|filter| filter.matches(resource, work)),
            Self::Not(filter) => !filter.matches(resource, work),
            Self::Present(path) => path.values(resource).into_iter().any(is_something),
            Self::Compare(path, Comparison::NotEqual, literal) => {
                !holds(path, Comparison::Equal, literal, resource, work)
            }
            Self::Compare(path, comparison, literal) => holds(path, *comparison, literal, resource, work),
            Self::Element(path, filter) => {
                let elements = match path.find(resource) {
                    Some(Value::Array(elements)) => elements.as_slice(),
                    Some(single) => std::slice::from_ref(single),
                    None => &[],
                };
                elements
                    .iter()
                    .any(|element| filter.matches_element(element, work))
            }
        }
    }

    /// Whether an element of a list is so.
    pub(super) fn matches_element(&self, element: &Value, work: &mut Work) -> bool {
        match element {
            Value::Object(parts) => self.matches(parts, work),
            plain => {
                let parts = [("value".to_owned(), plain.clone())].into_iter().collect();
                self.matches(&parts, work)
            }
        }
    }

    /// What must hold in any case: the filter itself, or each part of an `and`.
    pub fn conjuncts(&self) -> &[Self] {
        match self {
            Self::And(all) => all,
            other => std::slice::from_ref(other),
        }
    }

    /// The text that this attribute must equal, if that is what the filter says.
    pub fn demands(&self, name: &str) -> Option<&str> {
        match self {
            Self::Compare(path, Comparison::Equal, Literal::Text(text)) if path.is(name) => match &path.sub {
                Some(sub) if !sub.eq_ignore_ascii_case("value") => None,
                _ => Some(text),
            },
            Self::Element(path, inner) if path.is(name) => inner
                .conjuncts()
                .iter()
                .find_map(|filter| filter.demands("value")),
            _ => None,
        }
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(parts) => !parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn holds(
    path: &AttrPath,
    comparison: Comparison,
    literal: &Literal,
    resource: &Map<String, Value>,
    work: &mut Work,
) -> bool {
    let values = path.values(resource);
    if *literal == Literal::Null {
        return comparison == Comparison::Equal && !values.into_iter().any(is_something);
    }
    let exact = path.is_exact();
    values
        .into_iter()
        .any(|value| work.spend(cost(value, literal)) && compares(value, comparison, literal, exact))
}

/// What a comparison costs, in bytes. Folding the case of letters beyond ASCII takes several times as long.
fn cost(value: &Value, literal: &Literal) -> usize {
    let length = |text: &str| {
        if text.is_ascii() {
            text.len()
        } else {
            text.len() * 8
        }
    };
    match (value, literal) {
        (Value::String(value), Literal::Text(wanted)) => 32 + length(value) + length(wanted),
        _ => 32,
    }
}

fn compares(value: &Value, comparison: Comparison, literal: &Literal, exact: bool) -> bool {
    match (value, literal) {
        (Value::Bool(value), Literal::Bool(wanted)) => comparison == Comparison::Equal && value == wanted,
        // Entra writes "True" for true, in filters too.
        (Value::Bool(value), Literal::Text(text)) => {
            comparison == Comparison::Equal && truth(text) == Some(*value)
        }
        (Value::Number(value), Literal::Number(wanted)) => {
            let (Some(value), Some(wanted)) = (value.as_f64(), wanted.as_f64()) else {
                return false;
            };
            value
                .partial_cmp(&wanted)
                .is_some_and(|order| in_order(order, comparison))
        }
        (Value::String(value), Literal::Text(wanted)) => texts_compare(value, comparison, wanted, exact),
        _ => false,
    }
}

/// What Entra means by a text where a truth value is due.
pub(super) fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    text.eq_ignore_ascii_case("false").then_some(false)
}

fn texts_compare(value: &str, comparison: Comparison, wanted: &str, exact: bool) -> bool {
    let (value, wanted) = if exact {
        (value.to_owned(), wanted.to_owned())
    } else {
        (value.to_lowercase(), wanted.to_lowercase())
    };
    match comparison {
        Comparison::Contains => value.contains(&wanted),
        Comparison::StartsWith => value.starts_with(&wanted),
        Comparison::EndsWith => value.ends_with(&wanted),
        // RFC 7644 §3.4.2.2: points in time are compared as such, other texts by their letters.
        ordered => {
            let times = value
                .to_uppercase()
                .parse::<Timestamp>()
                .ok()
                .zip(wanted.to_uppercase().parse::<Timestamp>().ok());
            let order = times.map_or_else(|| value.cmp(&wanted), |(value, wanted)| value.cmp(&wanted));
            in_order(order, ordered)
        }
    }
}

fn in_order(order: std::cmp::Ordering, comparison: Comparison) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith => false,
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    comparisons: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, FilterMalformed> {
        if text.len() > LONGEST {
            return Err(FilterMalformed {
                at: LONGEST,
                reason: "it is too long",
            });
        }
        Ok(Self {
            text,
            at: 0,
            depth: 0,
            comparisons: 0,
        })
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault(&self, reason: &'static str) -> FilterMalformed {
        FilterMalformed { at: self.at, reason }
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn takes(&mut self, what: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(what);
        if found {
            self.at += what.len();
        }
        found
    }

    fn expect(&mut self, what: &'static str) -> Result<(), FilterMalformed> {
        if self.takes(what) {
            return Ok(());
        }
        Err(self.fault(match what {
            "(" => "an opening parenthesis is needed",
            ")" => "a closing parenthesis is needed",
            _ => "a closing bracket is needed",
        }))
    }

    /// The next word, not taken yet.
    fn peek(&mut self) -> &'t str {
        self.skip_space();
        let rest = self.rest();
        let fits = |c: char| c.is_ascii_alphanumeric() || ":.-_$+".contains(c);
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    fn word(&mut self) -> &'t str {
        let word = self.peek();
        self.at += word.len();
        word
    }

    /// Takes a word if it is the next one.
    fn takes_word(&mut self, wanted: &str) -> bool {
        let word = self.peek();
        let found = word.eq_ignore_ascii_case(wanted);
        if found {
            self.at += word.len();
        }
        found
    }

    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, FilterMalformed>,
    ) -> Result<T, FilterMalformed> {
        if self.depth >= DEEPEST {
            return Err(self.fault("it nests too deep"));
        }
        self.depth += 1;
        let done = inner(self);
        self.depth -= 1;
        done
    }

    /// `and` binds closer than `or` (RFC 7644 §3.4.2.2).
    fn either(&mut self) -> Result<Filter, FilterMalformed> {
        let mut some = vec![self.both()?];
        while self.takes_word("or") {
            some.push(self.both()?);
        }
        Ok(one_or(some, Filter::Or))
    }

    fn both(&mut self) -> Result<Filter, FilterMalformed> {
        let mut all = vec![self.one()?];
        while self.takes_word("and") {
            all.push(self.one()?);
        }
        Ok(one_or(all, Filter::And))
    }

    fn one(&mut self) -> Result<Filter, FilterMalformed> {
        if self.takes("(") {
            let inner = self.deeper(Self::either)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let before = self.at;
        if self.takes_word("not") {
            if self.takes("(") {
                let inner = self.deeper(Self::either)?;
                self.expect(")")?;
                return Ok(Filter::Not(Box::new(inner)));
            }
            self.at = before;
        }
        self.attribute()
    }

    fn attribute(&mut self) -> Result<Filter, FilterMalformed> {
        let word = self.peek();
        let path: AttrPath = word
            .parse()
            .map_err(|_| self.fault("the name of an attribute is needed"))?;
        self.at += word.len();
        if !self.rest().starts_with('[') {
            return self.comparison(path);
        }
        self.at += 1;
        let inner = self.deeper(Self::either)?;
        self.expect("]")?;
        // Not in the grammar: Entra asks so for addresses.
        if let Some(rest) = self.rest().strip_prefix('.') {
            self.at = self.text.len() - rest.len();
            let word = self.word();
            let sub: AttrPath = word
                .parse()
                .map_err(|_| self.fault("the name of a sub-attribute is needed"))?;
            let compared = self.comparison(sub)?;
            let mut all = match inner {
                Filter::And(all) => all,
                other => vec![other],
            };
            all.push(compared);
            return Ok(Filter::Element(path, Box::new(Filter::And(all))));
        }
        Ok(Filter::Element(path, Box::new(inner)))
    }

    fn comparison(&mut self, path: AttrPath) -> Result<Filter, FilterMalformed> {
        self.comparisons += 1;
        if self.comparisons > MOST_COMPARISONS {
            return Err(self.fault("it compares too much"));
        }
        let word = self.word();
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(path));
        }
        let comparison = WORDS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
        let Some(&(_, comparison)) = comparison else {
            return Err(self.fault("one of eq, ne, co, sw, ew, gt, ge, lt, le and pr is needed"));
        };
        let literal = self.literal()?;
        let fits = match comparison {
            Comparison::Equal | Comparison::NotEqual => true,
            Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith => {
                matches!(literal, Literal::Text(_))
            }
            _ => matches!(literal, Literal::Text(_) | Literal::Number(_)),
        };
        if fits {
            Ok(Filter::Compare(path, comparison, literal))
        } else {
            Err(self.fault("such a value cannot be compared so"))
        }
    }

    fn literal(&mut self) -> Result<Literal, FilterMalformed> {
        self.skip_space();
        if self.rest().starts_with('"') {
            return self.text();
        }
        let word = self.word();
        if let Some(truth) = truth(word) {
            return Ok(Literal::Bool(truth));
        }
        if word.eq_ignore_ascii_case("null") {
            return Ok(Literal::Null);
        }
        let number = serde_json::from_str(word);
        number.map(Literal::Number).map_err(|_| {
            self.fault("a value is needed: a text in double quotes, a number, true, false or null")
        })
    }

    /// A text as JSON writes it.
    fn text(&mut self) -> Result<Literal, FilterMalformed> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find_map(|(index, c)| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes.then_some(index + 1)
        });
        let quoted = end.and_then(|end| rest.get(..end));
        let text = quoted.and_then(|quoted| Some((quoted.len(), serde_json::from_str(quoted).ok()?)));
        let (length, text) = text.ok_or_else(|| self.fault("the text does not end, or is no JSON text"))?;
        self.at += length;
        Ok(Literal::Text(text))
    }
}

fn one_or(mut filters: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match filters.pop() {
        Some(only) if filters.is_empty() => only,
        Some(last) => {
            filters.push(last);
            many(filters)
        }
        None => many(filters),
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, filters: &[Self], word: &str| {
            for (index, filter) in filters.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                match filter {
                    Self::And(_) | Self::Or(_) => write!(f, "({filter})")?,
                    other => write!(f, "{other}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::And(all) => joined(f, all, "and"),
            Self::Or(some) => joined(f, some, "or"),
            Self::Not(filter) => write!(f, "not ({filter})"),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Compare(path, comparison, literal) => {
                let word = WORDS.iter().find(|(_, known)| known == comparison);
                write!(f, "{path} {} {literal}", word.map_or("eq", |(word, _)| word))
            }
            Self::Element(path, filter) => write!(f, "{path}[{filter}]"),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Null => f.write_str("null"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{}", Value::from(text.as_str())),
        }
    }
}

#[cfg(test)]
mod tests;
