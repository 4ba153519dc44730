//! What the tests stand on.

mod certificates;
pub(crate) mod database;
pub(crate) mod frames;
pub(crate) mod log;
pub(crate) mod mail;
pub(crate) mod origin;
pub(crate) mod person;
pub(crate) mod postgres;
pub(crate) mod tenant;
pub(crate) mod webdriver;
pub(crate) mod wire;
pub(crate) mod world;
