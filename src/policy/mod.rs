//! Policies, pure: compile, evaluate, explain. Nothing here waits, reads or writes.
