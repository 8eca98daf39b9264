//! The engine, and one fresh instance per call with every limit on. The only file that makes stores. Must not know what
//! a component is for.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZero;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use sha2::{Digest, Sha256};
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{
    Config, Enabled, Engine, FrameInfo, InstanceAllocationStrategy, PoolConcurrencyLimitError, PoolingAllocationConfig,
    ResourceLimiter, Store, Trap, WasmBacktraceDetails,
};

use crate::error::{CallFailure, HostError, clip};
use crate::grant::{MEMORY_BYTES_CEILING, TABLE_ELEMENTS_CEILING};
use crate::limits::{EPOCH_TICK, Limits};

/// How instances get their memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// From slots reserved in advance.
    Pooling,
    /// From the system, call by call: slower. Used where the pool could not be reserved.
    OnDemand {
        /// Why there is no pool.
        reason: String,
    },
}

/// What a sandboxed call cost, and what it wrote for its author.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) fuel: u64,
    pub(crate) memory_bytes: usize,
    pub(crate) log: Vec<String>,
}

/// A call that failed, and what it had spent by then.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) failure: CallFailure,
    pub(crate) spent: Spent,
}

/// Functions that are told of one point of a profile. A recursion that is deeper loses its outermost ones.
const PROFILE_FRAMES_MAX: usize = 200;

/// What calls are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// For the answer.
    Decide,
    /// For the answer, and to show its author where in the source it fails.
    Author,
    /// To see who uses fuel.
    Profile,
}

/// Where a call for a profile is stopped, and in which functions it then was.
#[derive(Default)]
struct Stop {
    fuel: Option<u64>,
    stack: Vec<String>,
}

/// The engine, and the limits of a component: those of the host, or raised. Cheap to clone; all share the engine.
#[derive(Clone)]
pub(crate) struct Sandbox {
    shared: Arc<Shared>,
    limits: Limits,
}

struct Shared {
    engine: Engine,
    permits: Permits,
    allocation: Allocation,
    engine_id: Arc<str>,
    /// Only for a profile, which makes one call at a time.
    stop: Mutex<Stop>,
    purpose: Purpose,
    _ticker: Ticker,
}

impl Sandbox {
    /// `calls_max` is how many calls may run at once; more wait.
    pub(crate) fn new(limits: Limits, calls_max: u32, pooling: bool, purpose: Purpose) -> Result<Self, HostError> {
        let (engine, allocation) = allocate(&limits, calls_max, pooling, purpose)?;
        let engine_id = Arc::from(engine_id(&engine));
        let ticker = Ticker::start(&engine)?;
        let (permits, stop) = (Permits::new(calls_max), Mutex::default());
        let shared = Shared { engine, permits, allocation, engine_id, stop, purpose, _ticker: ticker };
        Ok(Self { shared: Arc::new(shared), limits })
    }

    /// Another engine of the same kind.
    pub(crate) fn beside(&self, calls_max: u32) -> Result<Self, HostError> {
        let pooling = self.shared.allocation == Allocation::Pooling;
        Self::new(self.limits.clone(), calls_max, pooling, self.shared.purpose)
    }

