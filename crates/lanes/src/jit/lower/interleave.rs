//! Arrays of structures: accesses to members of one element are made together.
//!
//! Where lanes are a constant distance apart and in bounds, loads read the memory of all lanes once and
//! shuffle ([`weave`](super::weave) with AVX-512, [`transpose`](super::transpose) with AVX2), and stores shuffle and
//! write it once. Elsewhere they share the lanes' offsets and masks.
//!
//! Loads are made where the first of them stands, stores where the last one does; nothing in between may touch
//! that memory.

use super::{
    Lower, Mode,
    address::{Reach, Rows},
    private::is_private,
};
use crate::{
    ir::{Base, Inst, Len as Count, Op, Place, Ty, Value},
    jit::{
        mir::{Address, From},
        x64::Isa,
    },
};
use regalloc2::VReg;

/// Instructions in which other members are looked for.
const NEAR: usize = 96;
/// Bytes that the members of a group span at most.
const WIDEST: u32 = 32;

/// Accesses to members of one element that are made together.
#[derive(Default)]
pub(super) struct Together<'k> {
    /// The load at hand and those that follow it.
    loads: Vec<(Value, &'k Place)>,
    /// Groups of stores whose last one has not been reached.
    stores: Vec<Stores<'k>>,
}

struct Stores<'k> {
    members: Vec<(&'k Place, Value)>,
    left: usize,
}

/// The members at hand of the elements of lanes that are a constant distance apart and in bounds.
pub(super) struct Members {
    /// The address that members' offsets count from, for lane 0 of part 0.
    pub(super) at: Address,
    /// Bytes from lane to lane, from part to part and from row to row.
    pub(super) lane: i32,
    pub(super) part: i32,
    pub(super) row: i32,
    /// Bytes of each member: 4 or 8.
    pub(super) bytes: i32,
    /// Where the members are, ascending.
    pub(super) offsets: Vec<i32>,
    /// What is known to be inside of each lane's element.
    pub(super) inside: std::ops::Range<i32>,
}

impl Members {
    /// Bytes from the first member's start to the last one's end.
    fn span(&self) -> i32 {
        let first = self.offsets.first().copied().unwrap_or(0);
        self.offsets.last().map_or(0, |last| last + self.bytes - first)
    }
}

/// Whether two accesses are of different members of one element of each lane: then no two lanes' overlap.
fn are_members(a: &Place, a_bytes: u32, b: &Place, b_bytes: u32) -> bool {
    let stride = a.steps.iter().map(|s| s.stride).min().unwrap_or(0);
    let (low, high, low_bytes, high_bytes) =
        if a.offset <= b.offset { (a, b, a_bytes, b_bytes) } else { (b, a, b_bytes, a_bytes) };
    let end = (low.offset + low_bytes).max(high.offset + high_bytes);
    a.base == b.base && a.steps == b.steps && low.offset + low_bytes <= high.offset && end - low.offset <= stride
}

/// Whether accesses may touch the same memory, if not of the same lane then of others.
fn may_alias(a: &Place, a_bytes: u32, b: &Place, b_bytes: u32) -> bool {
    a.base == b.base && !are_members(a, a_bytes, b, b_bytes)
}

impl<'k> Lower<'k> {
    /// Finds the members that are accessed with the one at hand.
    pub(super) fn find_members(&mut self, inst: &'k Inst, after: impl Iterator<Item = &'k Inst>) {
        match inst {
            Inst::Op { dst, op: Op::Load(place), .. } if !is_private(place) && self.env[dst.index()].is_none() => {
                self.together.loads = self.loads_with(*dst, place, after);
            }
            Inst::Store { place, value, .. } if !is_private(place) && self.group_of(place).is_none() => {
                let members = self.stores_with(place, *value, after);
                self.together.stores.push(Stores { left: members.len(), members });
            }
            _ => {}
        }
    }

    fn bytes(&self, v: Value) -> u32 {
        self.ty(v).bytes()
    }

    fn loads_with(
        &self,
        dst: Value,
        place: &'k Place,
        after: impl Iterator<Item = &'k Inst>,
    ) -> Vec<(Value, &'k Place)> {
        let bytes = self.bytes(dst);
        let mut found = vec![(dst, place)];
        // Stores that stand before but wait for the last of their group come after these loads.
        let waiting = self.together.stores.iter().flat_map(|g| &g.members);
        let mut written: Vec<(&Place, u32)> = waiting.map(|(p, v)| (*p, self.bytes(*v))).collect();
        for inst in after.take(NEAR) {
            match inst {
                Inst::Op { dst, op: Op::Load(p), .. } => {
                    let fits = self.bytes(*dst) == bytes
                        && self.env[dst.index()].is_none()
                        && found.iter().all(|(_, f)| *f == p || are_members(f, bytes, p, bytes))
                        && !written.iter().any(|(w, n)| may_alias(w, *n, p, bytes));
                    if fits && span(found.iter().map(|(_, f)| *f), p, bytes) <= WIDEST {
                        found.push((*dst, p));
                    }
                }
                Inst::Op { .. } => {}
                Inst::Store { place: p, value, .. } => {
                    if may_alias(p, self.bytes(*value), place, bytes) {
                        break;
                    }
                    written.push((p, self.bytes(*value)));
                }
                _ => break,
            }
        }
        found
    }

