//! What machine code asks Rust to do, lane by lane: rare operations, atomics.
//!
//! A request names the operation once, at compile time; operands and results pass through the
//! [`Area`] of the running code.

use super::context::Area;
use crate::{
    interp::atomics::Cell,
    ir::{AtomicOp, BinaryOp, Ty, UnaryOp, fold},
};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Request {
    /// Slot 1 = op slot 0, of a type.
    Unary(UnaryOp, Ty),
    /// Slot 2 = slot 0 op slot 1.
    Binary(BinaryOp, Ty),
    /// Slot 1 = slot 0 from one type to the other.
    Convert(Ty, Ty),
    /// Slot 3 = the old value; offsets in slot 0 (u32), value in 1, compare in 2.
    Atomic { op: AtomicOp, ty: Ty, shared: bool, used: bool },
}

/// Serves a request.
pub(crate) extern "sysv64" fn serve(area: *mut Area) {
    // SAFETY: machine code passes its own area, with a request index below the table's length.
    let area = unsafe { &mut *area };
    // SAFETY: as above; the table lives as long as the code.
    let request = unsafe { *area.requests.add(area.request as usize) };
    match request {
        Request::Unary(op, ty) => map(area, 1, ty, ty, |a, _| fold::unary(op, ty, a)),
        Request::Binary(op, ty) => {
            let result = if op.is_comparison() { Ty::Bool } else { ty };
            map(area, 2, ty, result, |a, b| fold::binary(op, ty, a, b));
        }
        Request::Convert(from, to) => map(area, 1, from, to, |a, _| fold::convert(from, to, a)),
        Request::Atomic { op, ty, shared, used } => match ty {
            Ty::U32 => atomic::<u32>(area, op, shared, used),
            Ty::I32 => atomic::<i32>(area, op, shared, used),
            Ty::U64 => atomic::<u64>(area, op, shared, used),
            Ty::I64 => atomic::<i64>(area, op, shared, used),
            Ty::F32 => atomic::<f32>(area, op, shared, used),
            _ => {}
        },
    }
}

/// Lanes of the widest vector.
const LANES: usize = 16;

fn get(slot: &[u64; 16], bytes: u32, lane: usize) -> u64 {
    match bytes {
        8 => slot[lane],
        _ => (slot[lane / 2] >> (32 * (lane % 2))) & 0xffff_ffff,
    }
}

fn put(slot: &mut [u64; 16], bytes: u32, lane: usize, value: u64) {
    match bytes {
        8 => slot[lane] = value,
        _ => {
            let shift = 32 * (lane % 2);
            slot[lane / 2] = slot[lane / 2] & !(0xffff_ffff << shift) | (value & 0xffff_ffff) << shift;
        }
    }
}

fn map(area: &mut Area, to: usize, from: Ty, result: Ty, f: impl Fn(u64, u64) -> Option<u64>) {
    for lane in 0..LANES {
        let a = get(&area.slots[0], from.bytes(), lane);
        // A shift's amount is 32 bits; its slot is widened by the code where the value has 64.
        let b = get(&area.slots[1], from.bytes(), lane);
        let value = f(a, b).unwrap_or(0);
        put(&mut area.slots[to], result.bytes(), lane, value);
    }
}

fn live(mask: u32) -> impl Iterator<Item = usize> {
    (0..LANES).filter(move |lane| mask >> lane & 1 == 1)
}

/// A lane's value as a cell.
fn cell<T: Cell>(slot: &[u64; 16], lane: usize) -> T {
    // SAFETY: the slot holds 16 elements of up to 8 bytes, and every bit pattern is a number.
    unsafe { slot.as_ptr().cast::<T>().add(lane).read() }
}

fn atomic<T: Cell>(area: &mut Area, op: AtomicOp, shared: bool, used: bool) {
    let offset = |area: &Area, lane: usize| get(&area.slots[0], 4, lane) as usize;
    let once = |base: *mut u8, at: usize, op: AtomicOp, value: T, compare: T| {
        let p = base.wrapping_add(at).cast::<T>();
        // SAFETY: the code masked off lanes out of bounds; buffers of atomics were checked for alignment.
        unsafe {
            if shared {
                return T::shared(p, op, value, compare);
            }
            let old = p.read();
            if let Some(new) = T::apply(op, old, value, compare) {
                p.write(new);
            }
            old
        }
    };
    let merge = match op {
        AtomicOp::Sub => Some(AtomicOp::Add),
        AtomicOp::Add | AtomicOp::Min | AtomicOp::Max | AtomicOp::And | AtomicOp::Or | AtomicOp::Xor => Some(op),
        _ => None,
    };
    if let (Some(merge), false, true) = (merge, used, T::MERGES) {
        // Neighbouring lanes with one address need one operation: their order cannot be seen.
        let mut pending: Option<(usize, T)> = None;
        for lane in live(area.mask) {
            let (at, value) = (offset(area, lane), cell::<T>(&area.slots[1], lane));
            pending = match pending {
                Some((same, sum)) if same == at => Some((at, T::apply(merge, sum, value, value).unwrap_or(sum))),
                Some((other, sum)) => {
                    once(area.base, other, op, sum, sum);
                    Some((at, value))
                }
                None => Some((at, value)),
            };
        }
        if let Some((at, sum)) = pending {
            once(area.base, at, op, sum, sum);
        }
        return;
    }
    area.slots[3] = [0; 16];
    for lane in live(area.mask) {
        let (value, compare) = (cell::<T>(&area.slots[1], lane), cell::<T>(&area.slots[2], lane));
        let old = once(area.base, offset(area, lane), op, value, compare);
        // SAFETY: the slot holds 16 elements of up to 8 bytes.
        unsafe { area.slots[3].as_mut_ptr().cast::<T>().add(lane).write(old) };
    }
}
