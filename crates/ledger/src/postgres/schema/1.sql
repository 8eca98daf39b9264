-- Schema 1 of a ledger. Never edited once released: a change is a new file.
--
-- Amounts are minor units of the currency beside them; instants are milliseconds since 1970 in UTC. Texts compare by
-- their bytes. What every commit changes in a row is in no index, so that it stays on its page. Constraints are few and
-- about money: PostgreSQL reads each of them anew for every statement.

-- Moves with every change of a site or a programme.
CREATE TABLE configuration (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL
) WITH (fillfactor = 20);

INSERT INTO configuration (version) VALUES (0);

CREATE TABLE account (
    id bigint PRIMARY KEY,
    version bigint NOT NULL,
    balance bigint NOT NULL,
    held bigint NOT NULL,
    next_hold_end bigint,
    initial bigint NOT NULL,
    issued_at bigint NOT NULL,
    expires_at bigint,
    replaced_by bigint,
    kind smallint NOT NULL,
    status smallint NOT NULL,
    exponent smallint NOT NULL,
    head bytea NOT NULL,
    currency text COLLATE "C" NOT NULL,
    expires_on text COLLATE "C",
    site text COLLATE "C" NOT NULL,
    programme text COLLATE "C" NOT NULL,
    customer text COLLATE "C",
    bought_by text COLLATE "C",
    hint text COLLATE "C",
    CONSTRAINT account_is_in_bounds
        CHECK (held >= 0 AND held <= balance AND balance <= 9007199254740991 AND id >= 0 AND version >= 0)
) WITH (fillfactor = 75);

CREATE INDEX account_programme ON account (site, programme, id);
CREATE INDEX account_customer ON account (customer, site) WHERE customer IS NOT NULL;
CREATE INDEX account_bought_by ON account (bought_by, site) WHERE bought_by IS NOT NULL;
CREATE INDEX account_hint ON account (hint, site) WHERE hint IS NOT NULL;
CREATE INDEX account_expires_at ON account (expires_at) WHERE expires_at IS NOT NULL;
-- One store credit account for a customer of a site and a currency.
CREATE UNIQUE INDEX account_credit ON account (site, customer, currency) WHERE kind = 1;

CREATE SEQUENCE operation_sequence AS bigint;

-- `id` is half a hash over site and key. With `until`, it is no operation but a refusal that is remembered until then,
-- and has no number: in one table, so that one index decides between a refusal and an operation of the same key.
CREATE TABLE operation (
    sequence bigint UNIQUE,
    id bytea PRIMARY KEY,
    kind smallint,
    at bigint NOT NULL,
    site text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    request_hash bytea NOT NULL,
    for_order text COLLATE "C",
    actor text COLLATE "C",
    personal bytea,
    answer text COLLATE "C" NOT NULL,
    decision text COLLATE "C",
    until bigint,
    CONSTRAINT operation_or_refusal
        CHECK ((until IS NULL) = (sequence IS NOT NULL) AND (until IS NULL) = (kind IS NOT NULL))
);

CREATE INDEX operation_at ON operation (at) WHERE until IS NULL;
CREATE INDEX operation_until ON operation (until) WHERE until IS NOT NULL;

-- A leg is an account's or a counter's.
CREATE TABLE entry (
    operation bigint NOT NULL,
    place integer NOT NULL,
    counter smallint,
    currency text COLLATE "C" NOT NULL,
    exponent smallint NOT NULL,
    amount bigint NOT NULL,
    account bigint,
    number bigint,
    held_change bigint,
    balance bigint,
    held bigint,
    status smallint,
    hash bytea,
    PRIMARY KEY (operation, place),
    CONSTRAINT entry_is_a_leg CHECK (CASE WHEN account IS NULL THEN counter IS NOT NULL
        ELSE coalesce(counter IS NULL AND number >= 1 AND held >= 0 AND held <= balance AND held_change IS NOT NULL
            AND status IS NOT NULL AND hash IS NOT NULL, false) END)
);

