//! Certificate authorities whose client certificates are taken (Access: mTLS certificates).

use super::destination::Destination;
use super::ids::AuthorityId;

/// One or several certificates that sign clients' certificates, and the hosts at which those count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Its id.
    pub id: AuthorityId,
    /// Its name, a label.
    pub name: String,
    /// The certificates of the authority, each in DER. Never empty.
    pub certificates: Vec<Vec<u8>>,
    /// The hosts, as destinations have them, without a path. Elsewhere no certificate is asked for.
    pub hostnames: Vec<Destination>,
}
