//! The x86-64 JIT: lane IR to AVX-512 or AVX2 machine code.
//!
//! [`prepare`] rewrites built-ins, [`fission`] divides loops that carry too much, [`class`] says how values change over
//! a block of lanes ([`crossing`]: and not beyond a barrier), [`lower`] selects instructions ([`mir`]), [`seal`] puts
//! blocks in order, regalloc2 gives registers, [`emit`] writes bytes with the encoder [`x64`], and [`memory`] makes
//! them executable. [`native`] runs the code batch by batch; [`helper`] is what it calls back.

mod class;
mod context;
mod crossing;
mod emit;
mod fission;
mod helper;
mod lower;
mod memory;
mod mir;
pub(crate) mod native;
mod pool;
mod prepare;
mod pressure;
mod regs;
mod seal;
mod shape;
mod x64;

/// What machine code returns when its first loop has used up the fuel; one more for each further loop.
const OUT_OF_FUEL: u32 = 1;
