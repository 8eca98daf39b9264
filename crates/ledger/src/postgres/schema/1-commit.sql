-- How version 1 of the protocol reads and writes: rows as values, and the function that commits a batch. A process
-- calls the version it was built with, so versions stay beside each other while processes are being replaced.

-- Rows as values, with the columns of their tables in the same order.
CREATE TYPE account_v1 AS (
    id bigint, version bigint, balance bigint, held bigint, next_hold_end bigint, initial bigint, issued_at bigint,
    expires_at bigint, replaced_by bigint, kind smallint, status smallint, exponent smallint, head bytea, currency text,
    expires_on text, site text, programme text, customer text, bought_by text, hint text
);
CREATE TYPE operation_v1 AS (
    sequence bigint, id bytea, kind smallint, at bigint, site text, key text, request_hash bytea, for_order text,
    actor text, personal bytea, answer text, decision text, until bigint
);
-- In a batch, `operation` is the place of its operation in the batch.
CREATE TYPE entry_v1 AS (
    operation bigint, place integer, counter smallint, currency text, exponent smallint, amount bigint, account bigint,
    number bigint, held_change bigint, balance bigint, held bigint, status smallint, hash bytea
);
-- In a batch, no body means that the document is deleted.
CREATE TYPE record_v1 AS (kind smallint, site text, id text, version bigint, body text);
CREATE TYPE record_key_v1 AS (kind smallint, site text, id text);
CREATE TYPE code_v1 AS (
    id bigint, version bigint, pepper bigint, account bigint, state smallint, lookup bytea, site text, pool text,
    hint text, sealed bytea
);
CREATE TYPE credit_key_v1 AS (site text, customer text, currency text);
CREATE TYPE open_hold_v1 AS (account bigint, ends_at bigint, hold bigint);
CREATE TYPE personal_v1 AS (reference bytea, site text, customer text, body text);
CREATE TYPE context_v1 AS (digest bytea, body text);

-- A batch of operations. Whatever an operation must find or changes has a slot, numbered from 1: the configuration,
-- then the members of `operation_ids`, `account_ids`, `credits`, `record_keys`, `watched_keys`, `code_ids` and
-- `lookups` in this order, then slots that nothing is read for. A slot holds a version, or the id of an owner, or how
-- long a key is taken; -1 if it is empty. `configures` tells by how much an operation moves the configuration's
-- version, `configured` whether any operation depends on it or moves it.
--
-- A touch is a test of a slot by an operation and what the slot holds after it. Tests are 0: it must hold what is
-- expected; 1: the key of an operation, taken if it holds more than expected; 2: the same of a refusal; 3: it must be
-- empty or hold what is expected; 4: none; 5: as 0, but nothing is written; 6: never holds. The touches of the operation
-- at place P, from 1, are those from `touch_from[P]` to before `touch_from[P + 1]`, that of its key first.
CREATE TYPE batch_v1 AS (
    slots integer,
    configured boolean,
    configures integer[],
    operation_ids bytea[],
    account_ids bigint[],
    credits credit_key_v1[],
    record_keys record_key_v1[],
    watched_keys record_key_v1[],
    absent_keys record_key_v1[],
    code_ids bigint[],
    lookups bytea[],
    touch_from integer[],
    touch_slot integer[],
    touch_test smallint[],
    touch_expected bigint[],
    touch_written bigint[],
    operations operation_v1[], operation_place integer[], operation_slot integer[],
    entries entry_v1[],
    accounts account_v1[], account_place integer[], account_slot integer[],
    records record_v1[], record_place integer[], record_slot integer[],
    codes code_v1[], code_place integer[], code_slot integer[],
    holds open_hold_v1[], hold_opened boolean[], hold_place integer[], hold_slot integer[],
    personals personal_v1[], personal_place integer[],
    contexts context_v1[], context_slot integer[]
);

