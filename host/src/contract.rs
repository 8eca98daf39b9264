//! Whether a component fits the contract, and if not, how it differs, readable. Works on types alone, before anything is
//! compiled. Must not run anything.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{
    Function, Handle, InterfaceId, Resolve, SourceMap, Type, TypeDefKind, World as WitWorld, WorldItem, WorldKey,
};

use crate::version::{Version, listed};

/// The newest version of the contract that every host speaks.
pub const CONTRACT: &str = "giftcard:rules@0.1.0";

/// A world of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum World {
    /// A rule that a merchant binds to programmes.
    ConditionPlugin,
    /// The rules that apply cards and split refunds.
    GiftCard,
}

impl World {
    /// Its name in the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConditionPlugin => "condition-plugin",
            Self::GiftCard => "gift-card",
        }
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What the types of a component say.
#[derive(Debug)]
pub(crate) enum Fit {
    /// It fits one.
    Fits,
    /// It does not; these are the differences from the world it comes closest to, in words.
    Differs(Option<String>, Vec<String>),
}

/// Compares a component with the version of the contract that it was built for, if that is one of these.
///
/// # Errors
/// What the parser says of bytes that are no component.
pub(crate) fn fit(bytes: &[u8], versions: &[Version]) -> Result<Fit, String> {
    match bytes.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => {}
        Some(b"\0asm\x01\0\0\0") => return Err("it is a core module; turn it into a component first".into()),
        _ => return Err("it does not begin like a WebAssembly component".into()),
    }
    let (found, world) = match decode(bytes) {
        Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
        Ok(DecodedWasm::WitPackage(..)) => return Err("it is a WIT package, not a component".into()),
        Err(error) => return Err(format!("{error:#}")),
    };
    let found_world = &found.worlds[world];
    let exported = names(&found, found_world.exports.iter());
    let version = match built_for(&exported, versions) {
        Ok(version) => version,
        Err(difference) => {
            let mut differences = vec![difference];
            differences.extend(import_differences(&found, found_world, versions));
            return Ok(Fit::Differs(None, differences));
        }
    };
    let contract = contract(version);
    let exports = |interface: &str| exported.iter().any(|name| without_version(name) == interface);
    let closest = match () {
        () if exports("giftcard:rules/condition") => World::ConditionPlugin,
        () if exports("giftcard:rules/redemption") => World::GiftCard,
        () => {
            let (number, exports) = (version.number(), exported.join(", "));
            let difference = format!(
                "it exports {exports}; a condition exports giftcard:rules/condition@{number}, rules export \
                 giftcard:rules/redemption@0.1.0"
            );
            return Ok(Fit::Differs(None, vec![difference]));
        }
    };
    let Some((_, expected_world)) = contract.worlds.iter().find(|(_, world)| world.name == closest.name()) else {
        let difference = format!("{} has no world `{closest}`; build it for {CONTRACT}", version.package());
        return Ok(Fit::Differs(None, vec![difference]));
    };
    let mut differences = import_differences(&found, found_world, &[version]);
    for (key, item) in &expected_world.exports {
        let WorldItem::Interface { id: expected, .. } = item else { continue };
        let name = contract.name_world_key(key);
        let export = found_world.exports.iter().find(|(key, _)| found.name_world_key(key) == name);
        match export {
            Some((_, WorldItem::Interface { id, .. })) => {
                let mut compare = Compare { expected: contract, found: &found, differences: &mut differences };
                compare.interface(&name, *expected, *id);
            }
            _ => differences.push(
                match exported.iter().find(|export| without_version(export) == without_version(&name)) {
                    Some(other) => format!("it exports {other}; this host speaks {name}"),
                    None => format!("the export {name} is missing"),
                },
            ),
        }
    }
    if differences.is_empty() {
        return Ok(Fit::Fits);
    }
    Ok(Fit::Differs(Some(format!("world `{closest}` of {}", version.package())), differences))
}

/// The version that a component was built for, by the names of what it exports.
fn built_for(exported: &[String], versions: &[Version]) -> Result<Version, String> {
    let numbers: BTreeSet<&str> = exported
        .iter()
        .filter(|name| name.starts_with("giftcard:rules/"))
        .filter_map(|name| name.split_once('@').map(|(_, number)| number))
        .collect();
    if let Some(version) = versions.iter().find(|version| numbers.contains(version.number())) {
        return Ok(*version);
    }
    if !numbers.is_empty() {
        let built_for: Vec<String> = numbers.iter().map(|number| format!("giftcard:rules@{number}")).collect();
        let (built_for, spoken) = (built_for.join(" and "), listed(versions));
        return Err(format!("it was built for {built_for}; this host speaks {spoken}"));
    }
    let exports = if exported.is_empty() { "nothing".to_string() } else { exported.join(", ") };
    Err(format!(
        "it exports {exports}; a condition exports giftcard:rules/condition@0.1.0, rules export \
         giftcard:rules/redemption@0.1.0, and both giftcard:rules/plugin@0.1.0"
    ))
}

