-- Lists of the API are read a page at a time.
CREATE INDEX documents_order ON documents (kind, created_ms, id);
CREATE INDEX documents_name ON documents (kind, name);
CREATE INDEX users_order ON users (created_ms, id);
