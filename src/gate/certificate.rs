//! The certificate of a client's connection, and what it is worth to the host that a request asks for.
//!
//! A certificate belongs to the host that the handshake named. It is judged by the authorities that this host has *now*,
//! once for a connection and a set of authorities: an authority that goes takes its certificates with it on connections
//! that are open, and nothing is verified anew for each request.

use std::cell::RefCell;
use std::rc::Rc;

use rustls_pki_types::CertificateDer;

use crate::crypto::digest::Sha256;
use crate::model::certificate::ClientCertificate;
use crate::model::host::Host;
use crate::snapshot::{ClientAuthorities, Snapshot};

/// What the handshake of a connection had to do with certificates.
#[derive(Debug, Clone, Default)]
pub enum Handshake {
    /// The client's TLS does not end here, if it speaks TLS: it is not ours to ask.
    #[default]
    Elsewhere,
    /// The client was asked for no certificate: the host that it named took none.
    Unasked,
    /// It was asked for one.
    Asked(Rc<Presented>),
}

/// What a client presented when it was asked for a certificate. That it holds the key has been proved.
#[derive(Debug)]
pub struct Presented {
    host: Host,
    /// Its own certificate first; empty where it has none, or none that it wants to show.
    chain: Vec<CertificateDer<'static>>,
    /// What the chain was worth to the authorities with this digest.
    judged: RefCell<Option<(Sha256, ClientCertificate)>>,
}

/// A request came over a connection on which its host could not ask for a certificate (RFC 9110 §15.5.20). The client
/// does better on a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misdirected;

impl Presented {
    /// What came in the handshake with this host.
    pub fn new(host: Host, chain: Vec<CertificateDer<'static>>) -> Self {
        Self {
            host,
            chain,
            judged: RefCell::default(),
        }
    }

    fn worth(&self, authorities: &ClientAuthorities, now_ms: i64) -> ClientCertificate {
        let mut judged = self.judged.borrow_mut();
        let worth = match &*judged {
            Some((digest, worth)) if digest == authorities.digest() => worth.clone(),
            _ => {
                let worth = authorities.judge(&self.chain, now_ms);
                *judged = Some((*authorities.digest(), worth.clone()));
                worth
            }
        };
        match worth {
            ClientCertificate::Verified(verified) if verified.expires_ms <= now_ms => {
                ClientCertificate::Absent
            }
            worth => worth,
        }
    }
}

impl Handshake {
    /// What is known of the client's certificate for requests to a host.
    ///
    /// # Errors
    /// [`Misdirected`] where the host takes certificates and the connection was not asked for its.
    pub(super) fn certificate(
        &self,
        snapshot: &Snapshot,
        host: &Host,
        now_ms: i64,
    ) -> Result<ClientCertificate, Misdirected> {
        let Some(authorities) = snapshot.client_authorities(host) else {
            return Ok(ClientCertificate::Unknown);
        };
        match self {
            Self::Elsewhere => Ok(ClientCertificate::Unknown),
            Self::Asked(presented) if presented.host == *host => Ok(presented.worth(authorities, now_ms)),
            Self::Asked(_) | Self::Unasked => Err(Misdirected),
        }
    }
}
