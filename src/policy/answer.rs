//! The three answers of a rule (Kleene's logic).

use std::fmt;

/// What a rule says. The order is that of certainty for yes, so that *and* is the least and *or* the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It does not hold.
    No,
    /// It cannot be told: something that it asks for is missing or partial.
    Unknown,
    /// It holds.
    Yes,
}

impl Answer {
    /// Both must hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// One must hold.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.max(other)
    }
}

impl std::ops::Not for Answer {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }
}

impl From<bool> for Answer {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "no",
            Self::Unknown => "unknown",
            Self::Yes => "yes",
        })
    }
}

/// What a rule says now, and what it could come to say once all that can be found out about a person has been: at
/// worst and at best for those who want it to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outlook {
    pub(super) worst: Answer,
    pub(super) now: Answer,
    pub(super) best: Answer,
}

impl Outlook {
    /// Nothing is known, and nothing can be done about it.
    pub(super) const UNKNOWN: Self = Self::settled(Answer::Unknown);

    /// An answer that nothing will change.
    pub(super) const fn settled(answer: Answer) -> Self {
        Self {
            worst: answer,
            now: answer,
            best: answer,
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            worst: self.worst.and(other.worst),
            now: self.now.and(other.now),
            best: self.best.and(other.best),
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self {
            worst: self.worst.or(other.worst),
            now: self.now.or(other.now),
            best: self.best.or(other.best),
        }
    }

    /// Whether something that can be found out could change it.
    pub(super) fn is_open(self) -> bool {
        self.worst != self.best
    }
}

impl std::ops::Not for Outlook {
    type Output = Self;

    fn not(self) -> Self {
        Self {
            worst: !self.best,
            now: !self.now,
            best: !self.worst,
        }
    }
}
