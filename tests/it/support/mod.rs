//! What the tests stand on.

use vestibule::store::{Actor, ActorKind};

pub(crate) mod behind;
mod certificates;
mod command;
pub(crate) mod database;
pub(crate) mod frames;
pub(crate) mod log;
pub(crate) mod mail;
pub(crate) mod origin;
pub(crate) mod person;
pub(crate) mod postgres;
pub(crate) mod telling;
pub(crate) mod tenant;
pub(crate) mod webdriver;
pub(crate) mod wire;
pub(crate) mod world;

/// Who says that something be done, where it does not matter who.
pub(crate) fn somebody() -> Actor {
    Actor {
        kind: ActorKind::CommandLine,
        name: "a test".to_owned(),
    }
}
