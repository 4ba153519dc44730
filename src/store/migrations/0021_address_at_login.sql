-- The address of the last login, where the directory has given another one since: people are still looked for by it.
ALTER TABLE users ADD COLUMN email_at_login TEXT;
CREATE INDEX users_email_at_login ON users (email_at_login);
