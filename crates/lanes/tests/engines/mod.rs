//! The engines of this machine: every test of results runs on each.

#![allow(dead_code, reason = "not every test uses all of it")]

use evener_lanes::{Engine, Level};

/// The interpreter's levels, then machine code for each instruction set.
pub fn engines() -> Vec<Engine> {
    let native = Level::available().filter(|l| *l > Level::Baseline && cfg!(target_arch = "x86_64"));
    Level::available().map(Engine::Interpreter).chain(native.map(Engine::Jit)).collect()
}

/// The best interpreter, and machine code for each instruction set.
pub fn best_engines() -> Vec<Engine> {
    let best = Engine::Interpreter(Level::detect());
    [best].into_iter().chain(engines().into_iter().filter(|e| matches!(e, Engine::Jit(_)))).collect()
}
