//! The store, on both databases.

mod changes;
mod documents;
mod keys;
mod logs;
mod open;
mod people;
mod sessions;
mod unavailable;
