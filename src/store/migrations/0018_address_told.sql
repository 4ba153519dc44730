-- The address that the directory has put under somebody's live sessions since the last login, where it is another: it is
-- what applications see, and what the person is looked for by. Links go by what the login said.
ALTER TABLE users ADD COLUMN email_told TEXT;
CREATE INDEX users_email_told ON users (email_told);
