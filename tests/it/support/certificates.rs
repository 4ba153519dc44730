//! A certificate for the hosts of a world.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;

/// Writes `tls.crt` and `tls.key` for these hosts, and gives what trusts them.
pub(crate) fn write(directory: &Path, hosts: &[String]) -> Arc<RootCertStore> {
    let made = rcgen::generate_simple_self_signed(hosts).unwrap();
    std::fs::write(directory.join("tls.crt"), made.cert.pem()).unwrap();
    std::fs::write(directory.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    Arc::new(roots)
}
