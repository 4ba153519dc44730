-- Whether somebody was taken out of the register. The row stays: logins that were under way must find that they ended.
ALTER TABLE users ADD COLUMN deleted BIGINT NOT NULL DEFAULT 0;
CREATE INDEX users_listed ON users (deleted, created_ms, id);
CREATE INDEX sessions_of_user_in_order ON sessions (user_id, created_ms);
CREATE INDEX access_requests_user ON access_requests (user_id, at_ms);
