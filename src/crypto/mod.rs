//! Cryptography that is not TLS and not JWT: sealing, random numbers, digests, comparison. All of it aws-lc-rs, but for
//! the box of NaCl that cloudflared opens.

pub mod digest;
pub mod equal;
pub mod pair;
pub mod random;
pub mod seal;
pub mod transfer;
pub mod x509;
