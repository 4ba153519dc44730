//! What the API can do: one value an operation, which routes it, guards it and describes it.

use std::future::Future;
use std::pin::Pin;

use http::{Method, StatusCode};

use super::call::{Answer, Call};
use super::error::ApiError;
use super::shape::Shape;
use crate::model::permission::Permission;

/// An answer that is being worked on.
pub(super) type Answering<'c> = Pin<Box<dyn Future<Output = Result<Answer, ApiError>> + Send + 'c>>;

/// How an operation is carried out.
pub(super) type Handler = for<'c> fn(&'c Call<'c>) -> Answering<'c>;

/// One operation.
pub(super) struct Operation {
    pub(super) method: &'static Method,
    /// Below `/client/v4`; parameters in braces.
    pub(super) path: &'static str,
    /// What the token must allow; `None` where any good token may.
    pub(super) permission: Option<Permission>,
    /// What it must allow besides, where what is told is of two areas.
    pub(super) also: Option<Permission>,
    /// The operation's name in the OpenAPI document.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// What its body is.
    pub(super) takes: Takes,
    /// What it answers.
    pub(super) gives: Gives,
    /// The status of success.
    pub(super) status: StatusCode,
    /// Its parameters in the query, with what each is for.
    pub(super) query: &'static [(&'static str, &'static str)],
    /// Those of them that must be there.
    pub(super) needs: &'static [&'static str],
    pub(super) handler: Handler,
}

/// What the body of a request is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Takes {
    /// None is read.
    Nothing,
    /// An object; where it is optional, an absent one is an empty one.
    Object(&'static Shape, Needed),
    /// A list of objects.
    Objects(&'static Shape),
}

/// Whether there must be a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    Yes,
    No,
}

/// What `result` is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Gives {
    Object(&'static Shape),
    /// A page of a list, with `result_info`.
    Page(&'static Shape),
    /// A list without pages.
    Objects(&'static Shape),
    /// The id of what is gone.
    Id,
    /// `null`.
    Nothing,
    /// JSON that has no shape of its own.
    Any,
}

impl Operation {
    pub(super) const fn new(
        (method, path): (&'static Method, &'static str),
        permission: Permission,
        (id, summary): (&'static str, &'static str),
        gives: Gives,
        handler: Handler,
    ) -> Self {
        Self {
            method,
            path,
            permission: Some(permission),
            also: None,
            id,
            summary,
            takes: Takes::Nothing,
            gives,
            status: StatusCode::OK,
            query: &[],
            needs: &[],
            handler,
        }
    }

    /// Carried out in another way.
    pub(super) const fn by(mut self, handler: Handler) -> Self {
        self.handler = handler;
        self
    }

    pub(super) const fn giving(mut self, gives: Gives) -> Self {
        self.gives = gives;
        self
    }

    pub(super) const fn taking(mut self, shape: &'static Shape) -> Self {
        self.takes = Takes::Object(shape, Needed::Yes);
        self
    }

    pub(super) const fn may_take(mut self, shape: &'static Shape) -> Self {
        self.takes = Takes::Object(shape, Needed::No);
        self
    }

    pub(super) const fn taking_each(mut self, shape: &'static Shape) -> Self {
        self.takes = Takes::Objects(shape);
        self
    }

    pub(super) const fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(super) const fn asked(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    pub(super) const fn needing(mut self, names: &'static [&'static str]) -> Self {
        self.needs = names;
        self
    }

    pub(super) const fn also(mut self, permission: Permission) -> Self {
        self.also = Some(permission);
        self
    }

    /// Every permission it takes.
    pub(super) fn permissions(&self) -> impl Iterator<Item = Permission> {
        self.permission.into_iter().chain(self.also)
    }

    /// Any good token may.
    pub(super) const fn for_every_token(mut self) -> Self {
        self.permission = None;
        self
    }
}

/// Values of the parameters of a path.
#[derive(Debug, Default)]
pub(super) struct Params<'p>(Vec<(&'static str, &'p str)>);

impl<'p> Params<'p> {
    pub(super) fn get(&self, name: &str) -> &'p str {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| *value)
    }
}

/// Parameters that reach to the end of the path: names that may hold slashes, which official clients write as they are.
const TO_THE_END: &[&str] = &["tag_name"];

/// Whether a path is one of an operation; its parameters then.
pub(super) fn matches<'p>(template: &'static str, path: &'p str) -> Option<Params<'p>> {
    let mut params = Params::default();
    let mut rest = Some(path);
    for wanted in template.split('/') {
        let left = rest?;
        let name = parameter(wanted);
        let is_last = name.is_some_and(|name| TO_THE_END.contains(&name));
        let (given, below) = match left.split_once('/') {
            Some((given, below)) if !is_last => (given, Some(below)),
            _ => (left, None),
        };
        rest = below;
        match name {
            Some(name) if !given.is_empty() => params.0.push((name, given)),
            None if wanted == given => {}
            _ => return None,
        }
    }
    rest.is_none().then_some(params)
}

/// The name of a segment that is a parameter.
pub(super) fn parameter(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_segment_by_segment() {
        let apps = "/accounts/{account_id}/access/apps";
        let app = "/accounts/{account_id}/access/apps/{app_id}";
        let params = matches(app, "/accounts/a1/access/apps/b2").unwrap();
        assert_eq!((params.get("account_id"), params.get("app_id")), ("a1", "b2"));
        assert!(matches(apps, "/accounts/a1/access/apps/").is_none());
        assert!(matches(apps, "/accounts//access/apps").is_none());
        assert!(matches(app, "/accounts/a1/access/apps").is_none());
        assert!(matches(app, "/accounts/a1/access/apps/b2/c3").is_none());
    }

    #[test]
    fn a_name_that_may_hold_slashes_reaches_to_the_end() {
        let tag = "/accounts/{account_id}/access/tags/{tag_name}";
        let params = matches(tag, "/accounts/a1/access/tags/a/b c").unwrap();
        assert_eq!(params.get("tag_name"), "a/b c");
        assert!(matches(tag, "/accounts/a1/access/tags").is_none());
        assert!(matches(tag, "/accounts/a1/access/tags/").is_none());
    }
}
