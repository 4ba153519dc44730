//! For each strictness: a client that is wrong in that point alone is refused with Microsoft's code, next to the
//! right client, who is served.

mod authorize;
mod support;
mod token;
