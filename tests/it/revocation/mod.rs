//! Ending sessions: at once, everywhere, with everything that is open.

mod applications;
mod idle;
mod keys;
mod orders;
mod renewal;
mod replicas;
mod sensor;
mod store_gone;
mod streams;
