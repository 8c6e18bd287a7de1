//! How a program is prepared: which engine, how far arithmetic may be fused, how long loops may run.

use super::cache;
use crate::interp::Level;

/// What runs a kernel. All give the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// Machine code where the machine and the kernel allow it, else the interpreter.
    #[default]
    Auto,
    /// The vector interpreter with the loops of one instruction set (the machine's best if it lacks it).
    Interpreter(Level),
    /// Machine code for one instruction set, [`Level::Avx2`] or [`Level::Avx512`] (the machine's best if it
    /// lacks it). Where machine code cannot run, the interpreter does, and [`Program::fallback`] says why.
    ///
    /// [`Program::fallback`]: crate::Program::fallback
    Jit(Level),
}

/// Loop iterations that a batch of few lanes may make; wider ones pay more for each. An endless empty
/// loop ends within seconds, 10^8 iterations of one invocation do not run out.
pub(crate) const FUEL: u64 = 1 << 28;

/// How a [`Program`](crate::Program) is prepared.
///
/// ```
/// use evener_lanes::{Engine, Level, Settings};
/// let exact = Settings::default().contract(false).engine(Engine::Interpreter(Level::detect()));
/// # let _ = exact;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    pub(crate) engine: Engine,
    pub(crate) contract: bool,
    pub(crate) fuel: u64,
    pub(crate) past_from: u64,
}

impl Default for Settings {
    /// The best engine, contraction where the machine has a fused multiply-add, results past the caches from twice their
    /// size on.
    fn default() -> Self {
        let past_from = cache::last_level_bytes().map_or(u64::MAX, |bytes| bytes.saturating_mul(2).max(1));
        Settings { engine: Engine::Auto, contract: Level::detect() > Level::Baseline, fuel: FUEL, past_from }
    }
}

impl Settings {
    /// What runs the kernel.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Whether `a * b + c` may be computed with one rounding (WGSL allows it). It is the one switch for that:
    /// with it off, results do not depend on how an expression is fused.
    #[must_use]
    pub fn contract(mut self, contract: bool) -> Self {
        self.contract = contract;
        self
    }

    /// From how many bytes of results on machine code writes them past the caches: results of one call that its kernel
    /// stores, a vector of lanes side by side, and does not read. The bytes are the same; a call whose results are read
    /// soon is better off without where they fit a cache. [`u64::MAX`] for never.
    #[must_use]
    pub fn past_caches_from(mut self, bytes: u64) -> Self {
        self.past_from = bytes;
        self
    }

    /// A budget of loop iterations for a batch (an invocation or a few hundred). A loop that exceeds it ends
    /// with [`ErrorKind::OutOfFuel`](crate::ErrorKind::OutOfFuel).
    #[must_use]
    pub fn fuel(mut self, iterations: u64) -> Self {
        self.fuel = iterations;
        self
    }
}
