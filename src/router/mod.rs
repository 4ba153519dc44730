//! The one parse of host and target, and the tables it is looked up in.
