//! The only wiring place: every shared component is built here, once.
