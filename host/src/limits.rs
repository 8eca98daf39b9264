//! What a call may cost, each limit a named constant that a platform can override. Must not know what is called.

use std::time::Duration;

/// Instructions of one call, in wasmtime's fuel. Deterministic: the same request always costs the same. About fifty
/// milliseconds of work; an order of 100 lines costs under a hundredth of it.
pub const FUEL_MAX: u64 = 50_000_000;

/// Wall-clock backstop of one call, for what fuel does not count. Past it the answer is busy, never a decision.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// How finely the deadline is watched.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);

/// Bytes of all linear memories of one call together.
pub const MEMORY_BYTES_MAX: usize = 16 << 20;

/// Elements of all tables of one call together.
pub const TABLE_ELEMENTS_MAX: usize = 20_000;

/// Bytes of WebAssembly stack. Belongs to the engine, not to a call. It is taken from the stack of the calling thread,
/// which must have this and another 256 KiB; the usual 2 MiB do.
pub const STACK_BYTES_MAX: usize = 256 << 10;

/// Bytes that one answer, or one line of log, may bring over from a component.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Bytes of a component's file.
pub const COMPONENT_BYTES_MAX: usize = 4 << 20;

/// Functions of a component. With the next two this bounds what compiling costs.
pub const FUNCTIONS_MAX: usize = 30_000;

/// Local variables of one function: compiling takes more than twice as long for twice as many.
pub const FUNCTION_LOCALS_MAX: u32 = 4_000;

/// Bytes of one function's code.
pub const FUNCTION_BYTES_MAX: usize = 256 << 10;

/// Bytes of log that are kept of one call; what comes after is dropped.
pub const LOG_BYTES_MAX: usize = 8 << 10;

/// Lines of log that one call may write before it counts as a flood and is stopped.
pub const LOG_LINES_MAX: usize = 1_000;

/// How long a call waits for a free sandbox before the answer is busy.
pub const WAIT_MAX: Duration = Duration::from_secs(1);

/// The limits of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`FUEL_MAX`].
    pub fuel_max: u64,
    /// See [`DEADLINE`].
    pub deadline: Duration,
    /// See [`MEMORY_BYTES_MAX`].
    pub memory_bytes_max: usize,
    /// See [`TABLE_ELEMENTS_MAX`].
    pub table_elements_max: usize,
    /// See [`STACK_BYTES_MAX`].
    pub stack_bytes_max: usize,
    /// See [`ANSWER_BYTES_MAX`].
    pub answer_bytes_max: usize,
    /// See [`COMPONENT_BYTES_MAX`].
    pub component_bytes_max: usize,
    /// See [`FUNCTIONS_MAX`].
    pub functions_max: usize,
    /// See [`FUNCTION_LOCALS_MAX`].
    pub function_locals_max: u32,
    /// See [`FUNCTION_BYTES_MAX`].
    pub function_bytes_max: usize,
    /// See [`LOG_BYTES_MAX`].
    pub log_bytes_max: usize,
    /// See [`LOG_LINES_MAX`].
    pub log_lines_max: usize,
    /// See [`WAIT_MAX`].
    pub wait_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel_max: FUEL_MAX,
            deadline: DEADLINE,
            memory_bytes_max: MEMORY_BYTES_MAX,
            table_elements_max: TABLE_ELEMENTS_MAX,
            stack_bytes_max: STACK_BYTES_MAX,
            answer_bytes_max: ANSWER_BYTES_MAX,
            component_bytes_max: COMPONENT_BYTES_MAX,
            functions_max: FUNCTIONS_MAX,
            function_locals_max: FUNCTION_LOCALS_MAX,
            function_bytes_max: FUNCTION_BYTES_MAX,
            log_bytes_max: LOG_BYTES_MAX,
            log_lines_max: LOG_LINES_MAX,
            wait_max: WAIT_MAX,
        }
    }
}