-- Writes the operations of a batch, or only the one at a place, in order: each sees what those before it wrote. Returns
-- for each place 0 for written, 1 for a guard that did not hold, 2 for a key that is taken. Raises `unique_violation`
-- where another transaction added the same at the same time.
--
-- Locks are taken in one order: configuration, accounts by id, documents by key, codes by id; the lists of a batch are
-- in that order. Each statement sees what was committed before it began, so what is read after a lock is what the lock
-- protects.
--
-- A plan is made once, when the tables may be empty, and kept. So nothing is joined: what is looked for is looked for by
-- its key, one after the other (`LATERAL` with a lock or `OFFSET 0`), and what is there is overwritten by inserting it.
CREATE FUNCTION write_v1(batch batch_v1, only_place integer) RETURNS smallint[] LANGUAGE plpgsql AS $$
DECLARE
    places CONSTANT integer := cardinality(batch.configures);
    -- What each slot holds, and the place of the operation that last wrote it.
    holds_now bigint[];
    held_before bigint[];
    writer integer[] := array_fill(0, ARRAY[batch.slots]);
    verdicts smallint[] := array_fill(1::smallint, ARRAY[places]);
    sequences bigint[] := array_fill(NULL::bigint, ARRAY[places]);
    configures CONSTANT integer[] := batch.configures;
    touch_from CONSTANT integer[] := batch.touch_from;
    touch_slot CONSTANT integer[] := batch.touch_slot;
    touch_test CONSTANT smallint[] := batch.touch_test;
    touch_expected CONSTANT bigint[] := batch.touch_expected;
    touch_written CONSTANT bigint[] := batch.touch_written;
    base integer := 1;
    refused boolean := false;
    new_accounts integer := cardinality(batch.account_ids);
    new_records integer := cardinality(batch.record_keys);
    new_codes integer := cardinality(batch.code_ids);
    written integer := 0;
    it record;
    verdict smallint;
    test smallint;
    slot integer;
    lock_key bigint;
