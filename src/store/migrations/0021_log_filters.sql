-- What logs are filtered by, in the order in which pages are read.
CREATE INDEX access_requests_outcome ON access_requests (allowed, at_ms, id);
CREATE INDEX access_requests_app_outcome ON access_requests (app, allowed, at_ms, id);
CREATE INDEX access_requests_provider ON access_requests (provider, at_ms, id);
CREATE INDEX access_requests_country ON access_requests (country, at_ms, id);
CREATE INDEX scim_updates_outcome ON scim_updates (provider, succeeded, at_ms, id);
CREATE INDEX scim_updates_resource ON scim_updates (resource, at_ms, id);

-- When somebody was last called otherwise than by a login: by the directory, or on somebody's word.
ALTER TABLE users ADD COLUMN called_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX users_called ON users (called_ms);
