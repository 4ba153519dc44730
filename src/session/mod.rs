//! Sessions and tokens: live table, signing, verification, revocation.
