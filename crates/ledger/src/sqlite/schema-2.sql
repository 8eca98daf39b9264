-- Schema 2: plugins that were installed. Never edited once released.

-- The bytes of components by their SHA-256. They stay as long as a decision may name them.
CREATE TABLE component (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    bytes BLOB NOT NULL
) STRICT;
