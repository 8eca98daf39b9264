//! What compiling a component would cost, counted before it is compiled. Must not judge what the code does.

use wasmparser::{Parser, Payload};

use crate::limits::Limits;

/// Checks a component that parses against the limits on functions.
///
/// # Errors
/// What there is too much of, and how much is allowed.
pub(crate) fn check(bytes: &[u8], limits: &Limits) -> Result<(), String> {
    let mut functions = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let Payload::CodeSectionEntry(body) = payload.map_err(|error| error.to_string())? else { continue };
        functions += 1;
        if functions > limits.functions_max {
            return Err(format!("it has more than {} functions", limits.functions_max));
        }
        let size = body.range().len();
        if size > limits.function_bytes_max {
            let most = limits.function_bytes_max;
            return Err(format!("a function has {size} bytes of code; at most {most} are allowed"));
        }
        let mut locals = 0_u64;
        for group in body.get_locals_reader().map_err(|error| error.to_string())? {
            locals += u64::from(group.map_err(|error| error.to_string())?.0);
        }
        if locals > u64::from(limits.function_locals_max) {
            let most = limits.function_locals_max;
            return Err(format!("a function has {locals} local variables; at most {most} are allowed"));
        }
    }
    Ok(())
}