    /// The same engine with other limits. INVARIANT: none is above its ceiling, which is what the pool is made for.
    pub(crate) fn with_limits(&self, limits: Limits) -> Self {
        Self { shared: Arc::clone(&self.shared), limits }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn allocation(&self) -> &Allocation {
        &self.shared.allocation
    }

    /// Names everything that fuel and results depend on beside the component and its input: wasmtime's version and
    /// settings, and what an instruction costs.
    pub(crate) fn engine_id(&self) -> &str {
        &self.shared.engine_id
    }

    /// The same, shared.
    pub(crate) fn engine_id_shared(&self) -> Arc<str> {
        Arc::clone(&self.shared.engine_id)
    }

    /// One call in a fresh instance, thrown away afterwards. INVARIANT: whatever the component does, this returns
    /// within the deadline, and the next call starts from nothing.
    pub(crate) fn call<T>(
        &self,
        component: &InstancePre<CallState>,
        run: impl FnOnce(&mut Store<CallState>, &Instance) -> wasmtime::Result<T>,
    ) -> Result<(T, Spent), Failed> {
        let permit = self.shared.permits.take(&self.limits);
        let _permit = permit.map_err(|failure| Failed { failure, spent: Spent::default() })?;
        let mut store = Store::new(&self.shared.engine, CallState::new(&self.limits));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(self.limits.answer_bytes_max);
        store.set_epoch_deadline(self.deadline_ticks());
        let fuel_max = self.fuel_max();
        let result = store.set_fuel(fuel_max).and_then(|()| component.instantiate(&mut store)).and_then(|instance| {
            store.data_mut().instantiated = true;
            run(&mut store, &instance)
        });
        let failure = result.as_ref().err().map(|error| self.failure(error, store.data()));
        if let (Purpose::Profile, Err(error)) = (self.shared.purpose, &result) {
            self.stop().stack = stack(error);
        }
        let fuel = fuel_max.saturating_sub(store.get_fuel().unwrap_or(0));
        let state = store.into_data();
        let spent = Spent { fuel, memory_bytes: state.limiter.memory_bytes, log: state.log.lines };
        match (result, failure) {
            (Ok(value), _) => Ok((value, spent)),
            (Err(_), failure) => {
                let failure = failure.unwrap_or(CallFailure::Trap { message: String::new() });
                Err(Failed { failure, spent })
            }
        }
    }

    fn fuel_max(&self) -> u64 {
        match self.shared.purpose {
            Purpose::Profile => self.stop().fuel.unwrap_or(self.limits.fuel_max),
            Purpose::Decide | Purpose::Author => self.limits.fuel_max,
        }
    }

    /// The next call of a profile stops once it has used so much fuel.
    pub(crate) fn stop_at(&self, fuel: u64) {
        *self.stop() = Stop { fuel: Some(fuel), stack: Vec::new() };
    }

    /// The functions that the last call of a profile was in when it stopped, the outermost first. None if it did not.
    pub(crate) fn stopped_in(&self) -> Vec<String> {
        std::mem::take(&mut self.stop().stack)
    }

    fn stop(&self) -> MutexGuard<'_, Stop> {
        // What a thread that panicked has left is written over before the next call.
        self.shared.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deadline_ticks(&self) -> u64 {
        /// So far away that adding it to the current epoch cannot overflow, and that nobody will see it.
        const NEVER: u64 = u64::MAX / 4;
        let ticks = self.limits.deadline.as_nanos().div_ceil(EPOCH_TICK.as_nanos());
        // The current tick has begun already.
        u64::try_from(ticks).unwrap_or(NEVER).min(NEVER) + 1
    }

    /// INVARIANT: bounded work. The error itself is never put into words: its backtrace carries names of the guest's
    /// own choosing.
    fn failure(&self, error: &wasmtime::Error, state: &CallState) -> CallFailure {
        let limits = &self.limits;
        if error.is::<LogFlood>() {
            return CallFailure::LogFlood { log_lines_max: limits.log_lines_max };
        }
        if error.is::<MemoryPressure>() {
            return CallFailure::Busy { why: "the machine is short of memory".into() };
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return CallFailure::Busy { why: "no sandbox is free".into() };
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => CallFailure::OutOfFuel { fuel_max: limits.fuel_max },
            Some(Trap::Interrupt) => {
                CallFailure::Busy { why: format!("not done within {} ms", limits.deadline.as_millis()) }
            }
            // Whatever a component does when it gets no memory, this is why.
            _ if state.limiter.denied => CallFailure::OutOfMemory { memory_bytes_max: limits.memory_bytes_max },
            Some(Trap::StackOverflow) => CallFailure::StackExhausted,
            Some(_) => CallFailure::Trap { message: trap_message(error) },
            // wasmtime keeps the type of this one to itself.
            None if error.root_cause().to_string().contains("fuel allocated for hostcalls") => {
                CallFailure::AnswerTooLarge { answer_bytes_max: limits.answer_bytes_max }
            }
            // Without a trap it was the instance that could not be made: no fault of the component's, which has been
            // instantiated before.
            None if !state.instantiated => CallFailure::Busy {
                why: format!("no sandbox could be made: {}", clip(&error.root_cause().to_string())),
            },
            None => CallFailure::Trap { message: trap_message(error) },
        }
    }
}

/// The machine, and not the limit, says that there is no more memory.
#[derive(Debug)]
struct MemoryPressure;

impl fmt::Display for MemoryPressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory could not be grown")
    }
}

