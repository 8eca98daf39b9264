//! What decisions of the past were made with: site, programmes, and the very components, or others in the place of some.
//! Made ready once for all decisions that share it. Must not know how a decision is recorded or compared.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use giftcard_engine::programme::{Programme, Site};
use giftcard_engine::{Currency, QuoteRequest};
use giftcard_host::{Component, Condition, Moved, Rulebook, Rules};
use giftcard_ledger::model::Hash32;
use giftcard_ledger::store::StoreError;

use super::configuration::{ContextText, name};
use super::decision::Rerun;
use super::plugins::{Vault, parts};
use super::{Desk, DeskError};
use crate::Till;
use crate::input::{
    CardInput, ConditionInput, InputError, Instant, OnFailureInput, OrderInput, Zone, cards_facts, order_facts,
    programme_facts, site_facts,
};

/// Sandboxes of a thread of its own. It uses one at a time, but each component finds the one again that it used last, which is
/// made ready for it; changing them over costs far more than a call.
const CALLS_BESIDE: u32 = 16;

/// Other rules, conditions and settings than those that decided.
#[derive(Clone, Default)]
pub(super) struct Instead {
    /// Rules in place of those that decided.
    pub(super) rules: Option<Rules>,
    /// Conditions in place of those of the same id, whatever their version, that are bound by it or with a version.
    pub(super) conditions: Vec<Condition>,
    /// Settings in place of those of a binding.
    pub(super) settings: Vec<OtherSettings>,
}

/// Settings in place of those of a plugin, at one programme or at all.
#[derive(Clone)]
pub(super) struct OtherSettings {
    pub(super) plugin: String,
    pub(super) programme: Option<String>,
    pub(super) settings: crate::input::bounds::Fields<serde_json::Value>,
}

/// A site, its zone, and programmes.
type Terms = (Arc<Site>, Zone, Vec<Arc<Programme>>);

/// What decisions with one context are made with.
pub(super) struct Stage {
    pub(super) context: ContextText,
    pub(super) site: Arc<Site>,
    zone: Zone,
    programmes: Vec<Arc<Programme>>,
    till: Till,
    /// Something was put in the place of what decided.
    pub(super) is_changed: bool,
}

impl Stage {
    /// The rules and conditions.
    pub(super) fn till(&self) -> &Till {
        &self.till
    }

    /// Whether the programmes are decided by a component with this digest, or the rules are it.
    pub(super) fn has(&self, digest: &str) -> bool {
        let book = self.till.rulebook();
        let bound = |programme: &Arc<Programme>| {
            programme.conditions.iter().any(|binding| {
                book.condition(&binding.plugin).is_some_and(|condition| condition.facts().digest == digest)
            })
        };
        book.rules().facts().digest == digest || self.programmes.iter().any(bound)
    }

    /// What is asked about an order and its cards.
    pub(super) fn request(
        &self,
        order: OrderInput,
        cards: &[CardInput],
        now: &Instant,
    ) -> Result<QuoteRequest, InputError> {
        let (order, now) = order_facts(order, &self.site, &self.zone, now.at()?)?;
        let cards = cards_facts(cards, &order, &self.site, &self.zone, now.at())?;
        Ok(QuoteRequest { order, site: Arc::clone(&self.site), programmes: self.programmes.clone(), cards, now })
    }
}

/// Stages by the digests of their contexts. May be used from many threads at once.
pub(super) struct Stages {
    vault: Arc<Vault>,
    instead: Instead,
    /// Where everything runs; on the vault's host if absent.
    beside: Option<Mutex<Moved>>,
    #[allow(clippy::type_complexity, reason = "a stage, or why there is none")]
    known: Mutex<HashMap<Hash32, Result<Arc<Stage>, Rerun>>>,
}

impl Stages {
    pub(super) fn new(vault: Arc<Vault>, instead: Instead) -> Self {
        Self { vault, instead, beside: None, known: Mutex::default() }
    }

    /// The same for a thread of its own, which then waits for no other thread's sandboxes.
    pub(super) fn beside(&self) -> Self {
        // Where there is no room for another engine it is slower, and nothing else.
        let host = self.vault.base().host().beside(CALLS_BESIDE).ok();
        let beside = host.map(|host| Mutex::new(Moved::to(host)));
        Self { vault: Arc::clone(&self.vault), instead: self.instead.clone(), beside, known: Mutex::default() }
    }

