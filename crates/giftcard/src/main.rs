//! The command line. Only starts it: see `cli`.

use std::process::ExitCode;

mod cli;

/// The system's has a handful of arenas that threads share, and half of what a thread waits for in a busy process is others at
/// them: see "Changing rules" in ARCHITECTURE.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
