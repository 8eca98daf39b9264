//! Turns a batch of changes into the value that the function `commit_v1` takes: for everything that an operation must
//! find or changes a slot, for every operation what it does to its slots, and the rows. Must not know connections.

use std::collections::HashMap;
use std::hash::Hash;

use postgres_types::ToSql;

use super::rows::{
    AccountRow, CodeRow, ContextRow, CreditKeyRow, EntryRow, OpenHoldRow, OperationRow, PersonalRow, RecordKeyRow,
    RecordRow, stored,
};
use crate::chain;
use crate::model::{Account, AccountKind, Code, Hash32, Operation, RecordKey, Refusal};
use crate::store::{Changes, Personal, RecordChange, Verdict, builds_on};

/// What an empty slot holds.
const EMPTY: i64 = -1;

/// What the slot of an operation holds that was written.
const DONE: i64 = 1;

/// How a slot is tested, and whether it is written. The numbers are those of the function.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    Equal = 0,
    OperationKey = 1,
    RefusalKey = 2,
    EmptyOrEqual = 3,
    None = 4,
    OnlyEqual = 5,
    Never = 6,
}

/// What kinds of slots there are, in the order of their numbers.
#[derive(Clone, Copy)]
enum Kind {
    Configuration,
    Operation,
    Account,
    Credit,
    Record,
    Watched,
    Code,
    Lookup,
    Hold,
    Context,
    /// Whether the operation at a place of the batch was written.
    Done,
}

const KINDS: usize = Kind::Done as usize + 1;

/// A slot before it is known how many of the kinds before it there are.
type Slot = (Kind, usize);

/// The argument of `commit_v1`.
#[derive(Debug, Default, ToSql)]
#[postgres(name = "batch_v1")]
pub(super) struct Batch {
    slots: i32,
    configured: bool,
    configures: Vec<i32>,
    operation_ids: Vec<Vec<u8>>,
    account_ids: Vec<i64>,
    credits: Vec<CreditKeyRow>,
    record_keys: Vec<RecordKeyRow>,
    watched_keys: Vec<RecordKeyRow>,
    absent_keys: Vec<RecordKeyRow>,
    code_ids: Vec<i64>,
    lookups: Vec<Vec<u8>>,
    touch_from: Vec<i32>,
    touch_slot: Vec<i32>,
    touch_test: Vec<i16>,
    touch_expected: Vec<i64>,
    touch_written: Vec<i64>,
    operations: Vec<OperationRow>,
    operation_place: Vec<i32>,
    operation_slot: Vec<i32>,
    entries: Vec<EntryRow>,
    accounts: Vec<AccountRow>,
    account_place: Vec<i32>,
    account_slot: Vec<i32>,
    records: Vec<RecordRow>,
    record_place: Vec<i32>,
    record_slot: Vec<i32>,
    codes: Vec<CodeRow>,
    code_place: Vec<i32>,
    code_slot: Vec<i32>,
    holds: Vec<OpenHoldRow>,
    hold_opened: Vec<bool>,
    hold_place: Vec<i32>,
    hold_slot: Vec<i32>,
    personals: Vec<PersonalRow>,
    personal_place: Vec<i32>,
    contexts: Vec<ContextRow>,
    context_slot: Vec<i32>,
}

/// A batch, and which of its operations carry which context.
pub(super) struct Prepared {
    pub(super) batch: Batch,
    contexts: Vec<ContextRow>,
    context_slot: Vec<i32>,
    carried: Vec<(usize, Hash32)>,
}

impl Prepared {
    pub(super) fn new(batch: &[&Changes]) -> Self {
        let mut builder = Builder::default();
        // PostgreSQL has no character 0 in texts. The others of the batch must not fail with one that has it.
        let can_be: Vec<Option<&Changes>> =
            batch.iter().map(|changes| Some(*changes).filter(|changes| !has_zero_character(changes))).collect();
        for record in can_be.iter().flatten().flat_map(|changes| &changes.records) {
            builder.slots.records.add(&record.key);
        }
        let builds_on = builds_on(batch);
        for place in builds_on.iter().flatten() {
            builder.slots.done.add(place);
        }
        for (place, changes) in can_be.into_iter().enumerate() {
            builder.add(place, changes, &builds_on[place]);
        }
        builder.finish()
    }

    /// Leaves out the contexts that are known to be there: they are long and nearly always are.
    pub(super) fn leave_out(&mut self, is_there: impl Fn(&[u8]) -> bool) {
        let missing = self.contexts.iter().zip(&self.context_slot).filter(|(context, _)| !is_there(&context.digest));
        (self.batch.contexts, self.batch.context_slot) =
            missing.map(|(context, slot)| (context.clone(), *slot)).unzip();
    }

