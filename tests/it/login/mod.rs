//! Logins through the whole gateway, as a browser goes through them.

mod chain;
mod checks;
mod entra;
mod launcher;
mod leaks;
mod written;
