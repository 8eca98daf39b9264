//! Makes a component stop where an author can be told who used its fuel. Must not know what fuel is measured for, nor
//! run anything.
//!
//! wasmtime looks at the fuel where a function begins and where a loop begins, and nowhere else: a call that runs out
//! in a function without loops would be stopped in another one. So a probe is put before every call and before every
//! way out of a function: a loop around nothing. Neither `loop` nor `block` nor `end` cost fuel, so that the component
//! uses as much as before, to the unit.

use std::ops::Range;

use wasmparser::{BinaryReader, FunctionBody, Operator, Parser, Payload, ValType};

/// `loop` without results, `end`.
const PROBE: [u8; 3] = [0x03, 0x40, 0x0b];

/// `end`
const END: u8 = 0x0b;

/// `block`
const BLOCK: u8 = 0x02;

/// Bytes of magic number, version and layer.
const HEADER: usize = 8;

const CUSTOM_SECTION: u8 = 0;
const CORE_MODULE_SECTION: u8 = 1;
const CODE_SECTION: u8 = 10;

/// The component with probes in the functions of its modules. Debug information, which would be about other places, is
/// left out.
///
/// # Errors
/// What is wrong with the bytes, of a component that does not parse.
pub(crate) fn put_in(component: &[u8]) -> Result<Vec<u8>, String> {
    let mut probed = component.get(..HEADER).ok_or("it ends too early")?.to_vec();
    for (id, content) in sections(component)? {
        match id {
            CORE_MODULE_SECTION => section(&mut probed, id, &module(&component[content])?),
            _ => section(&mut probed, id, &component[content]),
        }
    }
    Ok(probed)
}

fn module(module: &[u8]) -> Result<Vec<u8>, String> {
    let mut probed = module.get(..HEADER).ok_or("a module ends too early")?.to_vec();
    for (id, content) in sections(module)? {
        let name = |content: &Range<usize>| {
            let mut reader = BinaryReader::new(&module[content.clone()], 0);
            reader.read_string().map(str::to_string).unwrap_or_default()
        };
        match id {
            CUSTOM_SECTION if name(&content).starts_with(".debug_") => {}
            CODE_SECTION => section(&mut probed, id, &code(module)?),
            _ => section(&mut probed, id, &module[content]),
        }
    }
    Ok(probed)
}

/// Number and content of each section.
fn sections(bytes: &[u8]) -> Result<Vec<(u8, Range<usize>)>, String> {
    let mut reader = BinaryReader::new(bytes, 0);
    let mut found = Vec::new();
    let read = |reader: &mut BinaryReader<'_>| -> wasmparser::Result<(u8, Range<usize>)> {
        let (id, size) = (reader.read_u8()?, reader.read_var_u32()? as usize);
        let start = reader.original_position();
        reader.read_bytes(size)?;
        Ok((id, start..start + size))
    };
    reader.read_bytes(HEADER).map_err(|error| error.to_string())?;
    while !reader.eof() {
        found.push(read(&mut reader).map_err(|error| error.to_string())?);
    }
    Ok(found)
}

fn section(bytes: &mut Vec<u8>, id: u8, content: &[u8]) {
    bytes.push(id);
    leb(bytes, content.len());
    bytes.extend_from_slice(content);
}

fn leb(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The code section of a module, with probes.
fn code(module: &[u8]) -> Result<Vec<u8>, String> {
    let (mut results, mut types, mut code, mut count) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let text = |error: wasmparser::BinaryReaderError| error.to_string();
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(text)? {
            Payload::TypeSection(section) => {
                for function in section.into_iter_err_on_gc_types() {
                    results.push(function.map_err(text)?.results().to_vec());
                }
            }
            Payload::FunctionSection(section) => {
                for index in section {
                    types.push(index.map_err(text)? as usize);
                }
            }
            Payload::CodeSectionEntry(body) => {
                let results = types.get(count).and_then(|index| results.get(*index)).map_or(&[][..], Vec::as_slice);
                let body = function(module, &body, results).map_err(text)?;
                leb(&mut code, body.len());
                code.extend(body);
                count += 1;
            }
            _ => {}
        }
    }
    let mut section = Vec::new();
    leb(&mut section, count);
    section.extend(code);
    Ok(section)
}

/// A function's locals and code, with probes.
fn function(module: &[u8], body: &FunctionBody<'_>, results: &[ValType]) -> wasmparser::Result<Vec<u8>> {
    let operators = body.get_operators_reader()?;
    let mut from = operators.original_position();
    let mut probed = module[body.range().start..from].to_vec();
    // A branch out of the function becomes one out of this block, and passes the last probe.
    let block = block_type(results);
    if let Some(block) = block {
        probed.extend([BLOCK, block]);
    }
    for operator in operators.into_iter_with_offsets() {
        let (operator, at) = operator?;
        if leaves(&operator) {
            probed.extend_from_slice(&module[from..at]);
            probed.extend(PROBE);
            from = at;
        }
    }
    let last = body.range().end - 1;
    probed.extend_from_slice(&module[from..last]);
    if block.is_some() {
        probed.push(END);
    }
    probed.extend(PROBE);
    probed.push(END);
    Ok(probed)
}

/// Whether what comes next is another function.
fn leaves(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Call { .. }
            | Operator::CallIndirect { .. }
            | Operator::CallRef { .. }
            | Operator::Return
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::ReturnCallRef { .. }
    )
}

/// The byte of a block that leaves these results; of several there is none, and branches out pass no probe.
fn block_type(results: &[ValType]) -> Option<u8> {
    match results {
        [] => Some(0x40),
        [ValType::I32] => Some(0x7f),
        [ValType::I64] => Some(0x7e),
        [ValType::F32] => Some(0x7d),
        [ValType::F64] => Some(0x7c),
        [ValType::V128] => Some(0x7b),
        _ => None,
    }
}