    /// The contexts that are there once the batch has these verdicts.
    pub(super) fn written_contexts(&self, verdicts: &[Verdict]) -> impl Iterator<Item = Hash32> {
        let written = |place: usize| verdicts.get(place) == Some(&Verdict::Committed);
        self.carried.iter().filter(move |(place, _)| written(*place)).map(|(_, digest)| *digest)
    }

    /// How many operations it has.
    pub(super) fn len(&self) -> usize {
        self.batch.configures.len()
    }
}

/// Keys of one kind, each with its place among them.
struct Keys<K> {
    places: HashMap<K, usize>,
}

impl<K> Default for Keys<K> {
    fn default() -> Self {
        Self { places: HashMap::new() }
    }
}

impl<K: Clone + Hash + Ord> Keys<K> {
    fn add(&mut self, key: &K) -> usize {
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        let place = self.places.len();
        self.places.insert(key.clone(), place);
        place
    }

    /// The keys in their order, in which they are locked, and where each came to be of those that were added.
    fn sorted(self) -> (Vec<K>, Vec<usize>) {
        let mut keys: Vec<(K, usize)> = self.places.into_iter().collect();
        keys.sort_unstable();
        let mut moved = vec![0; keys.len()];
        for (place, (_, added)) in keys.iter().enumerate() {
            moved[*added] = place;
        }
        (keys.into_iter().map(|(key, _)| key).collect(), moved)
    }
}

#[derive(Default)]
struct Slots {
    operations: Keys<[u8; 16]>,
    accounts: Keys<i64>,
    credits: Keys<CreditKeyRow>,
    records: Keys<RecordKey>,
    watched: Keys<RecordKey>,
    absent: Keys<RecordKey>,
    codes: Keys<i64>,
    lookups: Keys<Hash32>,
    holds: Keys<OpenHoldRow>,
    contexts: Keys<Hash32>,
    done: Keys<usize>,
}

struct Touch {
    slot: Slot,
    test: Test,
    expected: i64,
    written: i64,
}

#[derive(Default)]
struct Builder {
    slots: Slots,
    touches: Vec<Touch>,
    carried: Vec<(usize, Hash32)>,
    contexts: Vec<ContextRow>,
    rows: RowSlots,
    batch: Batch,
}

/// Slots of the rows, within their kind.
#[derive(Default)]
struct RowSlots {
    operations: Vec<usize>,
    accounts: Vec<usize>,
    records: Vec<usize>,
    codes: Vec<usize>,
    holds: Vec<usize>,
}

/// A place or number of the batch as the function has it.
fn number(place: usize) -> i32 {
    i32::try_from(place).expect("INVARIANT: a batch is smaller than 2^31 of anything")
}

impl Builder {
    fn touch(&mut self, slot: Slot, test: Test, expected: i64, written: i64) {
        self.touches.push(Touch { slot, test, expected, written });
    }

    fn add(&mut self, place: usize, changes: Option<&Changes>, builds_on: &[usize]) {
        self.batch.touch_from.push(number(self.touches.len() + 1));
        let Some(changes) = changes else {
            self.batch.configures.push(0);
            return self.touch((Kind::Configuration, 0), Test::Never, 0, 0);
        };
        let moves = changes.records.iter().filter(|change| change.key.kind.is_configuration()).count();
        self.batch.configures.push(number(moves));
        self.batch.configured |= moves > 0 || changes.configuration.is_some();
        let done = self.slots.done.places.get(&place).copied();
        // From 1, as the function counts.
        let place = number(place + 1);
        self.add_operation(place, changes);
        for earlier in builds_on {
            let slot = self.slots.done.add(earlier);
            self.touch((Kind::Done, slot), Test::OnlyEqual, DONE, 0);
        }
        if let Some(slot) = done {
            self.touch((Kind::Done, slot), Test::None, 0, DONE);
        }
        if let Some(version) = changes.configuration {
            self.touch((Kind::Configuration, 0), Test::OnlyEqual, stored(version), 0);
        }
        for (key, version) in &changes.checks {
            let slot = match self.slots.records.places.get(key) {
                Some(record) => (Kind::Record, *record),
                None => (Kind::Watched, self.slots.watched.add(key)),
            };
            if version.is_none() {
                self.slots.absent.add(key);
            }
            self.touch(slot, Test::OnlyEqual, version.map_or(EMPTY, stored), 0);
        }
        for (id, version) in &changes.account_checks {
            let slot = self.slots.accounts.add(&id.get());
            self.touch((Kind::Account, slot), Test::OnlyEqual, stored(*version), 0);
        }
        self.add_accounts(place, changes);
        self.add_records(place, changes);
        self.add_codes(place, changes);
        self.add_beside(place, changes);
    }

