//! Randomness of the operating system: the one place that asks for it. Everything else takes it as a parameter.

use std::convert::Infallible;

use rand::{TryCryptoRng, TryRng};

/// The operating system's randomness, for keys, nonces and codes.
#[derive(Clone, Debug)]
pub struct SystemRandom(());

/// The operating system has no randomness to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random numbers")]
pub struct NoRandomness(#[source] getrandom::Error);

impl SystemRandom {
    /// Opens it, and draws once, so that a system without randomness is found out here.
    ///
    /// # Errors
    /// [`NoRandomness`] where there is none, as in a sandbox that forbids the call.
    pub fn open() -> Result<Self, NoRandomness> {
        getrandom::u64().map_err(NoRandomness)?;
        Ok(Self(()))
    }
}

impl TryRng for SystemRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        // Going on without would make guessable keys and codes.
        getrandom::fill(bytes).expect("INVARIANT: randomness that was there at the start stays");
        Ok(())
    }
}

impl TryCryptoRng for SystemRandom {}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn the_system_gives_something_else_each_time() {
        let mut random = SystemRandom::open().unwrap();
        let mut draw = || (random.next_u64(), random.next_u32());
        assert_ne!(draw(), draw());
    }
}
