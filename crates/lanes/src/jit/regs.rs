//! The registers that the allocator hands out.

use super::x64::{Gpr, Isa};
use regalloc2::{MachineEnv, PReg, PRegSet, RegClass};

/// Holds the context of the batch; never allocated.
pub(super) const CONTEXT: Gpr = Gpr(15);
/// Holds the loop iterations left; never allocated.
pub(super) const FUEL: Gpr = Gpr(14);

pub(super) const RAX: PReg = PReg::new(0, RegClass::Int);
pub(super) const RDX: PReg = PReg::new(2, RegClass::Int);

fn set(class: RegClass, numbers: impl Iterator<Item = usize>) -> PRegSet {
    numbers.fold(PRegSet::empty(), |set, n| set.with(PReg::new(n, class)))
}

/// The allocatable registers of an instruction set. Mask register 0 means "no mask" and is left out.
pub(super) fn environment(isa: Isa) -> MachineEnv {
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
