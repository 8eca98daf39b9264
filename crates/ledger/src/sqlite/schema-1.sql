-- Schema 1 of a ledger. Never edited once released: a change is a new file.
--
-- Amounts are minor units of the currency beside them; instants are milliseconds since 1970 in UTC. What is only ever
-- added to (operations, entries, contexts) costs one page at the end of its table; what an operation has to find again
-- is in an index as narrow as can be, since every page that a commit touches is written whole.

-- One row. `sealed_through`: the accounts that operations up to this one changed are sealed as these left them, or later.
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    configuration INTEGER NOT NULL,
    sealed_through INTEGER NOT NULL
) STRICT;

INSERT INTO state (one, configuration, sealed_through) VALUES (1, 0, 0);

-- `sealed` is the version in the last checkpoint that has the account, 0 before the first. `last_operation` and
-- `last_place` name the account's last entry, which names the one before: see `entry`.
CREATE TABLE account (
    id INTEGER PRIMARY KEY CHECK (id >= 0),
    version INTEGER NOT NULL CHECK (version >= 0),
    sealed INTEGER NOT NULL DEFAULT 0,
    kind INTEGER NOT NULL CHECK (kind IN (0, 1)),
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3),
    currency TEXT NOT NULL,
    exponent INTEGER NOT NULL,
    balance INTEGER NOT NULL CHECK (balance BETWEEN 0 AND 9007199254740991),
    held INTEGER NOT NULL CHECK (held BETWEEN 0 AND balance),
    next_hold_end INTEGER,
    head BLOB NOT NULL CHECK (length(head) = 32),
    initial INTEGER NOT NULL CHECK (initial BETWEEN 0 AND 9007199254740991),
    issued_at INTEGER NOT NULL,
    expires_at INTEGER,
    expires_on TEXT,
    site TEXT NOT NULL,
    programme TEXT NOT NULL,
    customer TEXT,
    replaced_by INTEGER,
    bought_by TEXT,
    hint TEXT,
    last_operation INTEGER,
    last_place INTEGER
) STRICT;

CREATE INDEX account_site ON account (site);
CREATE INDEX account_programme ON account (programme, site);
CREATE INDEX account_customer ON account (customer, site) WHERE customer IS NOT NULL;
CREATE INDEX account_bought_by ON account (bought_by, site) WHERE bought_by IS NOT NULL;
CREATE INDEX account_hint ON account (hint, site) WHERE hint IS NOT NULL;
-- One store credit account for a customer of a site and a currency.
CREATE UNIQUE INDEX account_credit ON account (site, customer, currency) WHERE kind = 1;

CREATE TRIGGER account_is_never_deleted BEFORE DELETE ON account
BEGIN
    SELECT RAISE(ABORT, 'an account is never deleted');
END;

-- `id` is half a hash over site and key, so that one narrow index tells whether an operation was done.
CREATE TABLE operation (
    sequence INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
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

-- A leg is an account's or a counter's. An account's entries are a list: each names the one before by its place in this
-- table. An index over all of them would cost every operation a page somewhere in a tree as large as the history of all
-- accounts; this way only every 64th entry of an account is in one.
CREATE TABLE entry (
    operation INTEGER NOT NULL,
    place INTEGER NOT NULL,
    counter INTEGER CHECK (counter BETWEEN 0 AND 4),
    currency TEXT NOT NULL,
    exponent INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount BETWEEN -9007199254740991 AND 9007199254740991),
    account INTEGER,
    number INTEGER,
    held_change INTEGER CHECK (held_change BETWEEN -9007199254740991 AND 9007199254740991),
    balance INTEGER CHECK (balance BETWEEN 0 AND 9007199254740991),
    held INTEGER CHECK (held BETWEEN 0 AND balance),
    status INTEGER CHECK (status BETWEEN 0 AND 3),
    hash BLOB CHECK (length(hash) = 32),
    previous_operation INTEGER,
    previous_place INTEGER,
    PRIMARY KEY (operation, place),
    CHECK (CASE WHEN account IS NULL THEN counter IS NOT NULL
        ELSE counter IS NULL AND number IS NOT NULL AND held_change IS NOT NULL AND balance IS NOT NULL
            AND held IS NOT NULL AND status IS NOT NULL AND hash IS NOT NULL END)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX entry_milestone ON entry (account, number) WHERE number % 64 = 0;

CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
BEGIN
    SELECT RAISE(ABORT, 'an entry is never changed');
END;

CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry
BEGIN
    SELECT RAISE(ABORT, 'an entry is never deleted');
END;

CREATE TABLE refusal (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    site TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
    answer TEXT NOT NULL
) STRICT;

CREATE INDEX refusal_until ON refusal (until);

-- With a number of its own, so that the index to look in holds keys and no bodies.
CREATE TABLE record (
    number INTEGER PRIMARY KEY,
    version INTEGER NOT NULL CHECK (version >= 1),
    kind INTEGER NOT NULL,
    site TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, site, id)
) STRICT;

CREATE TABLE code (
    id INTEGER PRIMARY KEY CHECK (id >= 0),
    version INTEGER NOT NULL CHECK (version >= 1),
    site TEXT NOT NULL,
    lookup BLOB NOT NULL UNIQUE CHECK (length(lookup) = 32),
    pepper INTEGER NOT NULL CHECK (pepper >= 0),
    pool TEXT,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    account INTEGER,
    hint TEXT,
    sealed BLOB
) STRICT;

CREATE INDEX code_pool ON code (pool, site, state) WHERE pool IS NOT NULL;
CREATE INDEX code_account ON code (account) WHERE account IS NOT NULL;

CREATE TABLE open_hold (
    account INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    hold INTEGER NOT NULL,
    PRIMARY KEY (account, ends_at, hold)
) STRICT, WITHOUT ROWID;

CREATE INDEX open_hold_ends_at ON open_hold (ends_at);

CREATE TABLE personal (
    reference BLOB PRIMARY KEY CHECK (length(reference) = 16),
    site TEXT NOT NULL,
    customer TEXT,
    body TEXT NOT NULL
) STRICT;

CREATE INDEX personal_customer ON personal (customer, site) WHERE customer IS NOT NULL;

CREATE TABLE context (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    body TEXT NOT NULL
) STRICT;

CREATE TABLE checkpoint (
    number INTEGER PRIMARY KEY CHECK (number >= 1),
    at INTEGER NOT NULL,
    root BLOB NOT NULL CHECK (length(root) = 32),
    heads INTEGER NOT NULL,
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    public_key BLOB NOT NULL CHECK (length(public_key) = 32),
    signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;

CREATE TABLE sealed_head (
    checkpoint INTEGER NOT NULL,
    account INTEGER NOT NULL,
    version INTEGER NOT NULL,
    head BLOB NOT NULL CHECK (length(head) = 32),
    PRIMARY KEY (checkpoint, account)
) STRICT, WITHOUT ROWID;

-- Small texts that belong to the database itself.
CREATE TABLE note (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;
