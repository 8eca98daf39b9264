//! The types of the contract for TypeScript, as `componentize-qjs` maps them: names in camel case, an option is a value or
//! null, a variant is tagged, an s64 is a number, the error of a result is thrown. Must not know what a plugin is.

use wit_parser::{Docs, Function, InterfaceId, Resolve, Type, TypeDefKind, TypeId, WorldItem};

/// Two modules: `contract.d.ts` with every type, and `imports.d.ts` with what can be imported.
pub(crate) struct ContractTypes {
    pub(crate) contract: String,
    pub(crate) imports: String,
}

const HEAD: &str = "// The contract's types, made of `wit/` by `giftcard`. They are not yours to change.\n";

/// Of one world.
pub(crate) fn contract_types(resolve: &Resolve, world: &str) -> Result<ContractTypes, String> {
    let (_, world) = resolve.worlds.iter().find(|(_, it)| it.name == world).ok_or(format!("no world `{world}`"))?;
    let (mut contract, mut imports) = (HEAD.to_string(), HEAD.to_string());
    let interfaces = |items: &mut dyn Iterator<Item = &WorldItem>| -> Vec<InterfaceId> {
        let id = |item: &WorldItem| match item {
            WorldItem::Interface { id, .. } => Some(*id),
            _ => None,
        };
        items.filter_map(id).collect()
    };
    let (imported, exported) = (interfaces(&mut world.imports.values()), interfaces(&mut world.exports.values()));
    for id in imported.iter().chain(&exported) {
        for (name, ty) in &resolve.interfaces[*id].types {
            type_definition(resolve, &mut contract, name, *ty)?;
        }
    }
    for id in &exported {
        let interface = &resolve.interfaces[*id];
        let name = interface.name.as_deref().ok_or("an interface without a name")?;
        contract.push('\n');
        doc(&mut contract, "", &interface.docs);
        contract.push_str(&format!("export interface {} {{\n", pascal(name)));
        for function in interface.functions.values() {
            self::function(resolve, &mut contract, "    ", "", function)?;
        }
        contract.push_str("}\n");
    }
    for id in imported.iter().filter(|id| !resolve.interfaces[**id].functions.is_empty()) {
        let name = resolve.id_of(*id).ok_or("an interface without a name")?;
        let interface = &resolve.interfaces[*id];
        imports.push('\n');
        doc(&mut imports, "", &interface.docs);
        imports.push_str(&format!("declare module \"{name}\" {{\n"));
        for (name, ty) in &interface.types {
            let ty = resolve.types[*ty].name.as_deref().unwrap_or(name);
            imports.push_str(&format!("    type {0} = import(\"./contract.d.ts\").{0};\n", pascal(ty)));
        }
        imports.push_str("    const functions: {\n");
        for function in interface.functions.values() {
            self::function(resolve, &mut imports, "        ", "", function)?;
        }
        imports.push_str("    };\n    export default functions;\n}\n");
    }
    Ok(ContractTypes { contract, imports })
}

fn type_definition(resolve: &Resolve, out: &mut String, name: &str, id: TypeId) -> Result<(), String> {
    let definition = &resolve.types[id];
    let pascal = pascal(name);
    // What an interface uses of another one stands there.
    if let TypeDefKind::Type(Type::Id(_)) = definition.kind {
        return Ok(());
    }
    out.push('\n');
    doc(out, "", &definition.docs);
    match &definition.kind {
        TypeDefKind::Type(ty) => out.push_str(&format!("export type {pascal} = {};\n", reference(resolve, ty)?)),
        TypeDefKind::Record(record) => {
            out.push_str(&format!("export interface {pascal} {{\n"));
            for field in &record.fields {
                doc(out, "    ", &field.docs);
                out.push_str(&format!("    {}: {};\n", camel(&field.name), reference(resolve, &field.ty)?));
            }
            out.push_str("}\n");
        }
        TypeDefKind::Variant(variant) => {
            out.push_str(&format!("export type {pascal} =\n"));
            for (place, case) in variant.cases.iter().enumerate() {
                doc(out, "    ", &case.docs);
                let value = match &case.ty {
                    Some(ty) => format!(", val: {}", reference(resolve, ty)?),
                    None => ", val?: undefined".to_string(),
                };
                let end = if place + 1 == variant.cases.len() { ";" } else { "" };
                out.push_str(&format!("    | {{ tag: \"{}\"{value} }}{end}\n", case.name));
            }
        }
        TypeDefKind::Enum(cases) => {
            let names: Vec<String> = cases.cases.iter().map(|case| format!("\"{}\"", case.name)).collect();
            out.push_str(&format!("export type {pascal} = {};\n", names.join(" | ")));
        }
        other => return Err(format!("`{name}` is a {}, which nothing maps", other.as_str())),
    }
    Ok(())
}

fn function(
    resolve: &Resolve,
    out: &mut String,
    indent: &str,
    prefix: &str,
    function: &Function,
) -> Result<(), String> {
    let mut docs = function.docs.contents.clone().unwrap_or_default();
    let mut result = "void".to_string();
    if let Some(ty) = &function.result {
        result = match ty {
            Type::Id(id) => match &resolve.types[*id].kind {
                TypeDefKind::Result(outcome) => {
                    if let Some(error) = &outcome.err {
                        docs.push_str(&format!("\n\nThrows {}.", reference(resolve, error)?));
                    }
                    outcome.ok.as_ref().map_or(Ok("void".to_string()), |ty| reference(resolve, ty))?
                }
                _ => reference(resolve, ty)?,
            },
            _ => reference(resolve, ty)?,
        };
    }
    doc(out, indent, &Docs { contents: Some(docs) });
    let parameters = function
        .params
        .iter()
        .map(|parameter| Ok(format!("{}: {}", camel(&parameter.name), reference(resolve, &parameter.ty)?)));
    let parameters = parameters.collect::<Result<Vec<_>, String>>()?.join(", ");
    out.push_str(&format!("{indent}{prefix}{}({parameters}): {result};\n", camel(&function.name)));
    Ok(())
}

fn reference(resolve: &Resolve, ty: &Type) -> Result<String, String> {
    Ok(match ty {
        Type::Bool => "boolean".to_string(),
        Type::String | Type::Char => "string".to_string(),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::S8 | Type::S16 | Type::S32 | Type::S64 => {
            "number".to_string()
        }
        Type::Id(id) => {
            let definition = &resolve.types[*id];
            match (&definition.name, &definition.kind) {
                (Some(name), _) => pascal(name),
                (None, TypeDefKind::List(item)) => match reference(resolve, item)? {
                    item if item.contains(' ') => format!("({item})[]"),
                    item => format!("{item}[]"),
                },
                (None, TypeDefKind::Option(value)) => format!("{} | null", reference(resolve, value)?),
                (None, other) => return Err(format!("nothing maps a {}", other.as_str())),
            }
        }
        other => return Err(format!("nothing maps {other:?}")),
    })
}

fn doc(out: &mut String, indent: &str, docs: &Docs) {
    let Some(text) = docs.contents.as_deref().map(str::trim).filter(|text| !text.is_empty()) else { return };
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    if let [line] = lines[..] {
        return out.push_str(&format!("{indent}/** {line} */\n"));
    }
    out.push_str(&format!("{indent}/**\n"));
    for line in lines {
        out.push_str(format!("{indent} * {line}").trim_end());
        out.push('\n');
    }
    out.push_str(&format!("{indent} */\n"));
}

fn pascal(name: &str) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    name.split('-').map(capital).collect()
}

fn camel(name: &str) -> String {
    let name = pascal(name);
    name[..1].to_ascii_lowercase() + &name[1..]
}