    fn stores_with(
        &self,
        place: &'k Place,
        value: Value,
        after: impl Iterator<Item = &'k Inst>,
    ) -> Vec<(&'k Place, Value)> {
        let bytes = self.bytes(value);
        let mut found = vec![(place, value)];
        if bytes == 2 {
            return found;
        }
        for inst in after.take(NEAR) {
            let (p, n) = match inst {
                Inst::Op { dst, op: Op::Load(p), .. } => (p, self.bytes(*dst)),
                Inst::Op { .. } => continue,
                Inst::Store { place: p, value, .. } => (p, self.bytes(*value)),
                _ => break,
            };
            if found.iter().any(|(f, _)| may_alias(f, bytes, p, n)) {
                break;
            }
            if let Inst::Store { place: p, value, .. } = inst
                && p.base == place.base
                && n == bytes
                && self.group_of(p).is_none()
                && span(found.iter().map(|(f, _)| *f), p, bytes) <= WIDEST
            {
                found.push((p, *value));
            }
        }
        found
    }

    fn group_of(&self, place: &Place) -> Option<usize> {
        self.together.stores.iter().position(|g| g.members.iter().any(|(p, _)| std::ptr::eq(*p, place)))
    }

    /// The loads that are made with one, itself first.
    pub(super) fn take_loads(&mut self, dst: Value) -> Vec<(Value, &'k Place)> {
        // Loads that are made elsewhere than in their list come alone.
        let found = std::mem::take(&mut self.together.loads);
        if found.first().is_some_and(|(first, _)| *first == dst) { found } else { Vec::new() }
    }

    /// A store, or a part of one: the last of a group makes them all.
    pub(super) fn store_member(&mut self, place: &'k Place, value: Value) {
        let Some(i) = self.group_of(place) else { return self.store(place, value) };
        let group = &mut self.together.stores[i];
        let (first, alone) = (group.left == group.members.len(), group.members.len() == 1);
        group.left -= 1;
        let last = group.left == 0;
        if first {
            if alone && self.is_plain(place, value) {
                self.together.stores.remove(i);
                return self.store(place, value);
            }
            // What follows comes after a side effect, if not yet.
            if let Reach::Strided { .. } = self.reach(place) {
                self.test_all(place);
            }
            if !self.dirty {
                self.test_ahead();
            }
            self.dirty = true;
        }
        if last {
            let group = self.together.stores.remove(i);
            self.store_group(&group.members);
        }
    }

    /// Whether lanes lie side by side, or all at one place.
    fn is_plain(&self, place: &Place, value: Value) -> bool {
        match self.reach(place) {
            Reach::Uniform => true,
            Reach::Strided { lane, .. } => lane == i64::from(self.bytes(value)),
            Reach::Scattered => false,
        }
    }