impl std::error::Error for MemoryPressure {}

/// The reason and the innermost functions, without addresses that say nothing to an author; with lines of the source
/// where the engine reads them.
fn trap_message(error: &wasmtime::Error) -> String {
    const FRAMES_MAX: usize = 8;
    let mut message = clip(&error.root_cause().to_string());
    if let Some(trace) = error.downcast_ref::<wasmtime::WasmBacktrace>() {
        let mut places: Vec<Place> = trace.frames().iter().flat_map(places).collect();
        // How a panic ends the call is the same for all of them; what panicked is its last function.
        let innermost_own = places.iter().position(|place| !place.of_the_library).unwrap_or(0);
        places.drain(..innermost_own.saturating_sub(1));
        let mut names: Vec<String> = places.into_iter().map(|place| place.name).collect();
        // A recursion is one name.
        names.dedup();
        names.truncate(FRAMES_MAX);
        if !names.is_empty() {
            message.push_str(&format!(", in {}", names.join(" < ")));
        }
    }
    message
}

/// Where a function was when it trapped.
struct Place {
    /// The function's name and, where it is known, file and line.
    name: String,
    /// Of Rust's own library, as far as is known.
    of_the_library: bool,
}

/// The function of a frame, after those that the compiler has put inside of it.
fn places(frame: &FrameInfo) -> Vec<Place> {
    if frame.symbols().is_empty() {
        let name = frame.func_name().map(author_name);
        return name.map(|name| Place { name, of_the_library: false }).into_iter().collect();
    }
    let outermost = frame.symbols().len() - 1;
    let place = |(index, symbol): (usize, &wasmtime::FrameSymbol)| {
        // The component's own names are longer than those of its debug information.
        let own = frame.func_name().filter(|_| index == outermost);
        let name = own.or(symbol.name()).map_or_else(|| "?".to_string(), author_name);
        match (symbol.file(), symbol.line()) {
            (Some(file), Some(line)) => {
                let library = library_file(file);
                let shown = clip(library.unwrap_or(file));
                Place { name: format!("{name} ({shown}:{line})"), of_the_library: library.is_some() }
            }
            _ => Place { name, of_the_library: false },
        }
    };
    frame.symbols().iter().enumerate().map(place).collect()
}

/// A file of Rust's own library, which is below a folder named after the compiler.
fn library_file(file: &str) -> Option<&str> {
    file.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest)
}

/// The functions of a backtrace, the outermost first.
fn stack(error: &wasmtime::Error) -> Vec<String> {
    let Some(trace) = error.downcast_ref::<wasmtime::WasmBacktrace>() else { return Vec::new() };
    let name = |frame: &FrameInfo| match frame.func_name() {
        Some(name) => author_name(name),
        None => format!("function {}", frame.func_index()),
    };
    trace.frames().iter().rev().map(name).collect()
}

