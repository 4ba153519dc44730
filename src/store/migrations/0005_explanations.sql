-- How every rule came out, beside the refusal that followed from it.
ALTER TABLE access_requests ADD COLUMN explanation TEXT;
