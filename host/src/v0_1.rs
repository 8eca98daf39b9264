//! Version 0.1 of the contract: the generated bindings, and the way from the engine's records to the contract's and
//! back. Every number is checked both ways here. Must not decide anything.

mod condition;
mod redemption;

#[cfg(feature = "contract-0-2-draft")]
pub(crate) use condition::{Answer, limits_from_wit, verdicts_from_wit};
pub(crate) use condition::{ConditionPre, Needs, evaluate};
pub(crate) use redemption::{RulesPre, apply, refund};

use giftcard_engine::check::Broken;
use giftcard_engine::money::{Currency, MINOR_MAX, Minor, Money, Ratio};
use giftcard_engine::value::{Named, Reject, Step, Value};
use wasmtime::component::{ComponentExportIndex, HasSelf, InstancePre, Lift, Linker};

use crate::error::{CallFailure, clip};
use crate::sandbox::{CallState, Failed, LogFlood, Sandbox, Spent};
pub(crate) use bindings::exports::giftcard::rules::condition::Evaluation as Evaluated;
use bindings::exports::giftcard::rules::plugin as wit_plugin;
use bindings::giftcard::rules::{log, types};

/// Generated from `wit/`.
#[allow(missing_docs, unreachable_pub, unsafe_code, unused_variables, clippy::all, reason = "generated")]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package giftcard:host;
            world every-world {
                import giftcard:rules/log@0.1.0;
                export giftcard:rules/plugin@0.1.0;
                export giftcard:rules/condition@0.1.0;
                export giftcard:rules/redemption@0.1.0;
            }
        ",
        path: "../wit/0.1",
        world: "giftcard:host/every-world",
        ownership: Borrowing { duplicate_if_necessary: true },
        imports: { "giftcard:rules/log.write": trappable },
    });
}

/// What its names in components end in.
pub(crate) const NUMBER: &str = "0.1.0";

/// Its files.
pub(crate) const SOURCES: &[(&str, &str)] = &[
    ("types.wit", include_str!("../../wit/0.1/types.wit")),
    ("plugin.wit", include_str!("../../wit/0.1/plugin.wit")),
    ("condition.wit", include_str!("../../wit/0.1/condition.wit")),
    ("redemption.wit", include_str!("../../wit/0.1/redemption.wit")),
    ("worlds.wit", include_str!("../../wit/0.1/worlds.wit")),
];

/// What a component is given to import: the log, and nothing else.
pub(crate) fn linker(sandbox: &Sandbox) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(sandbox.engine());
    log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    types::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl types::Host for CallState {}

impl log::Host for CallState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        write_log(self, level, &message)
    }
}

pub(crate) fn write_log(state: &mut CallState, level: log::Level, message: &str) -> wasmtime::Result<()> {
    let level = match level {
        log::Level::Debug => "debug",
        log::Level::Info => "info",
        log::Level::Warn => "warn",
    };
    state.log.write(level, message).map_err(|flood: LogFlood| wasmtime::Error::new(flood))
}

/// What `describe` answered, in the host's own words.
pub(crate) struct Described {
    pub(crate) description: wit_plugin::Description,
    pub(crate) fuel: u64,
}

/// A function of an interface that a component exports.
pub(crate) fn exported(
    instance: &InstancePre<CallState>,
    interface: &str,
    number: &str,
    function: &str,
) -> wasmtime::Result<ComponentExportIndex> {
    let (component, interface) = (instance.component(), format!("giftcard:rules/{interface}@{number}"));
    let exported = component.get_export_index(None, &interface);
    exported
        .and_then(|interface| component.get_export_index(Some(&interface), function))
        .ok_or_else(|| wasmtime::Error::msg(format!("the function `{function}` of {interface} is missing")))
}

/// The `plugin` interface of a linked component, whichever version names it: a later one may have left it as it is.
#[derive(Clone)]
pub(crate) struct PluginPre {
    pub(crate) instance: InstancePre<CallState>,
    describe: ComponentExportIndex,
    check_settings: ComponentExportIndex,
}

impl PluginPre {
    pub(crate) fn new(instance: InstancePre<CallState>, number: &str) -> wasmtime::Result<Self> {
        let describe = exported(&instance, "plugin", number, "describe")?;
        let check_settings = exported(&instance, "plugin", number, "check-settings")?;
        Ok(Self { instance, describe, check_settings })
    }
}

/// Asks a component to describe itself.
pub(crate) fn describe(sandbox: &Sandbox, plugin: &PluginPre) -> Result<Described, CallFailure> {
    let called = sandbox.call(&plugin.instance, |store, instance| {
        let function = instance.get_typed_func::<(), (wit_plugin::Description,)>(&mut *store, plugin.describe)?;
        Ok(function.call(store, ())?.0)
    });
    let (description, spent) = called.map_err(|failed| failed.failure)?;
    Ok(Described { description, fuel: spent.fuel })
}

/// Setting and message of each problem.
pub(crate) type Problems = Vec<(String, String)>;

/// Asks a component whether settings make sense together.
pub(crate) fn check_settings(
    sandbox: &Sandbox,
    plugin: &PluginPre,
    settings: &[(&str, &Value)],
) -> Result<Result<(), Problems>, CallFailure> {
    ask_of_settings(sandbox, &plugin.instance, plugin.check_settings, settings)
}