    /// The stage of a context; inside, why there is none.
    pub(super) fn stage(&self, digest: Hash32) -> Result<Result<Arc<Stage>, Rerun>, StoreError> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(&digest) {
            return Ok(known.clone());
        }
        let made = match self.context(digest)? {
            Ok(context) => self.make(context)?.map(Arc::new),
            Err(why) => Err(Rerun::Differs(why)),
        };
        known().insert(digest, made.clone());
        Ok(made)
    }

    fn context(&self, digest: Hash32) -> Result<Result<ContextText, String>, StoreError> {
        let unreadable = |why: &str| Ok(Err(format!("the record cannot be read: {why}")));
        let Some(context) = self.vault.store().context(digest)? else { return unreadable("its context is gone") };
        if giftcard_ledger::chain::digest(&context) != digest {
            return Ok(Err("the site and programmes it refers to were changed afterwards".to_string()));
        }
        match serde_json::from_str(&context) {
            Ok(context) => Ok(Ok(context)),
            Err(error) => unreadable(&format!("its context: {error}")),
        }
    }

    fn make(&self, mut context: ContextText) -> Result<Result<Stage, Rerun>, StoreError> {
        let (book, is_changed) = match self.rulebook(&mut context)? {
            Ok(made) => made,
            Err(why) => return Ok(Err(Rerun::NotReplayable(why))),
        };
        let wrong = |error: DeskError| match self.changes_something() {
            true => Rerun::NotReplayable(format!("it cannot be decided so: {error}")),
            false => Rerun::Differs(format!("the record cannot be read: {error}")),
        };
        Ok(self.terms(&context, &book).map_err(wrong).map(|(site, zone, programmes)| Stage {
            context,
            site,
            zone,
            programmes,
            till: Till::new(match &self.beside {
                Some(moved) => {
                    let mut moved = moved.lock().unwrap_or_else(PoisonError::into_inner);
                    book.on(&mut moved).unwrap_or(book)
                }
                None => book,
            }),
            is_changed,
        }))
    }

    /// Everything that the context names, or what is put in its place; inside, what of it is not there. Whether something
    /// was put in its place.
    fn rulebook(&self, context: &mut ContextText) -> Result<Result<(Rulebook, bool), String>, StoreError> {
        let rules = match (&self.instead.rules, context.rules.as_deref()) {
            (Some(rules), _) => rules.clone(),
            (None, None) => self.vault.base().rules().clone(),
            (None, Some(pinned)) => match self.component(pinned)? {
                Ok(Component::Rules(rules)) => rules,
                Ok(Component::Condition(_)) => return Ok(Err(format!("`{pinned}` is no set of rules"))),
                Err(why) => return Ok(Err(why)),
            },
        };
        let mut book = Rulebook::new(rules);
        let mut is_changed = self.instead.rules.is_some();
        for programme in &mut context.programmes {
            let code_name = programme.code_name.to_string();
            for condition in programme.conditions.iter_mut() {
                match self.prepare(&mut book, &code_name, condition)? {
                    Ok(changed) => is_changed |= changed,
                    Err(why) => return Ok(Err(why)),
                }
            }
        }
        Ok(Ok((book, is_changed)))
    }

    /// Whether something else than what decided is asked.
    pub(super) fn changes_something(&self) -> bool {
        let Instead { rules, conditions, settings } = &self.instead;
        rules.is_some() || !conditions.is_empty() || !settings.is_empty()
    }

    fn terms(&self, context: &ContextText, book: &Rulebook) -> Result<Terms, DeskError> {
        let currency = match &context.site.currency {
            Some(currency) => currency.currency()?,
            None => Currency::iso("USD").expect("INVARIANT: listed in ISO 4217"),
        };
        let (site, zone) = site_facts(&context.site, currency)?;
        let mut programmes = Vec::with_capacity(context.programmes.len());
        for input in &context.programmes {
            let terms = programme_facts(input, &site, &zone, book)?;
            if self.changes_something() {
                Till::new(book.clone()).check_programme("", &terms)?;
            }
            programmes.push(Arc::new(terms));
        }
        Ok((Arc::new(site), zone, programmes))
    }

    /// Sees to it that the rulebook has what a binding names, and puts others in its place where they are wanted; whether
    /// they were.
    fn prepare(
        &self,
        book: &mut Rulebook,
        programme: &str,
        condition: &mut ConditionInput,
    ) -> Result<Result<bool, String>, StoreError> {
        let id = id_of(&condition.plugin).to_string();
        let other = self.instead.conditions.iter().find(|other| other.facts().id == id);
        let mut is_changed = other.is_some();
        if let Some(other) = other {
            book.add_pinned(other.clone());
            match name(&giftcard_host::pinned(other.facts())) {
                Ok(name) => condition.plugin = name,
                Err(error) => return Ok(Err(error.to_string())),
            }
        } else if let Err(why) = self.add(book, &condition.plugin)? {
            return Ok(Err(why));
        }
        let concerns = |other: &&OtherSettings| {
            other.plugin == id && other.programme.as_deref().is_none_or(|only| only == programme)
        };
        if let Some(other) = self.instead.settings.iter().find(concerns) {
            condition.settings = other.settings.clone();
            is_changed = true;
        }
        if let OnFailureInput::Previous(previous) = &condition.on_failure
            && let Err(why) = self.add(book, &previous.plugin)?
        {
            return Ok(Err(why));
        }
        Ok(Ok(is_changed))
    }

    fn add(&self, book: &mut Rulebook, name: &str) -> Result<Result<(), String>, StoreError> {
        if book.condition(name).is_some() {
            return Ok(Ok(()));
        }
        match (self.component(name)?, parts(name)) {
            (Ok(Component::Condition(condition)), Some((_, _, true))) => {
                book.add_pinned(condition.clone());
                book.add_off(name.to_string(), condition);
            }
            (Ok(Component::Condition(condition)), Some(_)) => book.add_pinned(condition),
            // Of before names meant the very bytes.
            (Ok(Component::Condition(condition)), None) => book.add(condition),
            (Ok(Component::Rules(_)), _) => return Ok(Err(format!("`{name}` is no condition"))),
            (Err(why), _) => return Ok(Err(why)),
        }
        Ok(Ok(()))
    }

    /// What a name means; inside, why there is nothing.
    fn component(&self, name: &str) -> Result<Result<Component, String>, StoreError> {
        match parts(name) {
            Some((id, digest, _)) => self.vault.component(id, digest),
            None => {
                let found = self.vault.base().condition(name).cloned().map(Component::Condition);
                Ok(found.ok_or_else(|| format!("`{name}` does not come with the program any more")))
            }
        }
    }
}

/// The id in the name of a plugin, however it is named.
pub(super) fn id_of(plugin: &str) -> &str {
    plugin.split('@').next().unwrap_or(plugin)
}

impl Desk {
    /// Stages of what decided, as it decided.
    pub(super) fn stages(&self) -> &Stages {
        &self.stages
    }
}
