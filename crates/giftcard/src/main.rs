//! The command line. Only starts it: see `cli`.

use std::process::ExitCode;

mod cli;

/// Hands out again what was last given back, which is still in the processor's cache, to each thread by itself: see
/// "Redemptions" in ARCHITECTURE.md.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::main()
}
