//! Cryptography that is not TLS and not JWT: sealing, random numbers, digests, comparison. All of it aws-lc-rs.

pub mod digest;
pub mod equal;
pub mod random;
pub mod seal;
pub mod x509;
