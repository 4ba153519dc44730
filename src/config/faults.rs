//! Mistakes in a configuration file, and how each is told: where it is, why it is one, how to mend it.

use std::fmt;

/// One mistake, or one thing that deserves a second look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file, as it was named on the command line.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The key with its path, such as `applications[1].policies[0].include[0]`; empty for the file as a whole.
    pub key: String,
    /// Why it cannot stand.
    pub reason: String,
    /// What to write instead.
    pub mend: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.reason, self.mend)
    }
}

/// Every mistake of a file, by line. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}
