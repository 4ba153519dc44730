-- Pages in the order in which they are read, so that none of them is sorted.
CREATE INDEX access_requests_order ON access_requests (at_ms, id);
DROP INDEX access_requests_time;
CREATE INDEX scim_updates_order ON scim_updates (at_ms, id);
DROP INDEX scim_updates_time;
CREATE INDEX scim_updates_of_provider ON scim_updates (provider, at_ms, id);
DROP INDEX scim_updates_provider;
CREATE INDEX users_name ON users (name);
