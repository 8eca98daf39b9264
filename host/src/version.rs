//! Which host module speaks to a component: one for each version of the contract. Must not know what is asked.

use giftcard_engine::check::Evaluation;
use giftcard_engine::quote::ConditionCall;
use giftcard_engine::value::Value;
use wasmtime::component::{Component as Code, InstancePre, Linker};

use crate::contract::World;
use crate::sandbox::{CallState, Sandbox};
use crate::v0_1;
#[cfg(feature = "contract-0-2-draft")]
use crate::v0_2;

/// A version of the contract that this host was compiled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V0_1,
    #[cfg(feature = "contract-0-2-draft")]
    V0_2Draft,
}

impl Version {
    /// Every one, the newest last, drafts after all others.
    pub(crate) const ALL: &[Self] = &[
        Self::V0_1,
        #[cfg(feature = "contract-0-2-draft")]
        Self::V0_2Draft,
    ];

    /// Those that a host speaks. `drafts`: also versions that are compiled in only to be tried.
    pub(crate) fn spoken(drafts: bool) -> &'static [Self] {
        if drafts { Self::ALL } else { &[Self::V0_1] }
    }

    /// What the names of its interfaces end in.
    pub(crate) fn number(self) -> &'static str {
        match self {
            Self::V0_1 => v0_1::NUMBER,
            #[cfg(feature = "contract-0-2-draft")]
            Self::V0_2Draft => v0_2::NUMBER,
        }
    }

    /// Its package.
    pub(crate) fn package(self) -> String {
        format!("giftcard:rules@{}", self.number())
    }

    /// Its files.
    pub(crate) fn sources(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::V0_1 => v0_1::SOURCES,
            #[cfg(feature = "contract-0-2-draft")]
            Self::V0_2Draft => v0_2::SOURCES,
        }
    }

    /// What a component is given to import.
    pub(crate) fn linker(self, sandbox: &Sandbox) -> wasmtime::Result<Linker<CallState>> {
        match self {
            Self::V0_1 => v0_1::linker(sandbox),
            #[cfg(feature = "contract-0-2-draft")]
            Self::V0_2Draft => v0_2::linker(sandbox),
        }
    }

    /// The version and world of a component, by the names of what it exports; none if this host does not speak it.
    pub(crate) fn of(code: &Code, drafts: bool) -> Option<(Self, World)> {
        let exports = |interface: &str, version: Self| {
            let name = format!("giftcard:rules/{interface}@{}", version.number());
            code.component_type().exports(code.engine()).any(|(export, _)| export == name)
        };
        let version = Self::spoken(drafts).iter().copied().find(|version| exports("plugin", *version))?;
        if exports("condition", version) {
            return Some((version, World::ConditionPlugin));
        }
        exports("redemption", version).then_some((version, World::GiftCard))
    }

    /// Links what a component exports for conditions.
    pub(crate) fn condition(self, linked: InstancePre<CallState>) -> wasmtime::Result<v0_1::ConditionPre> {
        v0_1::ConditionPre::new(linked, self.number())
    }

    /// Asks a condition.
    pub(crate) fn evaluate(
        self,
        sandbox: &Sandbox,
        condition: &v0_1::ConditionPre,
        needs: &v0_1::Needs,
        call: &ConditionCall<'_>,
        settings: &[(&str, &Value)],
    ) -> v0_1::Answered<Evaluation> {
        match self {
            Self::V0_1 => v0_1::evaluate::<v0_1::Evaluated>(sandbox, condition, needs, call, settings),
            #[cfg(feature = "contract-0-2-draft")]
            Self::V0_2Draft => v0_1::evaluate::<v0_2::EvaluationWithValues>(sandbox, condition, needs, call, settings),
        }
    }

    /// Links what a component exports to introduce itself.
    pub(crate) fn plugin(self, linked: InstancePre<CallState>) -> wasmtime::Result<v0_1::PluginPre> {
        // 0.2 has left this interface as it is.
        v0_1::PluginPre::new(linked, self.number())
    }
}

/// Packages, for errors.
pub(crate) fn listed(versions: &[Version]) -> String {
    versions.iter().map(|version| version.package()).collect::<Vec<_>>().join(" and ")
}
