//! Logins through the whole gateway, as a browser goes through them.

mod chain;
mod checks;
mod entra;
mod launcher;
mod launcher_door;
mod leaks;
mod written;
