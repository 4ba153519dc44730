//! An authority that signs certificates of clients.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;

use crate::support::wire::OwnCertificate;

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A certificate for this common name.
    pub(super) fn signs(&self, common_name: &str) -> Arc<OwnCertificate> {
        self.sign(&named(common_name))
    }

    /// One that ends at this time, in seconds since 1970.
    pub(super) fn signs_until(&self, common_name: &str, end: i64) -> Arc<OwnCertificate> {
        let mut params = named(common_name);
        let since_1970 = Duration::from_secs(u64::try_from(end).unwrap());
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970;
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Arc<OwnCertificate> {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Arc::new(OwnCertificate {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        })
    }

    /// The table that has these hosts take its certificates.
    pub(super) fn at(&self, hosts: &[&str]) -> String {
        let pem = self.0.pem();
        format!(
            "[[certificates]]\nname = \"{}\"\nassociated_hostnames = {hosts:?}\ncertificate = '''\n{pem}'''\n",
            self.0
                .der()
                .iter()
                .take(40)
                .fold(String::new(), |name, byte| name + &format!("{byte:02x}"))
        )
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