/// A function's name as its author wrote it, without the hash of a Rust symbol. A long one is not looked into: names
/// are the guest's, and demangling can make a book of a line.
fn author_name(name: &str) -> String {
    const MANGLED_BYTES_MAX: usize = 256;
    match rustc_demangle::try_demangle(name) {
        Ok(demangled) if name.len() <= MANGLED_BYTES_MAX => clip(&format!("{demangled:#}")),
        _ => clip(name),
    }
}

/// The fastest allocation that this machine gives.
fn allocate(
    limits: &Limits,
    calls_max: u32,
    pooling: bool,
    purpose: Purpose,
) -> Result<(Engine, Allocation), HostError> {
    let engine = |pool| engine(limits, pool, purpose);
    let mut reason = "asked for".to_string();
    if pooling {
        // Wiping kept pages pays only where the kernel can tell which ones were touched (Linux 6.7 and newer).
        let kept = engine(Some(pool(limits, calls_max, true)));
        match kept.or_else(|_| engine(Some(pool(limits, calls_max, false)))) {
            Ok(engine) => return Ok((engine, Allocation::Pooling)),
            // Most often the address space is too small for the reservations.
            Err(error) => reason = format!("{error:#}"),
        }
    }
    let engine = engine(None).map_err(|error| HostError::Engine(format!("{error:#}")))?;
    Ok((engine, Allocation::OnDemand { reason }))
}

fn engine(limits: &Limits, pool: Option<PoolingAllocationConfig>, purpose: Purpose) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    // Whatever the environment says.
    config.wasm_backtrace_details(match purpose {
        Purpose::Author => WasmBacktraceDetails::Enable,
        Purpose::Decide | Purpose::Profile => WasmBacktraceDetails::Disable,
    });
    if purpose == Purpose::Profile {
        config.wasm_backtrace_max_frames(NonZero::new(PROFILE_FRAMES_MAX));
    }
    config.wasm_component_model(true).concurrency_support(false);
    // The same request gives the same bytes and the same fuel, on every machine.
    config.cranelift_nan_canonicalization(true).wasm_relaxed_simd(false).consume_fuel(true);
    config.wasm_memory64(false).epoch_interruption(true).max_wasm_stack(limits.stack_bytes_max);
    match pool {
        Some(pool) => {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        }
        // Where the address space is too small for a pool, it may be too small for the four gigabytes that wasmtime
        // reserves for a memory; what a memory may have is enough, at the price of checked accesses.
        None => {
            config.memory_reservation(limits.memory_bytes_max as u64).memory_reservation_for_growth(0);
            config.memory_guard_size(64 << 10);
        }
    }
    Engine::new(&config)
}

fn pool(limits: &Limits, calls_max: u32, keep_resident: bool) -> PoolingAllocationConfig {
    /// A component is its own module and a few small ones that adapt it; one of another language can have dozens.
    const CORE_INSTANCES_PER_CALL: u32 = 64;
    const MEMORIES_PER_CALL: u32 = 4;
    const TABLES_PER_CALL: u32 = 4;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls_max)
        .total_core_instances(calls_max.saturating_mul(CORE_INSTANCES_PER_CALL))
        .max_core_instances_per_component(CORE_INSTANCES_PER_CALL)
        .total_memories(calls_max.saturating_mul(MEMORIES_PER_CALL))
        .max_memories_per_component(MEMORIES_PER_CALL)
        .total_tables(calls_max.saturating_mul(TABLES_PER_CALL))
        .max_tables_per_component(TABLES_PER_CALL)
        // The limiter holds for all of them together; how they are spread over modules is the component's affair.
        .max_memories_per_module(MEMORIES_PER_CALL)
        .max_tables_per_module(TABLES_PER_CALL)
        // A slot is as large as any component may be granted, whatever most may have: for memories that is address space.
        .table_elements(limits.table_elements_max.max(ceiling(TABLE_ELEMENTS_CEILING)))
        .max_memory_size(limits.memory_bytes_max.max(ceiling(MEMORY_BYTES_CEILING)))
        .max_unused_warm_slots(calls_max);
    if keep_resident {
        pool.linear_memory_keep_resident(2 << 20).table_keep_resident(64 << 10).pagemap_scan(Enabled::Yes);
    }
    pool
}

