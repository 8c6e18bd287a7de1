//! Which memory a region may change: what must hold between two loads for them to give the same.
//!
//! Different bindings are different memory, and so are different variables: a caller may bind the same bytes twice only
//! where both bindings are read. A binding that no instruction of the kernel writes never changes during a run. A barrier
//! lets what other invocations wrote be seen: it changes all that the kernel writes, but for private memory.

use crate::ir::{Base, Inst, Kernel, Region};

/// Numbers the bindings and variables of a kernel, and holds what the kernel writes.
pub(super) struct Memories {
    bindings: usize,
    workgroup: usize,
    written: Vec<bool>,
}

impl Memories {
    pub fn new(kernel: &Kernel) -> Self {
        let (bindings, workgroup) = (kernel.bindings.len(), kernel.workgroup.len());
        let count = bindings + workgroup + kernel.private.len();
        // While nothing counts as written, a barrier adds nothing.
        let mut memories = Memories { bindings, workgroup, written: vec![false; count] };
        let mut written = vec![false; count];
        memories.each_write(&kernel.body, &mut |m| written[m] = true);
        memories.written = written;
        memories
    }

    /// Bindings and variables together.
    pub fn count(&self) -> usize {
        self.written.len()
    }

    /// The number of a binding or variable.
    pub fn number(&self, base: Base) -> usize {
        match base {
            Base::Binding(i) => i as usize,
            Base::Workgroup(i) => self.bindings + i as usize,
            Base::Private(i) => self.bindings + self.workgroup + i as usize,
        }
    }

    /// Whether anything in the kernel writes it.
    pub fn is_written(&self, base: Base) -> bool {
        self.written[self.number(base)]
    }

    /// Calls `f` with each memory that the instruction itself may change.
    pub fn writes(&self, inst: &Inst, f: &mut dyn FnMut(usize)) {
        match inst {
            // What an atomic load sees, others wrote.
            Inst::Store { place, .. } | Inst::Atomic { place, .. } => f(self.number(place.base)),
            Inst::Barrier { .. } => {
                (0..self.bindings + self.workgroup).filter(|m| self.written[*m]).for_each(f);
            }
            Inst::Op { .. } | Inst::Subgroup { .. } | Inst::If { .. } | Inst::Loop { .. } => {}
        }
    }

    /// Calls `f` with each memory that a region may change.
    pub fn each_write(&self, region: &Region, f: &mut dyn FnMut(usize)) {
        for inst in &region.insts {
            self.writes(inst, f);
            inst.regions().for_each(|r| self.each_write(r, f));
        }
    }
}
