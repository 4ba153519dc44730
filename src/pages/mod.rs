//! Pages for people: plain templates without logic. Who shows which page is decided elsewhere.

pub mod person;
pub mod reference;
