//! Accounts and codes in as few bytes as can be, for keeping many of them in memory. Only the process that packed a row reads
//! it again, so the form may change with every version. Must not know who keeps them.

use giftcard_engine::card::Status;
use giftcard_engine::moment::InstantMs;
use giftcard_engine::{Currency, Minor};
use postcard::Deserializer;
use postcard::ser_flavors::{AllocVec, Flavor};
use serde::{Deserialize, Serialize};

use crate::model::{Account, AccountKind, Code, CodeState, Hash32, Id};

/// A row that is kept as bytes.
pub(crate) trait Pack: Sized {
    /// The row as bytes; `None` if it cannot be written.
    fn pack(&self) -> Option<Box<[u8]>>;

    /// The row of these bytes; `None` if they are of none.
    fn unpack(bytes: &[u8]) -> Option<Self>;
}

/// Implements [`Pack`] by the description of a row.
macro_rules! packs {
    ($row:ty, $as:ty) => {
        impl Pack for $row {
            fn pack(&self) -> Option<Box<[u8]>> {
                let mut serializer = postcard::Serializer { output: AllocVec::new() };
                <$as>::serialize(self, &mut serializer).ok()?;
                Some(serializer.output.finalize().ok()?.into())
            }

            fn unpack(bytes: &[u8]) -> Option<Self> {
                <$as>::deserialize(&mut Deserializer::from_bytes(bytes)).ok()
            }
        }
    };
}

packs!(Account, AccountRow);
packs!(Code, CodeRow);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Account")]
struct AccountRow {
    #[serde(with = "id")]
    id: Id,
    kind: AccountKind,
    site: String,
    #[serde(with = "currency")]
    currency: Currency,
    programme: String,
    customer: Option<String>,
    #[serde(with = "StatusRow")]
    status: Status,
    #[serde(with = "minor")]
    balance: Minor,
    #[serde(with = "minor")]
    held: Minor,
    next_hold_end: Option<InstantMs>,
    #[serde(with = "minor")]
    initial: Minor,
    issued_at: InstantMs,
    expires_at: Option<InstantMs>,
    expires_on: Option<String>,
    #[serde(with = "optional_id")]
    replaced_by: Option<Id>,
    bought_by: Option<String>,
    hint: Option<String>,
    version: u64,
    head: Hash32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Code")]
struct CodeRow {
    #[serde(with = "id")]
    id: Id,
    site: String,
    /// What the row is kept under: whoever unpacks it knows it.
    #[serde(skip)]
    lookup: Hash32,
    pepper: u32,
    pool: Option<String>,
    state: CodeState,
    #[serde(with = "optional_id")]
    account: Option<Id>,
    hint: Option<String>,
    /// Whoever opens it reads it: what is erased in the database would stay here.
    #[serde(skip)]
    sealed: Option<Vec<u8>>,
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Status")]
enum StatusRow {
    Pending,
    Active,
    Disabled,
    Closed,
}

mod id {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::{Id, NoId};

    pub(super) fn serialize<S: Serializer>(id: &Id, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(id.get())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        Id::new(i64::deserialize(deserializer)?).ok_or_else(|| Error::custom(NoId))
    }
}

mod optional_id {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::model::Id;

    #[derive(Serialize, Deserialize)]
    struct One(#[serde(with = "super::id")] Id);

    pub(super) fn serialize<S: Serializer>(id: &Option<Id>, serializer: S) -> Result<S::Ok, S::Error> {
        id.map(One).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Id>, D::Error> {
        Ok(Option::<One>::deserialize(deserializer)?.map(|One(id)| id))
    }
}

mod minor {
    use giftcard_engine::Minor;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(amount: &Minor, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(amount.get())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Minor, D::Error> {
        Minor::new(i64::deserialize(deserializer)?).map_err(Error::custom)
    }
}

mod currency {
    use giftcard_engine::Currency;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
        (currency.code(), currency.exponent()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
        let (code, exponent) = <(&str, u8)>::deserialize(deserializer)?;
        Currency::new(code, exponent).map_err(Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::draft::tests::card;

    fn ids() -> impl Strategy<Value = Id> {
        (0..=i64::MAX).prop_map(|number| Id::new(number).unwrap())
    }

    fn amounts() -> impl Strategy<Value = Minor> {
        (0..=giftcard_engine::money::MINOR_MAX).prop_map(|minor| Minor::new(minor).unwrap())
    }

    fn texts() -> impl Strategy<Value = Option<String>> {
        proptest::option::of(".{0,40}")
    }

    proptest! {
        #[test]
        fn an_account_reads_back_as_it_was_packed(
            (id, replaced_by) in (ids(), proptest::option::of(ids())),
            (balance, held, initial) in (amounts(), amounts(), amounts()),
            (next_hold_end, expires_at, issued_at) in any::<(Option<i64>, Option<i64>, i64)>(),
            (customer, expires_on, bought_by, hint) in (texts(), texts(), texts(), texts()),
            (code, exponent) in ("[A-Z]{3}", 0_u8..=4),
            (is_card, status, version, head) in any::<(bool, prop::sample::Index, u64, [u8; 32])>(),
            (site, programme) in (".{0,40}", ".{0,40}"),
        ) {
            let statuses = [Status::Pending, Status::Active, Status::Disabled, Status::Closed];
            let account = Account {
                id,
                kind: if is_card { AccountKind::Card } else { AccountKind::Credit },
                site,
                currency: Currency::new(&code, exponent).unwrap(),
                programme,
                customer,
                status: *status.get(&statuses),
                balance,
                held,
                next_hold_end,
                initial,
                issued_at,
                expires_at,
                expires_on,
                replaced_by,
                bought_by,
                hint,
                version,
                head,
            };
            let bytes = account.pack().unwrap();
            prop_assert_eq!(Account::unpack(&bytes), Some(account));
            prop_assert_eq!(Account::unpack(&bytes[..bytes.len() - 1]), None);
        }

        #[test]
        fn a_code_reads_back_as_it_was_packed_apart_from_lookup_and_seal(
            (id, account) in (ids(), proptest::option::of(ids())),
            (site, pool, hint) in (".{0,40}", texts(), texts()),
            (pepper, version, state) in any::<(u32, u64, prop::sample::Index)>(),
            sealed in any::<Option<Vec<u8>>>(),
            lookup in any::<[u8; 32]>(),
        ) {
            let state = *state.get(&CodeState::ALL);
            let code = Code { id, site, lookup, pepper, pool, state, account, hint, sealed, version };
            let unpacked = Code::unpack(&code.pack().unwrap()).unwrap();
            prop_assert_eq!(Code { lookup, ..unpacked }, Code { sealed: None, ..code });
        }
    }

    #[test]
    fn a_card_takes_few_bytes() {
        let packed = Account { issued_at: 1_790_000_000_000, ..card(i64::MAX) }.pack().unwrap();
        assert!(packed.len() < 100, "{}", packed.len());
    }
}
