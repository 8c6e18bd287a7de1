//! Values that a loop only reads, kept in memory while it runs.
//!
//! What is made before a loop and read in it takes a register through all of it. Where registers are short, such
//! values are stored in the frame before the loop, and the instructions that need them read them there: most can at no
//! cost, where the register allocator would move values to and fro in each iteration.

use super::{Entry, Lower, Val};
use crate::{
    ir::{Inst, Param, Region, Ty, Value},
    jit::{
        mir::{Address, From, Src},
        pressure::{self, Carried},
        x64::{Isa, VOp},
    },
};
use regalloc2::VReg;
use std::collections::HashMap;

/// A value and what it was before the loop.
pub(super) type Parked = (Value, Option<Entry>);

impl<'k> Lower<'k> {
    /// Stores values that a loop only reads, the least read first, until the others fit the registers; to be given to
    /// [`unpark`](Self::unpark) after the loop.
    pub(super) fn park(&mut self, params: &'k [Param], body: &'k Region, again: Value) -> Vec<Parked> {
        // Some are for constants and for what is the same in all lanes.
        let (registers, mask) = match self.isa {
            Isa::Avx512 => (24, 0),
            Isa::Avx2 => (10, 1),
        };
        let l = (params, body, again);
        let need = pressure::of_loop(self.kernel, self.classes(), l, mask, Carried::Twice) * self.parts;
        let mut short = need.saturating_sub(registers);
        if short == 0 {
            return Vec::new();
        }
        let mut parked = Vec::new();
        for v in self.only_read(body) {
            let Some(registers) = self.registers_of(v) else { continue };
            if short == 0 {
                break;
            }
            short = short.saturating_sub(registers.len());
            let sources = registers.into_iter().map(|r| self.in_frame(r)).collect();
            let entry = Entry { val: Val::Memory(sources), splat: None, parts: None };
            parked.push((v, self.env[v.index()].replace(entry)));
        }
        parked
    }

    /// Before a loop of many vectors, stores the results of loops before it that it does not read: `finished`, to which its
    /// own are added.
    pub(super) fn put_aside(&mut self, inst: &'k Inst, finished: &mut Vec<Value>) {
        let Inst::Loop { params, body, again, .. } = inst else { return };
        if !finished.is_empty() {
            let (registers, mask) = pressure::registers(self.isa);
            let need = pressure::of_loop(self.kernel, self.classes(), (params, body, *again), mask, Carried::Once);
            let used = pressure::reads_of(inst);
            let idle = finished.iter().filter(|v| !used.contains(v));
            let idle: Vec<(Value, Vec<VReg>)> = idle.filter_map(|v| Some((*v, self.registers_of(*v)?))).collect();
            if need * self.parts + idle.iter().map(|(_, r)| r.len()).sum::<usize>() > registers {
                for (v, registers) in idle {
                    let sources = registers.into_iter().map(|r| self.in_frame(r)).collect();
                    self.env[v.index()] = Some(Entry { val: Val::Memory(sources), splat: None, parts: None });
                }
            }
        }
        finished.extend(params.iter().map(|p| p.result));
    }

    /// Gives values their registers back.
    pub(super) fn unpark(&mut self, parked: Vec<Parked>) {
        for (v, entry) in parked {
            self.env[v.index()] = entry;
        }
    }

    /// Values made before a loop that its body reads, the least read first.
    fn only_read(&self, body: &Region) -> Vec<Value> {
        let mut reads: HashMap<Value, u32> = HashMap::new();
        count_reads(body, 1, &mut reads);
        let mut known: Vec<(u32, Value)> =
            reads.into_iter().filter(|(v, _)| self.env[v.index()].is_some()).map(|(v, count)| (count, v)).collect();
        known.sort_unstable();
        known.into_iter().map(|(_, v)| v).collect()
    }

    /// The vectors of a value that is no Bool.
    fn registers_of(&self, v: Value) -> Option<Vec<VReg>> {
        match &self.env[v.index()] {
            Some(Entry { val: Val::Parts(r), .. }) if self.ty(v) != Ty::Bool => Some(r.clone()),
            Some(Entry { val: Val::Splat(r), .. }) => Some(vec![*r]),
            _ => None,
        }
    }

    fn in_frame(&mut self, r: VReg) -> Src {
        let at = Address::at(From::Frame(self.f.parked), 0);
        self.f.parked += 1;
        self.store_vector(VOp::MovupsSt, r, at, None);
        Src::Mem(at)
    }
}

/// Counts how often a region reads values, more in inner loops, and not in branches that are hardly ever taken.
fn count_reads(region: &Region, weight: u32, reads: &mut HashMap<Value, u32>) {
    for inst in &region.insts {
        inst.operands(|v| *reads.entry(v).or_default() += weight);
        match inst {
            Inst::If { span, .. } if !span.is_defined() => {}
            Inst::Loop { body, .. } => count_reads(body, weight.saturating_mul(8), reads),
            inst => inst.regions().for_each(|r| count_reads(r, weight, reads)),
        }
    }
}
