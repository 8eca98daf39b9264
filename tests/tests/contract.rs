//! The contract as authors read it: nothing in it may go without a word of documentation. Whether components fit it is
//! the host's to test.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use wit_parser::{Docs, Function, Interface, PackageId, Resolve, Type, TypeDefKind, TypeId, WorldItem};

fn wit(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit").join(path)
}

/// Names of what goes without documentation.
struct Undocumented<'a> {
    resolve: &'a Resolve,
    names: Vec<String>,
}

impl<'a> Undocumented<'a> {
    fn of(resolve: &'a Resolve, package: PackageId) -> Vec<String> {
        let mut undocumented = Self { resolve, names: Vec::new() };
        let package = &resolve.packages[package];
        undocumented.check(&package.name.to_string(), &package.docs);
        for (name, id) in &package.interfaces {
            undocumented.interface(name, &resolve.interfaces[*id]);
        }
        for (name, id) in &package.worlds {
            let world = &resolve.worlds[*id];
            undocumented.check(name, &world.docs);
            for (kind, items) in [("import", &world.imports), ("export", &world.exports)] {
                for (key, item) in items {
                    undocumented.world_item(&format!("{name} {kind} {}", resolve.name_world_key(key)), item);
                }
            }
        }
        undocumented.names
    }

    fn check(&mut self, name: &str, docs: &Docs) {
        if docs.contents.as_deref().is_none_or(|text| text.trim().is_empty()) {
            self.names.push(name.to_string());
        }
    }

    fn interface(&mut self, path: &str, interface: &Interface) {
        self.check(path, &interface.docs);
        for (name, id) in &interface.types {
            self.type_def(&format!("{path}.{name}"), *id);
        }
        for (name, function) in &interface.functions {
            self.function(&format!("{path}.{name}"), function);
        }
    }

    fn type_def(&mut self, path: &str, id: TypeId) {
        let def = &self.resolve.types[id];
        if let TypeDefKind::Type(Type::Id(source)) = def.kind
            && self.resolve.types[source].owner != def.owner
        {
            // A `use`: documented where it comes from.
            return;
        }
        self.check(path, &def.docs);
        let members: Vec<(&String, &Docs)> = match &def.kind {
            TypeDefKind::Record(record) => record.fields.iter().map(|field| (&field.name, &field.docs)).collect(),
            TypeDefKind::Variant(variant) => variant.cases.iter().map(|case| (&case.name, &case.docs)).collect(),
            TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| (&case.name, &case.docs)).collect(),
            TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| (&flag.name, &flag.docs)).collect(),
            _ => Vec::new(),
        };
        for (name, docs) in members {
            self.check(&format!("{path}.{name}"), docs);
        }
    }

    fn function(&mut self, path: &str, function: &Function) {
        self.check(path, &function.docs);
    }

    fn world_item(&mut self, path: &str, item: &WorldItem) {
        match item {
            // What the parser adds for the types that an export uses stands in no file.
            WorldItem::Interface { id, .. } if self.resolve.interfaces[*id].functions.is_empty() => {}
            WorldItem::Interface { docs, .. } => self.check(path, docs),
            WorldItem::Function(function) => self.function(path, function),
            WorldItem::Type { id, .. } => self.type_def(path, *id),
        }
    }
}

fn undocumented(text: &str) -> Vec<String> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("contract.wit", text).unwrap();
    Undocumented::of(&resolve, package)
}

#[test]
fn every_item_of_the_contract_is_documented() {
    let folders = fs::read_dir(wit("")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let folders: Vec<PathBuf> = folders.collect();
    assert!(folders.len() >= 2, "{folders:?}");
    for folder in folders {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(&folder).unwrap();
        let undocumented = Undocumented::of(&resolve, package);
        assert!(undocumented.is_empty(), "{}: undocumented:\n  {}", folder.display(), undocumented.join("\n  "));
    }
}

#[test]
fn an_item_without_documentation_is_named() {
    let text = "
        package a:b@1.0.0;
        interface i {
            type t = u8;
            record r { f: t }
            variant v { c(t) }
            enum e { k }
            flags g { b }
            do-it: func(a: t);
        }
        interface uses {
            use i.{t};
            type other = t;
            h: func(a: t) -> other;
        }
        world w {
            import i;
            export uses;
            export run: func();
        }
    ";
    let expected = [
        "a:b@1.0.0",
        "i",
        "i.t",
        "i.r",
        "i.r.f",
        "i.v",
        "i.v.c",
        "i.e",
        "i.e.k",
        "i.g",
        "i.g.b",
        "i.do-it",
        "uses",
        "uses.other",
        "uses.h",
        "w",
        "w import a:b/i@1.0.0",
        "w export a:b/uses@1.0.0",
        "w export run",
    ];
    let mut found = undocumented(text);
    found.sort();
    let mut expected = expected.map(str::to_string);
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn the_readmes_table_lists_the_files_of_the_contract() {
    let readme = fs::read_to_string(wit("README.md")).unwrap();
    let listed: Vec<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .filter(|(name, _)| name.ends_with(".wit"))
        .map(|(name, _)| name.to_string())
        .collect();
    let once: BTreeSet<String> = listed.iter().cloned().collect();
    let files: BTreeSet<String> =
        fs::read_dir(wit("0.1")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(once, files, "wit/README.md lists other files than wit/0.1 has");
    assert_eq!(listed.len(), once.len(), "wit/README.md lists a file twice: {listed:?}");
}
