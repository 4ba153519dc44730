//! The login chain under `/cdn-cgi/access/`.
