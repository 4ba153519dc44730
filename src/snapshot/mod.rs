//! What requests need, compiled from what the store holds, swapped whole.
