//! The label sets. Every value comes from the configuration or from a fixed set of words.

use prometheus_client::encoding::EncodeLabelSet;

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),+ })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(super) struct $name {
            $(pub(super) $field: $kind,)+
        }
    )*};
}

labels! {
    /// Of the build.
    Build { version: &'static str, revision: &'static str }
    /// Of a finished request.
    Request { application: Box<str>, code: u16, method: &'static str, protocol: &'static str }
    /// Of a decision.
    Verdict { application: Box<str>, decision: &'static str, reason: &'static str }
    /// Of an upstream's failure.
    Upstream { application: Box<str>, reason: &'static str }
    /// Of a login.
    Login { provider: Box<str>, result: &'static str, reason: &'static str }
    /// Of a request to Graph.
    GraphRequest { operation: &'static str, code: u16 }
    /// Of a count by kind.
    ByKind { kind: &'static str }
    /// Of a count by reason.
    ByReason { reason: &'static str }
    /// Of a count by result.
    ByResult { result: &'static str }
    /// Of an identity provider.
    Provider { provider: Box<str> }
    /// Of rounds in which a directory was read.
    DirectoryRound { provider: Box<str>, result: &'static str }
    /// Of what a directory holds.
    DirectoryObjects { provider: Box<str>, kind: &'static str }
    /// Of a signing key.
    SigningKey { kid: Box<str> }
}

impl Build {
    /// This build. The revision is given by whoever builds a release.
    pub(super) const THIS: Self = Self {
        version: env!("CARGO_PKG_VERSION"),
        revision: match option_env!("VESTIBULE_REVISION") {
            Some(revision) => revision,
            None => "unknown",
        },
    };
}
