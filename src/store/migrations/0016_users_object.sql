-- A directory tells of somebody by the object alone, and is asked at every write who of those that sign in that is.
CREATE INDEX users_object ON users (provider, object);
