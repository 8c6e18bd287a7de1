//! The registers that the allocator hands out.

use super::{
    mir::Function,
    x64::{Gpr, Isa},
};
use regalloc2::{Ctx, MachineEnv, Output, PReg, PRegSet, RegClass, RegallocOptions, run_with_ctx};
use std::cell::RefCell;

thread_local! {
    /// The allocator's memory, used again by the next kernel that the thread compiles.
    static MEMORY: RefCell<Ctx> = RefCell::default();
}

/// Instructions of a function beyond which memory is given back.
const KEPT: usize = 10_000;

/// Holds the context of the batch; never allocated.
pub(super) const CONTEXT: Gpr = Gpr(15);
/// Holds the loop iterations left; never allocated.
pub(super) const FUEL: Gpr = Gpr(14);

pub(super) const RAX: PReg = PReg::new(0, RegClass::Int);
pub(super) const RDX: PReg = PReg::new(2, RegClass::Int);

fn set(class: RegClass, numbers: impl Iterator<Item = usize>) -> PRegSet {
    numbers.fold(PRegSet::empty(), |set, n| set.with(PReg::new(n, class)))
}

/// Gives registers to a function, and what `then` makes of it.
///
/// # Errors
/// Why that cannot be, or what `then` says.
pub(super) fn allocate<R>(
    f: &Function,
    isa: Isa,
    then: impl FnOnce(&Output) -> Result<R, String>,
) -> Result<R, String> {
    MEMORY.with_borrow_mut(|memory| {
        let out = run_with_ctx(f, &environment(isa), &RegallocOptions::default(), memory);
        let result = out.map_err(|e| format!("register allocation: {e:?}")).and_then(then);
        if f.kinds.len() > KEPT {
            *memory = Ctx::default();
        }
        result
    })
}

/// The allocatable registers of an instruction set. Mask register 0 means "no mask" and is left out.
fn environment(isa: Isa) -> MachineEnv {
    let general = (0..14).filter(|n| *n != 4);
    let vectors = if isa == Isa::Avx512 { 32 } else { 16 };
    let preferred = [set(RegClass::Int, general), set(RegClass::Float, 0..vectors), set(RegClass::Vector, 1..8)];
    MachineEnv {
        preferred_regs_by_class: preferred,
        non_preferred_regs_by_class: [PRegSet::empty(); 3],
        scratch_by_class: [None; 3],
        fixed_stack_slots: Vec::new(),
    }
}
