//! Lists of addresses, which rules refer to.

use super::address::AddressRange;
use super::email::EmailAddress;
use super::ids::ListId;

/// A list under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The list's id.
    pub id: ListId,
    /// Its name.
    pub name: String,
    /// What is on it.
    pub items: ListItems,
}

/// What is on a list. A list holds one kind of address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListItems {
    /// E-mail addresses: type `EMAIL`.
    Emails(Vec<EmailAddress>),
    /// Network addresses: type `IP`.
    Addresses(Vec<AddressRange>),
}