CREATE UNIQUE INDEX entry_account ON entry (account, number) WHERE account IS NOT NULL;

-- Version 0 is of no document: it is how a transaction keeps others from adding one while it needs it to be absent.
CREATE TABLE record (
    kind smallint NOT NULL,
    site text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    body text COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, site, id)
) WITH (fillfactor = 80);

CREATE TABLE code (
    id bigint PRIMARY KEY,
    version bigint NOT NULL,
    pepper bigint NOT NULL,
    account bigint,
    state smallint NOT NULL,
    lookup bytea NOT NULL UNIQUE,
    site text COLLATE "C" NOT NULL,
    pool text COLLATE "C",
    hint text COLLATE "C",
    sealed bytea
);

CREATE INDEX code_pool ON code (pool, site, state, id) WHERE pool IS NOT NULL;
CREATE INDEX code_account ON code (account) WHERE account IS NOT NULL;

CREATE TABLE open_hold (
    account bigint NOT NULL,
    ends_at bigint NOT NULL,
    hold bigint NOT NULL,
    PRIMARY KEY (account, ends_at, hold)
);

CREATE INDEX open_hold_ends_at ON open_hold (ends_at);

CREATE TABLE personal (
    reference bytea PRIMARY KEY,
    site text COLLATE "C" NOT NULL,
    customer text COLLATE "C",
    body text COLLATE "C" NOT NULL
);

CREATE INDEX personal_customer ON personal (customer, site) WHERE customer IS NOT NULL;

CREATE TABLE context (
    digest bytea PRIMARY KEY,
    body text COLLATE "C" NOT NULL
);

CREATE TABLE checkpoint (
    number bigint PRIMARY KEY,
    at bigint NOT NULL,
    root bytea NOT NULL,
    heads bigint NOT NULL,
    previous bytea NOT NULL,
    public_key bytea NOT NULL,
    signature bytea NOT NULL
);

CREATE TABLE sealed_head (
    checkpoint bigint NOT NULL,
    account bigint NOT NULL,
    version bigint NOT NULL,
    head bytea NOT NULL,
    PRIMARY KEY (checkpoint, account)
);

CREATE INDEX sealed_head_account ON sealed_head (account, version);

-- Small texts that belong to the database itself.
CREATE TABLE note (
    name text COLLATE "C" PRIMARY KEY,
    text text COLLATE "C" NOT NULL
);

-- One row for each connection that commits, with the number and the verdicts of its last batch. A batch whose answer
-- was lost is sent again under its number: if it was committed, it gets the same verdicts and is not run again.
CREATE TABLE lane (
    id bytea PRIMARY KEY,
    number bigint NOT NULL,
    verdicts smallint[] NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 20);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what is in table % is never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER account_is_never_deleted BEFORE DELETE ON account FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER account_is_never_emptied BEFORE TRUNCATE ON account EXECUTE FUNCTION refuse_change();
CREATE TRIGGER operation_is_never_changed BEFORE UPDATE ON operation FOR EACH ROW EXECUTE FUNCTION refuse_change();
-- A refusal may be forgotten.
CREATE TRIGGER operation_is_never_deleted BEFORE DELETE ON operation FOR EACH ROW
    WHEN (OLD.until IS NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER operation_is_never_emptied BEFORE TRUNCATE ON operation EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_is_never_emptied BEFORE TRUNCATE ON entry EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoint_is_never_changed BEFORE UPDATE OR DELETE ON checkpoint FOR EACH ROW
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoint_is_never_emptied BEFORE TRUNCATE ON checkpoint EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sealed_head_is_never_changed BEFORE UPDATE OR DELETE ON sealed_head FOR EACH ROW
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sealed_head_is_never_emptied BEFORE TRUNCATE ON sealed_head EXECUTE FUNCTION refuse_change();
