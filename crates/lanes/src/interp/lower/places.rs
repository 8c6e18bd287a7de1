//! Loads, stores, atomics, and the proof that their places stay in their memory.

use super::Lower;
use crate::{
    interp::{
        atomics,
        code::{Access, Atomic, Index, Memory, Operand},
        memory,
        ops::{FromMask, ToMask},
        private, short, store,
        vector::pick1,
    },
    ir::{Base, Inst, Kernel, Len, Place, Step, Ty, Value, Variable},
};

impl Lower<'_> {
    pub(super) fn load(&mut self, d: u32, ty: Ty, uniform: bool, place: &Place) {
        let Some(access) = self.access(place, ty.bytes(), 1) else { return };
        let run = match access.memory {
            Memory::Private(_) => private::pick_load(ty.bytes(), self.level),
            _ if ty.is_memory_only() => short::pick_load(self.level, uniform),
            _ => memory::pick_load(ty.bytes(), self.level, uniform),
        };
        let x = self.accesses.len() as u32;
        self.accesses.push(access);
        self.emit(run, d, [0; 3], x);
        if ty == Ty::Bool {
            let run = pick1::<ToMask<u32>>(self.level, uniform);
            self.emit(run, d, [d, 0, 0], 0);
        }
    }

    pub(super) fn store(&mut self, place: &Place, value: Value) {
        let ty = self.kernel.ty(value);
        let Some(access) = self.access(place, ty.bytes(), 1) else { return };
        let mut from = self.vector(value, 0);
        if ty == Ty::Bool {
            let run = pick1::<FromMask>(self.level, false);
            let to = self.temporary(1);
            self.emit(run, to, [from, 0, 0], 0);
            from = to;
        }
        let run = match access.memory {
            Memory::Private(_) => private::pick_store(ty.bytes(), self.level),
            _ if ty.is_memory_only() => short::pick_store(self.level),
            _ => store::pick_store(ty.bytes(), self.level),
        };
        let x = self.accesses.len() as u32;
        self.accesses.push(access);
        self.emit(run, 0, [from, 0, 0], x);
    }

    pub(super) fn atomic(&mut self, inst: &Inst) {
        let Inst::Atomic { dst, op, place, value, compare, .. } = inst else { return };
        let ty = self.kernel.ty(*value);
        let Some(access) = self.access(place, ty.bytes(), ty.bytes()) else { return };
        let dst = dst.filter(|d| self.slots.is_live(*d));
        let uniform = dst.is_some_and(|d| self.is_uniform(d));
        let Some(run) = atomics::pick(ty, uniform).filter(|_| !matches!(access.memory, Memory::Private(_))) else {
            return self.fail(format!("atomic {op:?} of {ty:?} in {:?}", place.base));
        };
        let operand = |l: &Self, v: Value| {
            let (slot, uniform) = l.place_of(v);
            Operand { slot, uniform }
        };
        let value = operand(self, *value);
        let compare = compare.map_or(value, |v| operand(self, v));
        let dst = dst.map(|d| self.slot(d));
        let x = self.atomics.len() as u32;
        self.atomics.push(Atomic { access, op: *op, dst, value, compare });
        self.emit(run, dst.unwrap_or(0), [0; 3], x);
    }

    /// Lowers a place and proves that indices within their lengths stay within its base.
    fn access(&mut self, place: &Place, bytes: u32, align: u32) -> Option<Access> {
        if let Err(why) = check_place(self.kernel, place, bytes, align) {
            self.fail(why);
            return None;
        }
        let at =
            |sizes: &[Variable], i: u32| sizes[..i as usize].iter().map(|v| v.bytes.next_multiple_of(8)).sum::<u32>();
        let memory = match place.base {
            Base::Binding(i) => Memory::Binding(i),
            Base::Workgroup(i) => Memory::Workgroup(at(&self.kernel.workgroup, i)),
            Base::Private(i) => Memory::Private(at(&self.kernel.private, i)),
        };
        let index = |s: &Step| Index {
            slot: self.slot(s.index),
            stride: s.stride.into(),
            len: match s.len {
                Len::Const(n) => Some(n),
                Len::Runtime => None,
            },
        };
        let (uniform, varying): (Vec<_>, Vec<_>) = place.steps.iter().partition(|s| self.is_uniform(s.index));
        Some(Access {
            memory,
            offset: place.offset.into(),
            uniform: uniform.into_iter().map(index).collect(),
            varying: varying.into_iter().map(index).collect(),
        })
    }
}

/// Whether an access of `bytes` stays in its base for all indices in bounds, at multiples of `align`.
fn check_place(kernel: &Kernel, place: &Place, bytes: u32, align: u32) -> Result<(), String> {
    let lost = || format!("an access path of kernel `{}` leaves {:?}", kernel.name, place.base);
    let (size, runtime) = match place.base {
        Base::Binding(i) => kernel.bindings.get(i as usize).map(|b| (b.fixed_bytes, b.runtime_stride)),
        Base::Workgroup(i) => kernel.workgroup.get(i as usize).map(|v| (v.bytes, None)),
        Base::Private(i) => kernel.private.get(i as usize).map(|v| (v.bytes, None)),
    }
    .ok_or_else(lost)?;
    let is_private = matches!(place.base, Base::Private(_));
    if is_private && bytes == 2 {
        return Err(format!("16 bits in private memory of kernel `{}`", kernel.name));
    }
    let align = if is_private { 4 } else { align };
    let mut end = u64::from(place.offset) + u64::from(bytes);
    let mut limit = u64::from(size);
    let mut aligned = place.offset.is_multiple_of(align);
    for step in &place.steps {
        aligned &= step.stride.is_multiple_of(align);
        match step.len {
            Len::Const(n) => {
                end = u64::from(n.saturating_sub(1))
                    .checked_mul(step.stride.into())
                    .and_then(|s| end.checked_add(s))
                    .ok_or_else(lost)?;
            }
            Len::Runtime if runtime == Some(step.stride) && limit == u64::from(size) => {
                // The index moves by whole elements: within the first it must stay within one.
                limit += u64::from(step.stride);
            }
            Len::Runtime => return Err(lost()),
        }
    }
    match (end <= limit, aligned) {
        (true, true) => Ok(()),
        (false, _) => Err(lost()),
        (_, false) => Err(format!("an access path of kernel `{}` is not a multiple of {align} bytes", kernel.name)),
    }
}
