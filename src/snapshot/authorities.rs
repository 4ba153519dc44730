//! Whose client certificates a host takes, and whether a certificate is one of theirs.

use std::sync::Arc;
use std::time::Duration;

use rustls::DistinguishedName;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath, anchor_from_trusted_cert};

use crate::crypto::digest::{Sha256, sha256};
use crate::crypto::x509::Certificate;
use crate::model::authority::Authority;
use crate::model::certificate::{ClientCertificate, VerifiedCertificate};
use crate::model::destination::Destination;
use crate::router::{Entry, Table};

/// Certificates between a client's own and its authority, at most: real chains have one or two.
const MOST_INTERMEDIATES: usize = 4;

/// A whole chain, in bytes: a certificate with an RSA key has 1 to 2 KiB. Anybody may show a chain, and looking for a way
/// through it costs the more the longer it is.
const LONGEST_CHAIN: usize = 16 * 1024;

/// The authorities whose certificates one host takes.
#[derive(Debug)]
pub struct ClientAuthorities {
    digest: Sha256,
    anchors: Vec<Anchor>,
    /// Some authority could not be read. Then a certificate that none of the others signed may be its.
    incomplete: bool,
}

#[derive(Debug)]
struct Anchor {
    trusted: TrustAnchor<'static>,
    begins_ms: i64,
    ends_ms: i64,
}

impl ClientAuthorities {
    fn new<'a>(certificates: impl Iterator<Item = &'a [u8]>, incomplete: bool) -> Self {
        let mut certificates: Vec<&[u8]> = certificates.collect();
        certificates.sort_unstable();
        certificates.dedup();
        let anchors: Vec<Anchor> = certificates.iter().filter_map(|der| Anchor::of(der)).collect();
        let mut all = vec![u8::from(incomplete)];
        for der in &certificates {
            all.extend_from_slice(&sha256(der));
        }
        Self {
            digest: sha256(&all),
            incomplete: incomplete || anchors.len() < certificates.len(),
            anchors,
        }
    }

    /// Equal where the very same certificates are trusted.
    pub fn digest(&self) -> &Sha256 {
        &self.digest
    }

    /// The names of the authorities, by which clients choose among their certificates.
    pub fn subjects(&self) -> impl Iterator<Item = DistinguishedName> {
        let subjects = self.anchors.iter();
        subjects.map(|anchor| DistinguishedName::in_sequence(&anchor.trusted.subject))
    }

    /// Whether a chain is short enough to be looked at: at most 4 certificates behind the client's own, and 16 KiB in all.
    pub fn takes_length(own: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> bool {
        let behind: usize = intermediates.iter().map(|der| der.len()).sum();
        intermediates.len() <= MOST_INTERMEDIATES && own.len() + behind <= LONGEST_CHAIN
    }

    /// What a chain of certificates, the client's own first, is worth here. One that is too long is worth nothing. That the client has its key was proved in
    /// the handshake.
    pub fn judge(&self, chain: &[CertificateDer<'_>], now_ms: i64) -> ClientCertificate {
        match self.verify(chain, now_ms) {
            Some(verified) => ClientCertificate::Verified(Arc::new(verified)),
            None if self.incomplete && !chain.is_empty() => ClientCertificate::Unknown,
            None => ClientCertificate::Absent,
        }
    }

    fn verify(&self, chain: &[CertificateDer<'_>], now_ms: i64) -> Option<VerifiedCertificate> {
        let (own, intermediates) = chain.split_first()?;
        if !Self::takes_length(own, intermediates) {
            return None;
        }
        // webpki takes authorities on trust, expired ones too.
        let valid = |anchor: &&Anchor| (anchor.begins_ms..=anchor.ends_ms).contains(&now_ms);
        let anchors: Vec<TrustAnchor<'_>> = self
            .anchors
            .iter()
            .filter(valid)
            .map(|anchor| anchor.trusted.clone())
            .collect();
        let client = EndEntityCert::try_from(own).ok()?;
        let seconds = u64::try_from(now_ms.div_euclid(1000)).ok()?;
        let path = client
            .verify_for_usage(
                default_provider().signature_verification_algorithms.all,
                &anchors,
                intermediates,
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
                KeyUsage::client_auth(),
                None,
                None,
            )
            .ok()?;
        let read = Certificate::read(own).ok()?;
        Some(VerifiedCertificate {
            expires_ms: read.ends_ms.min(self.path_ends_ms(&path)?),
            common_name: read.common_name,
            issuer: read.issuer,
            issuer_key: read.issuer_key,
            serial: read.serial,
            fingerprint: read.fingerprint,
        })
    }

    /// When the first certificate above the client's ends.
    fn path_ends_ms(&self, path: &VerifiedPath<'_>) -> Option<i64> {
        let ends = self
            .anchors
            .iter()
            .filter(|anchor| anchor.trusted == *path.anchor())
            .map(|anchor| anchor.ends_ms)
            // The same key under the same name may stand in a renewed certificate.
            .max()?;
        let mut first = ends;
        for intermediate in path.intermediate_certificates() {
            first = first.min(Certificate::read(&intermediate.der()).ok()?.ends_ms);
        }
        Some(first)
    }
}

impl Anchor {
    fn of(der: &[u8]) -> Option<Self> {
        let read = Certificate::read(der).ok()?;
        let der = CertificateDer::from(der);
        Some(Self {
            trusted: anchor_from_trusted_cert(&der).ok()?.to_owned(),
            begins_ms: read.begins_ms,
            ends_ms: read.ends_ms,
        })
    }
}

/// The authorities by host: all that name one pattern count there together, and of several patterns the most specific
/// is the host's, without inheritance. `incomplete` says that some authority could not be read.
pub(super) fn by_host(authorities: &[Authority], incomplete: bool) -> Table<Arc<ClientAuthorities>> {
    let mut patterns: Vec<&Destination> = authorities.iter().flat_map(|one| &one.hostnames).collect();
    patterns.sort_unstable_by_key(|pattern| pattern.host());
    patterns.dedup();
    Table::build(patterns.into_iter().map(|pattern| {
        let of_pattern = authorities.iter().filter(|one| one.hostnames.contains(pattern));
        let certificates = of_pattern.flat_map(|one| one.certificates.iter().map(Vec::as_slice));
        Entry {
            destinations: vec![pattern.clone()],
            case_insensitive: false,
            value: Arc::new(ClientAuthorities::new(certificates, incomplete)),
        }
    }))
}

#[cfg(test)]
mod tests;
