//! Forwarding what a permit allows.
