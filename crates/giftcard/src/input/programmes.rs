//! Programmes and the conditions bound to them. Must not know orders or cards.

use giftcard_engine::programme::{Audience, Basis, Binding, MinimumOrder, OnFailure, Payable, Programme, Site};

use super::leaf::{DayOrInstant, MinimumOrderInput};
use super::order::{text, texts};
use super::settings::{facts, settings};
use super::shape::{AudienceInput, BasisInput, ConditionInput, OnFailureInput, ProgrammeInput};
use super::time::Zone;
use super::{InputError, InputErrorKind, Plugins, Within, each};
use crate::json::excerpt;

pub(super) fn programmes(
    inputs: &[ProgrammeInput],
    site: &Site,
    zone: &Zone,
    plugins: &dyn Plugins,
) -> Result<Vec<Programme>, InputError> {
    let programmes = each(inputs, |input| programme(input, site, zone, plugins))?;
    for (index, programme) in programmes.iter().enumerate() {
        let same = |other: &Programme| other.site == programme.site && other.code_name == programme.code_name;
        if let Some(earlier) = programmes[..index].iter().position(same) {
            let name = excerpt(&programme.code_name);
            let problem = format!("`{name}` was given before, as programmes[{earlier}]");
            return Err(InputError::at(InputErrorKind::Inconsistent, "code_name", problem)).within_item(index);
        }
    }
    Ok(programmes)
}

pub(super) fn programme(
    input: &ProgrammeInput,
    site: &Site,
    zone: &Zone,
    plugins: &dyn Plugins,
) -> Result<Programme, InputError> {
    let valid_from = input.valid_from.as_ref().map(|moment| moment.begin(zone)).transpose().within("valid_from")?;
    let valid_to = input.valid_to.as_ref().map(|moment| moment.end(zone)).transpose().within("valid_to")?;
    if let (Some(from), Some(to)) = (valid_from, valid_to)
        && from >= to
    {
        return Err(InputError::at(InputErrorKind::Inconsistent, "valid_to", "is not after `valid_from`"));
    }
    let payable = Payable::default();
    Ok(Programme {
        site: text(input.site.clone()).unwrap_or_else(|| site.id.clone()),
        code_name: input.code_name.to_string(),
        enabled: input.enabled.unwrap_or(true),
        valid_from,
        valid_to,
        valid_from_on: input.valid_from.as_ref().and_then(DayOrInstant::on),
        valid_to_on: input.valid_to.as_ref().and_then(DayOrInstant::on),
        audience: audience(input.audience.as_ref()).within("audience")?,
        minimum: match &input.minimum_order {
            Some(input) => Some(minimum(input, site).within("minimum_order")?),
            None => None,
        },
        payable: Payable {
            shipping: input.pays.shipping.unwrap_or(payable.shipping),
            fees: input.pays.fees.unwrap_or(payable.fees),
            gift_cards: input.pays.gift_cards.unwrap_or(payable.gift_cards),
        },
        accepted_by: texts(input.accepted_by.clone()),
        conditions: each(input.conditions.iter(), |input| binding(input, site, plugins)).within("conditions")?,
    })
}

fn audience(input: Option<&AudienceInput>) -> Result<Audience, InputError> {
    Ok(match input {
        None | Some(AudienceInput::Everyone) => Audience::Everyone,
        Some(AudienceInput::Registered) => Audience::Registered,
        Some(AudienceInput::Customer(id)) => Audience::Customer(id.to_string()),
        Some(AudienceInput::Roles(roles)) if roles.is_empty() => {
            let problem = "is empty, so nobody could use the cards; name at least one role, or write `registered`";
            return Err(InputError::at(InputErrorKind::InvalidValue, "roles", problem));
        }
        Some(AudienceInput::Roles(roles)) => Audience::InRoles(texts(roles.clone())),
    })
}

fn minimum(input: &MinimumOrderInput, site: &Site) -> Result<MinimumOrder, InputError> {
    let (amount, basis) = match input {
        MinimumOrderInput::Total(amount) => (amount.minor(site.currency)?, BasisInput::Total),
        MinimumOrderInput::WithBasis(given) => (given.amount.minor(site.currency).within("amount")?, given.basis),
    };
    let basis = match basis {
        BasisInput::Total => Basis::TOTAL,
        BasisInput::TotalWithoutTax => Basis { goods_only: false, without_tax: true },
        BasisInput::Goods => Basis { goods_only: true, without_tax: false },
        BasisInput::GoodsWithoutTax => Basis { goods_only: true, without_tax: true },
    };
    Ok(MinimumOrder { amount, basis })
}

fn binding(input: &ConditionInput, site: &Site, plugins: &dyn Plugins) -> Result<Binding, InputError> {
    let known = facts(&input.plugin, plugins).within("plugin")?;
    let on_failure = match &input.on_failure {
        OnFailureInput::RefuseCard => OnFailure::RefuseCard,
        OnFailureInput::Ignore if known.shares_limits => {
            let problem =
                format!("`ignore` is not allowed for `{}`: its limits would fall away with it", excerpt(&known.id));
            return Err(InputError::at(InputErrorKind::Inconsistent, "on_failure", problem));
        }
        OnFailureInput::Ignore => OnFailure::Ignore,
        OnFailureInput::Previous(previous) => {
            let path = "on_failure.previous";
            let known = facts(&previous.plugin, plugins).within("plugin").within(path)?;
            let settings = settings(&previous.settings, known, site.currency).within("settings").within(path)?;
            OnFailure::Previous { plugin: plugins.meant(&previous.plugin), settings }
        }
    };
    Ok(Binding {
        plugin: plugins.meant(&input.plugin),
        settings: settings(&input.settings, known, site.currency).within("settings")?,
        on_failure,
    })
}