BEGIN
    holds_now := array_fill((-1)::bigint, ARRAY[batch.slots]);

    IF batch.configured THEN
        -- A lock that costs no write: all who rely on the configuration share it.
        lock_key := 7453010373643042816 + 'configuration'::regclass::oid::bigint;
        IF 0 < ANY (configures) THEN
            PERFORM pg_advisory_xact_lock(lock_key);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(lock_key);
        END IF;
        holds_now[1] := (SELECT c.version FROM configuration c);
    END IF;

    FOR k IN 1 .. cardinality(batch.operation_ids) LOOP
        holds_now[base + k] := -9223372036854775808;
    END LOOP;
    FOR it IN
        SELECT k.n, coalesce(o.until, 9223372036854775807) AS until
        FROM unnest(batch.operation_ids) WITH ORDINALITY k(id, n)
        CROSS JOIN LATERAL (SELECT x.until FROM operation x WHERE x.id = k.id OFFSET 0) o
    LOOP
        holds_now[base + it.n] := it.until;
        refused := refused OR it.until < 9223372036854775807;
    END LOOP;
    base := base + cardinality(batch.operation_ids);

    IF cardinality(batch.account_ids) > 0 THEN
        FOR it IN
            SELECT k.n, a.version
            FROM unnest(batch.account_ids) WITH ORDINALITY k(id, n)
            CROSS JOIN LATERAL (SELECT x.version FROM account x WHERE x.id = k.id FOR NO KEY UPDATE) a
        LOOP
            holds_now[base + it.n] := it.version;
            new_accounts := new_accounts - 1;
        END LOOP;
        base := base + cardinality(batch.account_ids);
    END IF;

    IF cardinality(batch.credits) > 0 THEN
        FOR it IN
            SELECT k.n, a.id
            FROM unnest(batch.credits) WITH ORDINALITY k(site, customer, currency, n)
            CROSS JOIN LATERAL (
                SELECT x.id FROM account x
                WHERE x.kind = 1 AND x.site = k.site AND x.customer = k.customer AND x.currency = k.currency OFFSET 0
            ) a
        LOOP
            holds_now[base + it.n] := it.id;
        END LOOP;
        base := base + cardinality(batch.credits);
    END IF;

    IF cardinality(batch.absent_keys) > 0 THEN
        -- Whoever adds one of these at the same time waits until this transaction ends, or is waited for.
        FOR it IN SELECT k.kind, k.site, k.id FROM unnest(batch.absent_keys) k LOOP
            INSERT INTO record (kind, site, id, version, body) VALUES (it.kind, it.site, it.id, 0, '')
            ON CONFLICT DO NOTHING;
            DELETE FROM record r WHERE r.kind = it.kind AND r.site = it.site AND r.id = it.id AND r.version = 0;
        END LOOP;
    END IF;

    IF cardinality(batch.record_keys) > 0 THEN
        FOR it IN
            SELECT k.n, r.version
            FROM unnest(batch.record_keys) WITH ORDINALITY k(kind, site, id, n)
            CROSS JOIN LATERAL (
                SELECT x.version FROM record x WHERE x.kind = k.kind AND x.site = k.site AND x.id = k.id FOR UPDATE
            ) r
        LOOP
            holds_now[base + it.n] := it.version;
            new_records := new_records - 1;
        END LOOP;
        base := base + cardinality(batch.record_keys);
    END IF;

    IF cardinality(batch.watched_keys) > 0 THEN
        FOR it IN
            SELECT k.n, r.version
            FROM unnest(batch.watched_keys) WITH ORDINALITY k(kind, site, id, n)
            CROSS JOIN LATERAL (
                SELECT x.version FROM record x WHERE x.kind = k.kind AND x.site = k.site AND x.id = k.id FOR SHARE
            ) r
        LOOP
            holds_now[base + it.n] := it.version;
        END LOOP;
        base := base + cardinality(batch.watched_keys);
    END IF;

    IF cardinality(batch.code_ids) > 0 THEN
        FOR it IN
            SELECT k.n, c.version
            FROM unnest(batch.code_ids) WITH ORDINALITY k(id, n)
            CROSS JOIN LATERAL (SELECT x.version FROM code x WHERE x.id = k.id FOR UPDATE) c
        LOOP
            holds_now[base + it.n] := it.version;
            new_codes := new_codes - 1;
        END LOOP;
        base := base + cardinality(batch.code_ids);
        FOR it IN
            SELECT k.n, c.id
            FROM unnest(batch.lookups) WITH ORDINALITY k(lookup, n)
            CROSS JOIN LATERAL (SELECT x.id FROM code x WHERE x.lookup = k.lookup OFFSET 0) c
        LOOP
            holds_now[base + it.n] := it.id;
        END LOOP;
    END IF;

    held_before := holds_now;
    FOR place IN coalesce(only_place, 1) .. coalesce(only_place, places) LOOP
        verdict := 0;
        FOR t IN touch_from[place] .. touch_from[place + 1] - 1 LOOP
            test := touch_test[t];
            IF test = 0 OR test = 5 THEN
                IF holds_now[touch_slot[t]] <> touch_expected[t] THEN
                    verdict := 1;
                    EXIT;
                END IF;
            ELSIF test <= 2 THEN
                IF holds_now[touch_slot[t]] > touch_expected[t] THEN
                    verdict := 2;
                    EXIT;
                END IF;
            ELSIF test = 3 THEN
                IF holds_now[touch_slot[t]] NOT IN (-1, touch_expected[t]) THEN
                    verdict := 1;
                    EXIT;
                END IF;
            ELSIF test = 6 THEN
                verdict := 1;
                EXIT;
            END IF;
        END LOOP;
        verdicts[place] := verdict;
        CONTINUE WHEN verdict <> 0;
        written := written + 1;
        FOR t IN touch_from[place] .. touch_from[place + 1] - 1 LOOP
            test := touch_test[t];
            CONTINUE WHEN test = 5;
            slot := touch_slot[t];
            holds_now[slot] := touch_written[t];
            writer[slot] := place;
            IF test = 1 THEN
                -- After the locks: what builds on another operation has a greater number.
                sequences[place] := nextval('operation_sequence');
            END IF;
        END LOOP;
        IF configures[place] > 0 THEN
            holds_now[1] := holds_now[1] + configures[place];
        END IF;
    END LOOP;
    IF written = 0 THEN
        RETURN verdicts;
    END IF;

    -- Of each slot, what the last good operation left in it is written. What is new is added in the order of slots, so
    -- that two transactions that add the same wait for each other in one direction only.
    IF refused THEN
        FOR it IN SELECT k.id FROM unnest(batch.operation_ids) WITH ORDINALITY k(id, n) WHERE writer[1 + k.n] > 0 LOOP
            DELETE FROM operation o WHERE o.id = it.id AND o.until IS NOT NULL;
        END LOOP;
    END IF;
    IF cardinality(batch.operations) > 0 THEN
        INSERT INTO operation
        SELECT sequences[o.place], o.id, o.kind, o.at, o.site, o.key, o.request_hash, o.for_order, o.actor, o.personal,
            o.answer, o.decision, o.until
        FROM unnest(batch.operations, batch.operation_place, batch.operation_slot)
            AS o(sequence, id, kind, at, site, key, request_hash, for_order, actor, personal, answer, decision, until,
                place, slot)
        WHERE writer[o.slot] = o.place
        ORDER BY o.slot;
    END IF;
    IF cardinality(batch.entries) > 0 THEN
        INSERT INTO entry
        SELECT sequences[e.operation], e.place, e.counter, e.currency, e.exponent, e.amount, e.account, e.number,
            e.held_change, e.balance, e.held, e.status, e.hash
        FROM unnest(batch.entries) e
        WHERE verdicts[e.operation] = 0;
    END IF;
    IF cardinality(batch.account_ids) > new_accounts THEN
        INSERT INTO account AS a
        SELECT c.id, c.version, c.balance, c.held, c.next_hold_end, c.initial, c.issued_at, c.expires_at, c.replaced_by,
            c.kind, c.status, c.exponent, c.head, c.currency, c.expires_on, c.site, c.programme, c.customer, c.bought_by,
            c.hint
        FROM unnest(batch.accounts, batch.account_place, batch.account_slot)
            AS c(id, version, balance, held, next_hold_end, initial, issued_at, expires_at, replaced_by, kind, status,
                exponent, head, currency, expires_on, site, programme, customer, bought_by, hint, place, slot)
        WHERE writer[c.slot] = c.place AND held_before[c.slot] >= 0
        ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, balance = EXCLUDED.balance, held = EXCLUDED.held,
            next_hold_end = EXCLUDED.next_hold_end, initial = EXCLUDED.initial, issued_at = EXCLUDED.issued_at,
            expires_at = EXCLUDED.expires_at, replaced_by = EXCLUDED.replaced_by, kind = EXCLUDED.kind,
            status = EXCLUDED.status, exponent = EXCLUDED.exponent, head = EXCLUDED.head,
            currency = EXCLUDED.currency, expires_on = EXCLUDED.expires_on, site = EXCLUDED.site,
            programme = EXCLUDED.programme, customer = EXCLUDED.customer, bought_by = EXCLUDED.bought_by,
            hint = EXCLUDED.hint;
    END IF;
    IF new_accounts > 0 THEN
        INSERT INTO account
        SELECT c.id, c.version, c.balance, c.held, c.next_hold_end, c.initial, c.issued_at, c.expires_at, c.replaced_by,
            c.kind, c.status, c.exponent, c.head, c.currency, c.expires_on, c.site, c.programme, c.customer, c.bought_by,
            c.hint
        FROM unnest(batch.accounts, batch.account_place, batch.account_slot)
            AS c(id, version, balance, held, next_hold_end, initial, issued_at, expires_at, replaced_by, kind, status,
                exponent, head, currency, expires_on, site, programme, customer, bought_by, hint, place, slot)
        WHERE writer[c.slot] = c.place AND held_before[c.slot] < 0
        ORDER BY c.slot;
    END IF;
    IF cardinality(batch.record_keys) > new_records THEN
        INSERT INTO record
        SELECT c.kind, c.site, c.id, c.version, c.body
        FROM unnest(batch.records, batch.record_place, batch.record_slot)
            AS c(kind, site, id, version, body, place, slot)
        WHERE writer[c.slot] = c.place AND held_before[c.slot] >= 0 AND c.body IS NOT NULL
        ON CONFLICT (kind, site, id) DO UPDATE SET version = EXCLUDED.version, body = EXCLUDED.body;
        FOR it IN
            SELECT c.kind, c.site, c.id
            FROM unnest(batch.records, batch.record_place, batch.record_slot)
                AS c(kind, site, id, version, body, place, slot)
            WHERE writer[c.slot] = c.place AND held_before[c.slot] >= 0 AND c.body IS NULL
        LOOP
            DELETE FROM record r WHERE r.kind = it.kind AND r.site = it.site AND r.id = it.id;
        END LOOP;
    END IF;
    IF new_records > 0 THEN
        INSERT INTO record
        SELECT c.kind, c.site, c.id, c.version, c.body
        FROM unnest(batch.records, batch.record_place, batch.record_slot)
            AS c(kind, site, id, version, body, place, slot)
        WHERE writer[c.slot] = c.place AND held_before[c.slot] < 0 AND c.body IS NOT NULL
        ORDER BY c.slot;
    END IF;
    IF cardinality(batch.code_ids) > new_codes THEN
        INSERT INTO code
        SELECT c.id, c.version, c.pepper, c.account, c.state, c.lookup, c.site, c.pool, c.hint, c.sealed
        FROM unnest(batch.codes, batch.code_place, batch.code_slot)
            AS c(id, version, pepper, account, state, lookup, site, pool, hint, sealed, place, slot)
        WHERE writer[c.slot] = c.place AND held_before[c.slot] >= 0
        ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, pepper = EXCLUDED.pepper,
            account = EXCLUDED.account, state = EXCLUDED.state, lookup = EXCLUDED.lookup, site = EXCLUDED.site,
            pool = EXCLUDED.pool, hint = EXCLUDED.hint, sealed = EXCLUDED.sealed;
    END IF;
    IF new_codes > 0 THEN
        INSERT INTO code
        SELECT c.id, c.version, c.pepper, c.account, c.state, c.lookup, c.site, c.pool, c.hint, c.sealed
        FROM unnest(batch.codes, batch.code_place, batch.code_slot)
            AS c(id, version, pepper, account, state, lookup, site, pool, hint, sealed, place, slot)
        WHERE writer[c.slot] = c.place AND held_before[c.slot] < 0
        ORDER BY c.slot;
    END IF;
    IF cardinality(batch.holds) > 0 THEN
        FOR it IN
            SELECT c.account, c.ends_at, c.hold
            FROM unnest(batch.holds, batch.hold_opened, batch.hold_place, batch.hold_slot)
                AS c(account, ends_at, hold, opened, place, slot)
            WHERE writer[c.slot] = c.place AND NOT c.opened
        LOOP
            DELETE FROM open_hold h WHERE h.account = it.account AND h.ends_at = it.ends_at AND h.hold = it.hold;
        END LOOP;
        INSERT INTO open_hold
        SELECT c.account, c.ends_at, c.hold
        FROM unnest(batch.holds, batch.hold_opened, batch.hold_place, batch.hold_slot)
            AS c(account, ends_at, hold, opened, place, slot)
        WHERE writer[c.slot] = c.place AND c.opened
        ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(batch.personals) > 0 THEN
        INSERT INTO personal
        SELECT p.reference, p.site, p.customer, p.body
        FROM unnest(batch.personals, batch.personal_place) AS p(reference, site, customer, body, place)
        WHERE verdicts[p.place] = 0;
    END IF;
    IF cardinality(batch.contexts) > 0 THEN
        INSERT INTO context
        SELECT c.digest, c.body FROM unnest(batch.contexts, batch.context_slot) AS c(digest, body, slot)
        WHERE writer[c.slot] > 0
        ORDER BY c.digest
        ON CONFLICT DO NOTHING;
    END IF;
    IF holds_now[1] <> held_before[1] THEN
        UPDATE configuration SET version = holds_now[1];
    END IF;
    RETURN verdicts;