fn without_version(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

fn contract(version: Version) -> &'static Resolve {
    static CONTRACTS: [OnceLock<Resolve>; Version::ALL.len()] = [const { OnceLock::new() }; Version::ALL.len()];
    let place = Version::ALL.iter().position(|known| *known == version).unwrap_or_default();
    CONTRACTS[place].get_or_init(|| {
        let mut sources = SourceMap::default();
        for (name, text) in version.sources() {
            sources.push_str(name, *text);
        }
        let parsed =
            sources.parse().unwrap_or_else(|_| unreachable!("INVARIANT: the contract parses, or no test passes"));
        let mut resolve = Resolve::default();
        resolve.push_group(parsed).expect("INVARIANT: the contract resolves, or no test passes");
        resolve
    })
}

fn names<'a>(resolve: &Resolve, items: impl Iterator<Item = (&'a WorldKey, &'a WorldItem)>) -> Vec<String> {
    items.map(|(key, _)| resolve.name_world_key(key)).collect()
}

/// The imports of a component that carry functions, and those that the contract allows.
fn import_differences(found: &Resolve, world: &WitWorld, versions: &[Version]) -> Vec<String> {
    let of_version =
        |version: &Version| ["types", "log"].map(|name| format!("giftcard:rules/{name}@{}", version.number()));
    let allowed: Vec<String> = versions.iter().flat_map(of_version).collect();
    let mut differences = Vec::new();
    for (key, item) in &world.imports {
        let name = found.name_world_key(key);
        if allowed.contains(&name) {
            continue;
        }
        // An import of types alone asks for nothing.
        if let WorldItem::Interface { id, .. } = item
            && found.interfaces[*id].functions.is_empty()
            && found.interfaces[*id].types.values().all(|id| !matches!(found.types[*id].kind, TypeDefKind::Resource))
        {
            continue;
        }
        differences.push(format!("it imports {name}; allowed are {}", allowed.join(" and ")));
    }
    differences
}

/// Compares types by structure, and says where they part.
struct Compare<'a> {
    expected: &'a Resolve,
    found: &'a Resolve,
    differences: &'a mut Vec<String>,
}