    fn store_group(&mut self, stores: &[(&'k Place, Value)]) {
        let mut stores = stores.to_vec();
        stores.sort_by_key(|(p, _)| p.offset);
        let values: Vec<Vec<VReg>> = stores.iter().map(|(_, v)| self.stored(*v)).collect();
        let place = stores[0].0;
        let bytes = self.bytes(stores[0].1);
        let offsets: Vec<u32> = stores.iter().map(|(p, _)| p.offset).collect();
        if bytes > 2
            && let Some(members) = self.members(place, bytes, &offsets)
        {
            let done = match self.isa {
                Isa::Avx512 => self.store_woven(&members, &values),
                Isa::Avx2 => self.store_transposed(&members, &values),
            };
            if done {
                return;
            }
        }
        let reach = self.byte_offsets(place);
        let from: Vec<i32> = offsets.iter().map(|o| (o - offsets[0]) as i32).collect();
        self.scatter_members(bytes, &reach, &from, &values);
    }

    /// A value as memory holds it.
    pub(super) fn stored(&mut self, value: Value) -> Vec<VReg> {
        if self.ty(value) == Ty::Bool {
            let masks = self.masks(value);
            return self.one_where(false, &masks, 1);
        }
        self.vectors(value)
    }

    /// Members at ascending offsets of a place's element, if its lanes are a constant distance apart and tested.
    fn members(&mut self, place: &Place, bytes: u32, offsets: &[u32]) -> Option<Members> {
        let Reach::Strided { lane, part, row: Rows::Apart(row) } = self.reach(place) else { return None };
        if self.mode == Mode::Masked || self.bail.is_none() || !self.is_tested(place) || lane <= i64::from(bytes) {
            return None;
        }
        let inside = self.inside(place, bytes, offsets);
        let at = self.tested_address(place);
        let members = Members {
            at: at.plus(-(place.offset as i32)),
            lane: lane as i32,
            part: part as i32,
            row: row as i32,
            bytes: bytes as i32,
            offsets: offsets.iter().map(|o| *o as i32).collect(),
            inside: inside.start as i32..inside.end as i32,
        };
        (members.span() <= members.lane).then_some(members)
    }

    /// Bytes that are inside where these members are: the whole element of the innermost array, if it is known where
    /// the array starts.
    fn inside(&self, place: &Place, bytes: u32, offsets: &[u32]) -> std::ops::Range<u32> {
        let (min, max) = (offsets[0], offsets[offsets.len() - 1] + bytes);
        let [step] = place.steps.as_slice() else { return min..max };
        let binding = |i: u32| &self.kernel.bindings[i as usize];
        let start = match (place.base, step.len) {
            (Base::Binding(i), Count::Runtime) => Some(binding(i).fixed_bytes),
            (Base::Binding(i), Count::Const(n)) => {
                let b = binding(i);
                (b.runtime_stride.is_none() && n.checked_mul(step.stride) == Some(b.fixed_bytes)).then_some(0)
            }
            (Base::Workgroup(i), Count::Const(n)) => {
                (n.checked_mul(step.stride) == Some(self.kernel.workgroup[i as usize].bytes)).then_some(0)
            }
            _ => None,
        };
        match start {
            Some(start) if start <= min && max <= start + step.stride => start..start + step.stride,
            _ => min..max,
        }
    }

    /// Loads a place and others of its element where lanes are a constant distance apart and tested.
    pub(super) fn load_members(&mut self, dst: Value, place: &Place, found: &[(Value, &'k Place)]) -> bool {
        let bytes = self.bytes(dst);
        let (offsets, all) = sorted(dst, place, found);
        let Some(members) = self.members(place, bytes, &offsets) else { return false };
        let loaded = match self.isa {
            Isa::Avx512 => self.load_woven(&members),
            Isa::Avx2 => self.load_transposed(&members),
        };
        let Some(values) = loaded else { return false };
        for (v, i) in all {
            self.loaded(v, values[i].clone());
        }
        true
    }

    /// Gathers a place and others of its element.
    pub(super) fn gather_members(&mut self, dst: Value, place: &Place, found: &[(Value, &'k Place)]) {
        let (offsets, all) = sorted(dst, place, found);
        let from: Vec<i32> = offsets.iter().map(|o| (i64::from(*o) - i64::from(place.offset)) as i32).collect();
        let values = self.gather(self.ty(dst), place, &from);
        for (v, i) in all {
            self.loaded(v, values[i].clone());
        }
    }

    /// The address of the first member's vector of a part, or half of it.
    pub(super) fn member_address(&self, members: &Members, part: usize, half: usize) -> Address {
        let lanes = self.lane_count() as i32 * 4 / members.bytes;
        debug_assert!(matches!(members.at.base, From::Reg(_)));
        let [r, c] = self.shape().place(part).map(|n| n as i32);
        members.at.plus(r * members.row + c * members.part + half as i32 * lanes * members.lane)
    }
}

/// Bytes from the first to the last of some places and one more.
fn span<'a>(places: impl Iterator<Item = &'a Place>, one: &Place, bytes: u32) -> u32 {
    let (mut low, mut high) = (one.offset, one.offset);
    for p in places {
        low = low.min(p.offset);
        high = high.max(p.offset);
    }
    high - low + bytes
}

/// The offsets of loads, ascending, and for each value the number of its offset.
fn sorted(dst: Value, place: &Place, found: &[(Value, &Place)]) -> (Vec<u32>, Vec<(Value, usize)>) {
    let mut all: Vec<(Value, u32)> = found.iter().map(|(v, p)| (*v, p.offset)).collect();
    if all.is_empty() {
        all.push((dst, place.offset));
    }
    let mut offsets: Vec<u32> = all.iter().map(|(_, o)| *o).collect();
    offsets.sort_unstable();
    offsets.dedup();
    let numbered = all.iter().map(|(v, o)| (*v, offsets.partition_point(|x| x < o))).collect();
    (offsets, numbered)
}
