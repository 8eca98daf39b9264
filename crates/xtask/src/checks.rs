//! Checks beside the tests.

use anyhow::Result;

pub(crate) fn run_all() -> Result<()> {
    Ok(())
}
