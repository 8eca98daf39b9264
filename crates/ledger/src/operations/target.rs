//! Which account an operation means: by id, by code, or a customer's store credit. Must not know a code's text.

use giftcard_engine::Currency;

use super::credit::credit_id;
use crate::draft::Draft;
use crate::model::{Account, Code, Hash32, Id};
use crate::plan::{Facts, Refused};
use crate::store::{Found, Want};

/// An account as a caller names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By its id.
    Id(Id),
    /// By its code: for each site that it may be of, the lookup of each live key version, the newest first.
    Code(Vec<Vec<(u32, Hash32)>>),
    /// A customer's store credit in a currency.
    Credit {
        /// The customer.
        customer: String,
        /// The currency.
        currency: Currency,
    },
}

impl Target {
    /// Adds what has to be read to find it.
    pub fn want(&self, site: &str, want: &mut Want) {
        match self {
            Self::Id(id) => want.accounts.push(*id),
            Self::Code(sites) => want.codes.push(sites.iter().flatten().map(|(_, lookup)| *lookup).collect()),
            Self::Credit { customer, currency } => want.accounts.push(credit_id(site, customer, *currency)),
        }
    }

    /// The id of its account, if there is one.
    #[must_use]
    pub fn id(&self, site: &str, found: &Found) -> Option<Id> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Code(_) => self.code(found).and_then(|code| code.account),
            Self::Credit { customer, currency } => Some(credit_id(site, customer, *currency)),
        }
        .filter(|id| found.accounts.contains_key(id))
    }

    /// Its account. To staff of the site: nothing of other sites is found.
    ///
    /// # Errors
    /// `card-not-found`.
    pub fn account<'a>(&self, site: &str, facts: &'a Facts<'_>) -> Result<&'a Account, Refused> {
        let account = self.id(site, &facts.found).and_then(|id| facts.found.accounts.get(&id));
        account.filter(|account| account.site == site).ok_or_else(|| match self {
            Self::Id(id) => Refused::mistake("card-not-found", format!("the site has no card or credit `{id}`")),
            Self::Code(_) => Refused::mistake("card-not-found", "the site has no card with this code"),
            Self::Credit { .. } => {
                Refused::mistake("card-not-found", "the customer has no store credit in this currency at the site")
            }
        })
    }

    /// Moves a presented code to the newest key version.
    pub fn renew(&self, found: &Found, draft: &mut Draft) {
        if let Self::Code(sites) = self
            && let Some(code) = self.code(found)
            && let Some(lookups) = sites.iter().find(|lookups| has(lookups, code))
            && let Some(&(newest, lookup)) = lookups.first()
            && code.lookup != lookup
        {
            draft.change_code(code, Code { lookup, pepper: newest, ..code.clone() });
        }
    }

    fn code<'a>(&self, found: &'a Found) -> Option<&'a Code> {
        let Self::Code(sites) = self else { return None };
        found.codes.iter().flatten().find(|code| sites.iter().any(|lookups| has(lookups, code)))
    }
}

fn has(lookups: &[(u32, Hash32)], code: &Code) -> bool {
    lookups.iter().any(|(_, lookup)| *lookup == code.lookup)
}