impl Compare<'_> {
    fn interface(&mut self, name: &str, expected: InterfaceId, found: InterfaceId) {
        let (expected, found) = (&self.expected.interfaces[expected], &self.found.interfaces[found]);
        let names: BTreeSet<&String> = expected.functions.keys().chain(found.functions.keys()).collect();
        for function in names {
            match (expected.functions.get(function), found.functions.get(function)) {
                (Some(expected), Some(found)) => self.function(&format!("{name} {function}"), expected, found),
                (Some(_), None) => self.differences.push(format!("the function `{function}` of {name} is missing")),
                // More than is asked for does no harm.
                (None, _) => {}
            }
        }
    }

    fn function(&mut self, path: &str, expected: &Function, found: &Function) {
        if expected.params.len() != found.params.len() {
            let counts = format!("{} parameters, {} are right", found.params.len(), expected.params.len());
            self.differences.push(format!("{path} has {counts}"));
            return;
        }
        for (expected, found) in expected.params.iter().zip(&found.params) {
            self.types(&format!("{path}({})", expected.name), &expected.ty, &found.ty);
        }
        match (&expected.result, &found.result) {
            (Some(expected), Some(found)) => self.types(&format!("{path} -> result"), expected, found),
            (None, None) => {}
            _ => self.differences.push(format!("{path} does not return what it must")),
        }
    }

    fn types(&mut self, path: &str, expected: &Type, found: &Type) {
        let (expected, found) = (resolved(self.expected, expected), resolved(self.found, found));
        let (Type::Id(expected_id), Type::Id(found_id)) = (expected, found) else {
            if expected != found {
                let (found, expected) = (show(self.found, &found), show(self.expected, &expected));
                self.differences.push(format!("{path} is {found}, {expected} is right"));
            }
            return;
        };
        let (wanted, got) = (&self.expected.types[expected_id].kind, &self.found.types[found_id].kind);
        match (wanted, got) {
            (TypeDefKind::Record(wanted), TypeDefKind::Record(got)) => {
                let fields =
                    |fields: &[wit_parser::Field]| fields.iter().map(|f| (f.name.clone(), Some(f.ty))).collect();
                self.members(path, "field", fields(&wanted.fields), fields(&got.fields));
            }
            (TypeDefKind::Variant(wanted), TypeDefKind::Variant(got)) => {
                let cases = |cases: &[wit_parser::Case]| cases.iter().map(|c| (c.name.clone(), c.ty)).collect();
                self.members(path, "case", cases(&wanted.cases), cases(&got.cases));
            }
            (TypeDefKind::Enum(wanted), TypeDefKind::Enum(got)) => {
                let cases = |cases: &[wit_parser::EnumCase]| cases.iter().map(|c| (c.name.clone(), None)).collect();
                self.members(path, "case", cases(&wanted.cases), cases(&got.cases));
            }
            (TypeDefKind::Option(wanted), TypeDefKind::Option(got))
            | (TypeDefKind::List(wanted), TypeDefKind::List(got)) => {
                self.types(path, wanted, got);
            }
            (TypeDefKind::Result(wanted), TypeDefKind::Result(got)) => {
                for (arm, wanted, got) in [("ok", wanted.ok, got.ok), ("err", wanted.err, got.err)] {
                    match (wanted, got) {
                        (Some(wanted), Some(got)) => self.types(&format!("{path}.{arm}"), &wanted, &got),
                        (None, None) => {}
                        _ => self.differences.push(format!("{path}.{arm} is not what it must be")),
                    }
                }
            }
            _ => {
                let (found, expected) = (show(self.found, &found), show(self.expected, &expected));
                if found != expected {
                    self.differences.push(format!("{path} is {found}, {expected} is right"));
                }
            }
        }
    }

    /// Fields and cases are compared in order: their places are their meaning in the binary.
    fn members(
        &mut self,
        path: &str,
        kind: &str,
        wanted: Vec<(String, Option<Type>)>,
        got: Vec<(String, Option<Type>)>,
    ) {
        let lacks = |have: &[(String, Option<Type>)], name: &str| !have.iter().any(|(known, _)| known == name);
        let mut same = true;
        for (name, _) in wanted.iter().filter(|(name, _)| lacks(&got, name)) {
            self.differences.push(format!("{path} lacks the {kind} `{name}`"));
            same = false;
        }
        for (name, _) in got.iter().filter(|(name, _)| lacks(&wanted, name)) {
            self.differences.push(format!("{path} has a {kind} `{name}` that the contract does not"));
            same = false;
        }
        if same && wanted.iter().map(|(name, _)| name).ne(got.iter().map(|(name, _)| name)) {
            self.differences.push(format!("{path} has its {kind}s in another order"));
            same = false;
        }
        if !same {
            return;
        }
        for ((name, wanted), (_, got)) in wanted.into_iter().zip(got) {
            match (wanted, got) {
                (Some(wanted), Some(got)) => self.types(&format!("{path}.{name}"), &wanted, &got),
                (None, None) => {}
                _ => self.differences.push(format!("{path}.{name} is not what it must be")),
            }
        }
    }
}

/// The type behind its aliases.
fn resolved(resolve: &Resolve, ty: &Type) -> Type {
    let mut ty = *ty;
    while let Type::Id(id) = ty {
        match &resolve.types[id].kind {
            TypeDefKind::Type(behind) => ty = *behind,
            _ => break,
        }
    }
    ty
}

fn show(resolve: &Resolve, ty: &Type) -> String {
    let inner = |ty: &Type| show(resolve, &resolved(resolve, ty));
    match resolved(resolve, ty) {
        Type::Id(id) => {
            let def = &resolve.types[id];
            match (&def.name, &def.kind) {
                (_, TypeDefKind::List(item)) => format!("list<{}>", inner(item)),
                (_, TypeDefKind::Option(item)) => format!("option<{}>", inner(item)),
                (_, TypeDefKind::Tuple(tuple)) => {
                    format!("tuple<{}>", tuple.types.iter().map(inner).collect::<Vec<_>>().join(", "))
                }
                (_, TypeDefKind::Handle(Handle::Own(_) | Handle::Borrow(_))) => "a resource".into(),
                (Some(name), kind) => format!("{} `{name}`", kind.as_str()),
                (None, kind) => kind.as_str().to_string(),
            }
        }
        primitive => format!("{primitive:?}").to_lowercase(),
    }
}