    fn add_operation(&mut self, place: i32, changes: &Changes) {
        let (row, id, test, at, until) = match (&changes.operation, &changes.refusal) {
            (Some(operation), _) => {
                let row = OperationRow::of_operation(operation, None);
                (row, chain::operation_id(&operation.key), Test::OperationKey, operation.at, i64::MAX)
            }
            (None, Some(refusal)) => {
                let row = OperationRow::of_refusal(refusal);
                (row, chain::operation_id(&refusal.key), Test::RefusalKey, refusal.at, refusal.until)
            }
            (None, None) => return,
        };
        let slot = self.slots.operations.add(&id);
        self.touch((Kind::Operation, slot), test, at, until);
        self.batch.operations.push(row);
        self.batch.operation_place.push(place);
        self.rows.operations.push(slot);
        let entries = changes.entries.iter().enumerate();
        self.batch.entries.extend(entries.map(|(leg, entry)| EntryRow::new(entry, place.into(), number(leg))));
    }

    fn add_accounts(&mut self, place: i32, changes: &Changes) {
        for change in &changes.accounts {
            let after = &change.after;
            let slot = self.slots.accounts.add(&after.id.get());
            let before = change.before.map_or(EMPTY, stored);
            self.touch((Kind::Account, slot), Test::Equal, before, stored(after.version));
            if change.before.is_none()
                && let (AccountKind::Credit, Some(customer)) = (after.kind, &after.customer)
            {
                let key = CreditKeyRow {
                    site: after.site.clone(),
                    customer: customer.clone(),
                    currency: after.currency.code().to_string(),
                };
                let credit = self.slots.credits.add(&key);
                self.touch((Kind::Credit, credit), Test::EmptyOrEqual, after.id.get(), after.id.get());
            }
            self.batch.accounts.push(after.into());
            self.batch.account_place.push(place);
            self.rows.accounts.push(slot);
        }
    }

    fn add_records(&mut self, place: i32, changes: &Changes) {
        for change in &changes.records {
            let slot = self.slots.records.add(&change.key);
            let version = change.before.map_or(0, stored).saturating_add(1);
            let written = if change.body.is_some() { version } else { EMPTY };
            self.touch((Kind::Record, slot), Test::Equal, change.before.map_or(EMPTY, stored), written);
            let key = RecordKeyRow::from(&change.key);
            self.batch.records.push(RecordRow::new(key, version, change.body.clone()));
            self.batch.record_place.push(place);
            self.rows.records.push(slot);
        }
    }

    fn add_codes(&mut self, place: i32, changes: &Changes) {
        for change in &changes.codes {
            let after = &change.after;
            let slot = self.slots.codes.add(&after.id.get());
            let version = change.before.map_or(0, stored).saturating_add(1);
            self.touch((Kind::Code, slot), Test::Equal, change.before.map_or(EMPTY, stored), version);
            let lookup = self.slots.lookups.add(&after.lookup);
            self.touch((Kind::Lookup, lookup), Test::EmptyOrEqual, after.id.get(), after.id.get());
            self.batch.codes.push(CodeRow::new(after, version));
            self.batch.code_place.push(place);
            self.rows.codes.push(slot);
        }
    }

    fn add_beside(&mut self, place: i32, changes: &Changes) {
        let opened: Vec<OpenHoldRow> = changes.holds_opened.iter().map(OpenHoldRow::from).collect();
        let closed = changes.holds_closed.iter().map(OpenHoldRow::from).filter(|hold| !opened.contains(hold));
        let closed: Vec<OpenHoldRow> = closed.collect();
        for (hold, is_open) in closed.iter().map(|hold| (hold, false)).chain(opened.iter().map(|hold| (hold, true))) {
            let slot = self.slots.holds.add(hold);
            self.touch((Kind::Hold, slot), Test::None, 0, 0);
            self.batch.holds.push(*hold);
            self.batch.hold_opened.push(is_open);
            self.batch.hold_place.push(place);
            self.rows.holds.push(slot);
        }
        if let Some(personal) = &changes.personal {
            self.batch.personals.push(personal.into());
            self.batch.personal_place.push(place);
        }
        for context in &changes.contexts {
            let slot = self.slots.contexts.add(&context.digest);
            if slot == self.contexts.len() {
                self.contexts.push(ContextRow { digest: context.digest.to_vec(), body: context.body.clone() });
            }
            self.touch((Kind::Context, slot), Test::None, 0, 0);
            self.carried.push((self.batch.touch_from.len() - 1, context.digest));
        }
    }