END
$$;

-- Commits a batch of a lane, once: the same number again gets the same verdicts. `one_by_one` is for a batch that
-- raised `unique_violation`: what others were faster with is found at the second look.
CREATE FUNCTION commit_v1(lane_id bytea, batch_number bigint, one_by_one boolean, batch batch_v1)
RETURNS smallint[] LANGUAGE plpgsql AS $$
DECLARE
    last lane%ROWTYPE;
    given smallint[];
BEGIN
    SELECT * INTO last FROM lane l WHERE l.id = lane_id FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO lane (id, number, verdicts) VALUES (lane_id, 0, '{}');
    ELSIF last.number = batch_number THEN
        RETURN last.verdicts;
    ELSIF last.number > batch_number THEN
        RAISE EXCEPTION 'batch % of this lane comes after batch %', batch_number, last.number
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF one_by_one THEN
        given := array_fill(1::smallint, ARRAY[cardinality(batch.configures)]);
        FOR place IN 1 .. cardinality(batch.configures) LOOP
            FOR attempt IN 1 .. 3 LOOP
                BEGIN
                    given[place] := (write_v1(batch, place))[place];
                    EXIT;
                EXCEPTION WHEN unique_violation THEN
                    NULL;
                END;
            END LOOP;
        END LOOP;
    ELSE
        given := write_v1(batch, NULL);
    END IF;
    UPDATE lane l SET number = batch_number, verdicts = given, used_at = now() WHERE l.id = lane_id;
    RETURN given;
END
$$;
