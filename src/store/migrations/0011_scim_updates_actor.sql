-- Who asked in a directory's place, where it was not the directory itself.
ALTER TABLE scim_updates ADD COLUMN actor TEXT;