    fn finish(self) -> Prepared {
        let Self { slots, touches, carried, contexts, rows, mut batch } = self;
        let mut numbers = Numbers::default();
        numbers.add(Kind::Configuration, vec![0]);
        batch.operation_ids = numbers.of(Kind::Operation, slots.operations).into_iter().map(Vec::from).collect();
        batch.account_ids = numbers.of(Kind::Account, slots.accounts);
        batch.credits = numbers.of(Kind::Credit, slots.credits);
        batch.record_keys = numbers.of(Kind::Record, slots.records).iter().map(RecordKeyRow::from).collect();
        batch.watched_keys = numbers.of(Kind::Watched, slots.watched).iter().map(RecordKeyRow::from).collect();
        batch.code_ids = numbers.of(Kind::Code, slots.codes);
        batch.lookups = numbers.of(Kind::Lookup, slots.lookups).into_iter().map(Vec::from).collect();
        numbers.of(Kind::Hold, slots.holds);
        numbers.of(Kind::Context, slots.contexts);
        numbers.of(Kind::Done, slots.done);
        batch.absent_keys = slots.absent.sorted().0.iter().map(RecordKeyRow::from).collect();
        batch.slots = numbers.next;
        batch.touch_from.push(number(touches.len() + 1));
        for touch in touches {
            batch.touch_slot.push(numbers.number(touch.slot));
            batch.touch_test.push(touch.test as i16);
            batch.touch_expected.push(touch.expected);
            batch.touch_written.push(touch.written);
        }
        batch.operation_slot = numbers.numbers(Kind::Operation, &rows.operations);
        batch.account_slot = numbers.numbers(Kind::Account, &rows.accounts);
        batch.record_slot = numbers.numbers(Kind::Record, &rows.records);
        batch.code_slot = numbers.numbers(Kind::Code, &rows.codes);
        batch.hold_slot = numbers.numbers(Kind::Hold, &rows.holds);
        let all: Vec<usize> = (0..contexts.len()).collect();
        let context_slot = numbers.numbers(Kind::Context, &all);
        Prepared { batch, contexts, context_slot, carried }
    }
}

/// The numbers of slots, once all are known: those of a kind follow each other in the order of their keys.
#[derive(Default)]
struct Numbers {
    next: i32,
    of_kinds: [Vec<i32>; KINDS],
}

impl Numbers {
    fn add(&mut self, kind: Kind, moved: Vec<usize>) {
        let first = self.next + 1;
        self.next += number(moved.len());
        self.of_kinds[kind as usize] = moved.into_iter().map(|place| first + number(place)).collect();
    }

    /// Numbers the slots of these keys, which are given back in their order.
    fn of<K: Clone + Hash + Ord>(&mut self, kind: Kind, keys: Keys<K>) -> Vec<K> {
        let (keys, moved) = keys.sorted();
        self.add(kind, moved);
        keys
    }

    fn number(&self, (kind, within): Slot) -> i32 {
        self.of_kinds[kind as usize][within]
    }

    fn numbers(&self, kind: Kind, within: &[usize]) -> Vec<i32> {
        within.iter().map(|within| self.number((kind, *within))).collect()
    }
}

/// Whether a text of the changes has the character 0.
fn has_zero_character(changes: &Changes) -> bool {
    texts(changes).into_iter().flatten().any(|text| text.contains('\0'))
}

fn texts(changes: &Changes) -> Vec<Option<&str>> {
    let mut texts = Vec::new();
    if let Some(Operation { key, order, actor, answer, decision, .. }) = &changes.operation {
        texts.extend([Some(&*key.site), Some(&*key.key), order.as_deref(), actor.as_deref()]);
        texts.extend([Some(&**answer), decision.as_deref()]);
    }
    if let Some(Refusal { key, answer, .. }) = &changes.refusal {
        texts.extend([Some(&*key.site), Some(&*key.key), Some(&**answer)]);
    }
    for Account { site, programme, customer, expires_on, bought_by, hint, .. } in
        changes.accounts.iter().map(|change| &change.after)
    {
        texts.extend([Some(&**site), Some(&**programme)]);
        texts.extend([customer, expires_on, bought_by, hint].map(Option::as_deref));
    }
    for (RecordKey { site, id, .. }, _) in &changes.checks {
        texts.extend([Some(&**site), Some(&**id)]);
    }
    for RecordChange { key, body, .. } in &changes.records {
        texts.extend([Some(&*key.site), Some(&*key.id), body.as_deref()]);
    }
    for Code { site, pool, hint, .. } in changes.codes.iter().map(|change| &change.after) {
        texts.extend([Some(&**site), pool.as_deref(), hint.as_deref()]);
    }
    if let Some(Personal { site, customer, body, .. }) = &changes.personal {
        texts.extend([Some(&**site), customer.as_deref(), Some(&**body)]);
    }
    texts.extend(changes.contexts.iter().map(|context| Some(&*context.body)));
    texts
}
