-- When a session's refresh token was last tried in the background, and when the provider last vouched for the person.
ALTER TABLE sessions ADD COLUMN refresh_tried_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN refresh_confirmed_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX sessions_refresh ON sessions (provider, refresh_tried_ms);