fn ceiling(most: u64) -> usize {
    usize::try_from(most).unwrap_or(usize::MAX)
}

fn engine_id(engine: &Engine) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut sha = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut sha);
    sha.0.update(concat!("giftcard-host ", env!("CARGO_PKG_VERSION"), ", default fuel costs"));
    hex(&sha.0.finalize()[..16])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a store knows of its call.
pub(crate) struct CallState {
    limiter: Limiter,
    pub(crate) log: Log,
    instantiated: bool,
}

impl CallState {
    fn new(limits: &Limits) -> Self {
        Self {
            limiter: Limiter {
                memory_bytes: 0,
                memory_bytes_max: limits.memory_bytes_max,
                table_elements: 0,
                table_elements_max: limits.table_elements_max,
                denied: false,
            },
            log: Log {
                lines: Vec::new(),
                written: 0,
                bytes_left: limits.log_bytes_max,
                lines_max: limits.log_lines_max,
            },
            instantiated: false,
        }
    }
}

/// Sums over all memories and tables of a call; wasmtime's own limits hold for each one.
struct Limiter {
    memory_bytes: usize,
    memory_bytes_max: usize,
    table_elements: usize,
    table_elements_max: usize,
    denied: bool,
}

impl Limiter {
    fn grow(sum: &mut usize, max: usize, current: usize, desired: usize) -> bool {
        let grown = sum.saturating_add(desired.saturating_sub(current));
        if grown > max {
            return false;
        }
        *sum = grown;
        true
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = Self::grow(&mut self.memory_bytes, self.memory_bytes_max, current, desired);
        self.denied |= !allowed;
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // Past its own maximum a memory does not grow, and a component may live with that; the machine's shortage must
        // not become part of a decision.
        if error.is::<std::io::Error>() { Err(wasmtime::Error::new(MemoryPressure)) } else { Ok(()) }
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = Self::grow(&mut self.table_elements, self.table_elements_max, current, desired);
        self.denied |= !allowed;
        Ok(allowed)
    }
}

/// What a component wrote for its author.
pub(crate) struct Log {
    lines: Vec<String>,
    written: usize,
    bytes_left: usize,
    lines_max: usize,
}

/// Too many lines.
#[derive(Debug)]
pub(crate) struct LogFlood;

impl fmt::Display for LogFlood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many lines of log")
    }
}

impl std::error::Error for LogFlood {}

impl Log {
    /// Keeps the line as far as there is room. The text is the guest's: control characters are taken out.
    pub(crate) fn write(&mut self, level: &str, message: &str) -> Result<(), LogFlood> {
        self.written += 1;
        if self.written > self.lines_max {
            return Err(LogFlood);
        }
        if self.bytes_left > 0 {
            let mut line = format!("{level}: ");
            for c in message.chars().filter(|c| !c.is_control()) {
                if line.len() + c.len_utf8() > self.bytes_left {
                    break;
                }
                line.push(c);
            }
            self.bytes_left = self.bytes_left.saturating_sub(line.len());
            self.lines.push(line);
        }
        Ok(())
    }
}

/// Bounds how many calls run at once: a pool answers exhaustion with an error, waiting is up to us.
struct Permits {
    counts: Mutex<Counts>,
    given_back: Condvar,
}

struct Counts {
    free: u32,
    /// Waking nobody is a system call too.
    waiting: u32,
}

struct Permit<'a>(&'a Permits);

