//! Why a command could not do what it was asked, and how it ends for it.

use std::io;

use super::Exit;

/// In words for whoever typed the command.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// What was typed, or the environment, makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A person has to sign in first.
    #[error("{0}")]
    NotSignedIn(String),
    /// The gateway said no, or nobody said yes.
    #[error("{0}")]
    Refused(String),
    /// Something that came is not what it should be: it may be an attack, and nothing was kept of it.
    #[error("{0}; nothing was kept")]
    Untrusted(String),
    /// No answer, or none that helps.
    #[error("{0}")]
    Unavailable(String),
    /// The system.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Trouble {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Unusable,
            Self::NotSignedIn(_) | Self::Refused(_) => Exit::Refused,
            Self::Untrusted(_) => Exit::Untrusted,
            Self::Unavailable(_) => Exit::Unavailable,
            Self::Io(_) => Exit::System,
        }
    }
}
