//! The only writers of objects: validate, write, audit, publish.