impl Permits {
    fn new(count: u32) -> Self {
        Self { counts: Mutex::new(Counts { free: count, waiting: 0 }), given_back: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // A number is never half changed, even if a holder panicked.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, limits: &Limits) -> Result<Permit<'_>, CallFailure> {
        let mut counts = self.lock();
        if counts.free == 0 {
            let start = Instant::now();
            counts.waiting += 1;
            while counts.free == 0 {
                let left = limits.wait_max.saturating_sub(start.elapsed());
                if left.is_zero() {
                    counts.waiting -= 1;
                    return Err(CallFailure::Busy { why: "all sandboxes are in use".into() });
                }
                counts = self.given_back.wait_timeout(counts, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            counts.waiting -= 1;
        }
        counts.free -= 1;
        Ok(Permit(self))
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut counts = self.0.lock();
        counts.free += 1;
        let somebody_waits = counts.waiting > 0;
        drop(counts);
        if somebody_waits {
            self.0.given_back.notify_one();
        }
    }
}

/// Moves the engine's epoch on, so that deadlines pass. Stops with the sandbox.
struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: &Engine) -> Result<Self, HostError> {
        let engine = engine.weak();
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("giftcard-epoch".into()).spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EPOCH_TICK) {
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        });
        Ok(Self { stop: Some(stop), thread: Some(thread.map_err(HostError::Thread)?) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(error: &wasmtime::Error, instantiated: bool) -> CallFailure {
        let sandbox = Sandbox::new(Limits::default(), 1, false, Purpose::Decide).unwrap();
        let state = CallState { instantiated, ..CallState::new(&Limits::default()) };
        sandbox.failure(error, &state)
    }

    #[test]
    fn a_machine_short_of_memory_is_busy_and_no_decision() {
        assert!(failure(&wasmtime::Error::new(MemoryPressure), true).is_busy());
        let no_instance = wasmtime::Error::new(std::io::Error::from(std::io::ErrorKind::OutOfMemory));
        assert!(failure(&no_instance, false).is_busy());
        assert!(!failure(&no_instance, true).is_busy());
        let mut limiter = CallState::new(&Limits::default()).limiter;
        let of_the_system = wasmtime::Error::new(std::io::Error::from(std::io::ErrorKind::OutOfMemory));
        assert!(limiter.memory_grow_failed(of_the_system).unwrap_err().is::<MemoryPressure>());
        assert!(limiter.memory_grow_failed(wasmtime::Error::msg("past its own maximum")).is_ok());
    }

    #[test]
    fn a_guests_names_are_not_worked_on() {
        // Demangled by the book, the first of these is longer than memory, and the second twice as long for each step.
        let itanium = format!("_Z1f1aI{}iiE", "iiES_IS0_S0_E".repeat(2_000));
        let legacy = format!("_ZN{}E", "1a".repeat(20_000));
        for name in [itanium.as_str(), legacy.as_str(), &"\u{1b}[2J".repeat(1_000), &"x".repeat(1 << 20)] {
            let shown = author_name(name);
            assert!(shown.chars().count() <= 1_300 && !shown.contains('\u{1b}'), "{shown}");
        }
        assert_eq!(author_name("_ZN17hostile_condition7recurse17h2b2408d0b2262d61E"), "hostile_condition::recurse");
    }

    #[test]
    fn a_deadline_without_end_is_no_overflow() {
        let limits = Limits { deadline: std::time::Duration::MAX, ..Limits::default() };
        assert_eq!(Sandbox::new(limits, 1, false, Purpose::Decide).unwrap().deadline_ticks(), u64::MAX / 4 + 1);
    }

    #[test]
    fn a_log_is_kept_up_to_its_bytes() {
        let mut log = CallState::new(&Limits { log_bytes_max: 20, ..Limits::default() }).log;
        for _ in 0..5 {
            log.write("info", "\u{1f512}\u{1b}\u{1f512}").unwrap();
        }
        assert!(log.lines.iter().map(String::len).sum::<usize>() <= 20, "{:?}", log.lines);
        assert_eq!(log.lines[0], "info: \u{1f512}\u{1f512}");
    }
}