/// Asks a function that takes the settings of a binding, and answers with problems where they make no sense.
pub(crate) fn ask_of_settings<T: Lift + Send + Sync + 'static>(
    sandbox: &Sandbox,
    component: &InstancePre<CallState>,
    function: ComponentExportIndex,
    settings: &[(&str, &Value)],
) -> Result<Result<T, Problems>, CallFailure> {
    type Answer<T> = (Result<T, Vec<wit_plugin::Problem>>,);
    let pool = TextPool::of(settings.iter().map(|(_, value)| *value));
    let settings = settings_to_wit(settings, &pool);
    let called = sandbox.call(component, |store, instance| {
        let function = instance.get_typed_func::<(&[types::NamedParam<'_>],), Answer<T>>(&mut *store, function)?;
        Ok(function.call(store, (&settings,))?.0)
    });
    let (answer, _) = called.map_err(|failed| failed.failure)?;
    Ok(answer.map_err(|problems| {
        problems.into_iter().map(|problem| (clip(&problem.setting), clip(&problem.message))).collect()
    }))
}

/// Lists of borrowed texts, which the bindings take as slices of slices.
pub(crate) struct TextPool<'a>(Vec<Vec<&'a str>>);

impl<'a> TextPool<'a> {
    fn of(values: impl Iterator<Item = &'a Value>) -> Self {
        let texts = |value: &'a Value| match value {
            Value::Texts(texts) => texts.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        Self(values.map(texts).collect())
    }

    fn of_named(named: &'a [Named]) -> Self {
        Self::of(named.iter().map(|named| &named.value))
    }
}

fn currency_to_wit(currency: &Currency) -> types::CurrencyParam<'_> {
    types::CurrencyParam { code: currency.code(), exponent: currency.exponent() }
}

fn ratio_to_wit(ratio: Ratio) -> types::Ratio {
    types::Ratio { numerator: ratio.numerator(), denominator: ratio.denominator() }
}

fn named_to_wit<'a>(named: &'a [Named], pool: &'a TextPool<'a>) -> Vec<types::NamedParam<'a>> {
    let pairs = named.iter().zip(&pool.0);
    pairs.map(|(named, texts)| value_to_wit(&named.name, &named.value, texts)).collect()
}

/// Settings, defaults filled in by [`crate::settings::with_defaults`].
fn settings_to_wit<'a>(settings: &[(&'a str, &'a Value)], pool: &'a TextPool<'a>) -> Vec<types::NamedParam<'a>> {
    settings.iter().zip(&pool.0).map(|((name, value), texts)| value_to_wit(name, value, texts)).collect()
}

fn value_to_wit<'a>(name: &'a str, value: &'a Value, texts: &'a [&'a str]) -> types::NamedParam<'a> {
    let value = match value {
        Value::Flag(flag) => types::ValueParam::Flag(*flag),
        Value::Integer(integer) => types::ValueParam::Integer(*integer),
        Value::Money(money) => types::ValueParam::Money(types::MoneyParam {
            amount: money.amount().get(),
            currency: currency_to_wit(money.currency_ref()),
        }),
        Value::Text(text) => types::ValueParam::Text(text),
        Value::Texts(_) => types::ValueParam::Texts(texts),
    };
    types::NamedParam { name, value }
}

/// INVARIANT: what a component answers is within ±(2^53 - 1) or refused.
fn minor(name: &str, amount: i64) -> Result<Minor, Broken> {
    Minor::new(amount).map_err(|_| out_of_range(name, amount))
}

fn out_of_range(name: &str, number: i64) -> Broken {
    Broken { rule: "number-out-of-range", card: None, detail: format!("`{name}` is {number}, beyond 2^53 - 1") }
}

pub(crate) fn value_from_wit(value: types::ValueResult) -> Result<Value, Broken> {
    Ok(match value {
        types::ValueResult::Flag(flag) => Value::Flag(flag),
        types::ValueResult::Integer(integer) if integer.unsigned_abs() > MINOR_MAX.unsigned_abs() => {
            return Err(out_of_range("integer", integer));
        }
        types::ValueResult::Integer(integer) => Value::Integer(integer),
        types::ValueResult::Money(money) => {
            let currency = Currency::new(&money.currency.code, money.currency.exponent).map_err(|_| Broken {
                rule: "bad-currency",
                card: None,
                detail: format!("`{}` is no currency", clip(&money.currency.code)),
            })?;
            Value::Money(Money::new(minor("money", money.amount)?, currency))
        }
        types::ValueResult::Text(text) => Value::Text(text),
        types::ValueResult::Texts(texts) => Value::Texts(texts),
    })
}

fn reject_from_wit(reject: types::Reject) -> Result<Reject, Broken> {
    let arguments =
        reject.arguments.into_iter().map(|named| Ok(Named { name: named.name, value: value_from_wit(named.value)? }));
    Ok(Reject { code: reject.code, message: reject.message, arguments: arguments.collect::<Result<_, _>>()? })
}

fn step_from_wit(step: types::Step) -> Step {
    Step {
        card: step.card.map(|card| card as usize),
        check: step.check,
        passed: step.passed,
        seen: step.seen,
        needed: step.needed,
    }
}

fn failure_from_wit(failure: &types::Failure) -> CallFailure {
    CallFailure::Failed { code: clip(&failure.code), message: clip(&failure.message) }
}

/// An answer, or a failure, and what was spent either way.
pub(crate) type Answered<T> = Result<(T, Spent), Failed>;

fn answered<T>(raised: Result<T, CallFailure>, spent: Spent) -> Answered<T> {
    match raised {
        Ok(answer) => Ok((answer, spent)),
        Err(failure) => Err(Failed { failure, spent }),
    }
}
