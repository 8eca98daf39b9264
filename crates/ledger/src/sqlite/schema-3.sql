-- Schema 3: the index of operations by their keys is in levels (see `keys.rs`). Never edited once released.
--
-- Filled by the program, with the numbers and keys of the operations that are there.

-- Drawn once, mixed into all hashes of keys of this file. Nothing that is answered depends on it.
CREATE TABLE key_seed (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seed BLOB NOT NULL CHECK (length(seed) = 16)
) STRICT;

INSERT INTO key_seed (one, seed) VALUES (1, randomblob(16));

-- `hash` is the beginning of a hash over site and key. New operations come here, in any order.
CREATE TABLE recent_key (
    hash INTEGER NOT NULL CHECK (hash >= 0),
    sequence INTEGER NOT NULL,
    PRIMARY KEY (hash, sequence)
) STRICT, WITHOUT ROWID;

-- From there they are moved on many at a time, each row being what begins alike on one level.
CREATE TABLE past_keys (
    place INTEGER PRIMARY KEY,
    entries BLOB NOT NULL
) STRICT;

-- The table of operations without its index in the order of hashes, of which each operation has a page to itself.
DROP TRIGGER operation_is_never_changed;
DROP TRIGGER operation_is_never_deleted;
DROP INDEX operation_at;
ALTER TABLE operation RENAME TO operation_of_schema_2;

CREATE TABLE operation (
    sequence INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    at INTEGER NOT NULL,
    site TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
    for_order TEXT,
    actor TEXT,
    personal BLOB CHECK (length(personal) = 16),
    answer TEXT NOT NULL,
    decision TEXT
) STRICT;

INSERT INTO operation (sequence, kind, at, site, key, request_hash, for_order, actor, personal, answer, decision)
    SELECT sequence, kind, at, site, key, request_hash, for_order, actor, personal, answer, decision
    FROM operation_of_schema_2 ORDER BY sequence;

DROP TABLE operation_of_schema_2;

-- For sums over a period, which never open the wide rows, and for the greatest moment of all.
CREATE INDEX operation_at ON operation (at, kind);

CREATE TRIGGER operation_is_never_changed BEFORE UPDATE ON operation
BEGIN
    SELECT RAISE(ABORT, 'an operation is never changed');
END;

CREATE TRIGGER operation_is_never_deleted BEFORE DELETE ON operation
BEGIN
    SELECT RAISE(ABORT, 'an operation is never deleted');
END;
