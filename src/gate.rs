//! The way of a request: target, route, identify, decide, forward.
