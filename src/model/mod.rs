//! The words of the product as types, without any I/O.
//!
//! A value of these types has been parsed: whoever holds one need not check it again.

pub mod address;
pub mod api_token;
pub mod application;
pub mod authority;
pub mod certificate;
pub mod check;
pub mod colour;
pub mod cookie_names;
pub mod cors;
pub mod country;
pub mod custom_page;
pub mod design;
pub mod destination;
pub mod duration;
pub mod email;
pub mod evaluator;
pub mod group;
pub mod header_names;
pub mod host;
pub mod identity;
pub mod identity_json;
pub mod idp;
pub mod ids;
pub mod lines;
pub mod list;
pub mod number;
pub mod organization;
pub mod own_path;
pub mod permission;
pub mod plain;
pub mod pointer;
pub mod policy;
pub mod public_path;
pub mod refusals;
pub mod scim;
pub mod selector;
pub mod service_token;
pub mod strict_json;
pub mod time;
pub mod token_duration;
pub mod unanswered;
pub mod upstream;
pub mod web_address;
pub mod web_origin;
