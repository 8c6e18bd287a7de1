//! Runs the code of a batch: masks, branches, loops, fuel.

use super::{
    code::{Code, Node},
    machine::{Ctx, Ins, NO_MASK, RunState, W},
    vector::leveled,
};
use crate::{analysis::uniformity::BatchShape, run::batch::Batch};
use naga::Span;
use std::sync::atomic::Ordering::Relaxed;

/// Why a batch ended early.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stop {
    /// It made more loop iterations than its fuel allows.
    Fuel {
        /// Of the loops that it was in, the one that had made most iterations.
        span: Span,
        /// How many.
        trips: u64,
    },
    /// A barrier, at a place of the source, was reached by a part of the work-group.
    Barrier(Span),
    /// Another batch failed.
    Cancelled,
}

/// A cache line: the unit and alignment of a thread's memories.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u8; 64]);

/// The memories of a thread, reused from batch to batch.
pub(crate) struct Scratch {
    registers: Vec<Line>,
    workgroup: Vec<Line>,
    private: Vec<Line>,
    local: [Vec<u32>; 3],
}

impl Scratch {
    /// Memories for a code, with its constants in place.
    pub(crate) fn new(code: &Code, shape: BatchShape, size: [u32; 3]) -> Self {
        let lines = |bytes: usize| vec![Line([0; 64]); bytes.div_ceil(64)];
        let mut registers = lines(code.register_bytes);
        let base: *mut u8 = registers.as_mut_ptr().cast();
        for &(slot, bits, bytes) in &code.constants {
            let slot = base.wrapping_add(slot as usize);
            // SAFETY: a constant's slot is a scalar slot of the register file, 8 bytes and aligned.
            unsafe {
                match bytes {
                    8 => slot.cast::<u64>().write(bits),
                    _ => slot.cast::<u32>().write(bits as u32),
                }
            }
        }
        let lanes = if shape == BatchShape::Group { code.capacity as u64 } else { 0 };
        let [x, y] = [u64::from(size[0]), u64::from(size[1])];
        let local = [
            (0..lanes).map(|l| (l % x) as u32).collect(),
            (0..lanes).map(|l| (l / x % y) as u32).collect(),
            (0..lanes).map(|l| (l / (x * y)) as u32).collect(),
        ];
        Scratch { registers, workgroup: lines(code.workgroup_bytes), private: lines(code.private_bytes), local }
    }

    /// Runs one batch.
    ///
    /// # Errors
    /// Why it ended early.
    pub(crate) fn run(&mut self, state: &RunState<'_>, batch: Batch) -> Result<(), Stop> {
        let code = state.code;
        self.workgroup.fill(Line([0; 64]));
        self.private.fill(Line([0; 64]));
        let mut cx = Ctx {
            run: state,
            regs: self.registers.as_mut_ptr().cast(),
            workgroup: self.workgroup.as_mut_ptr().cast(),
            private: self.private.as_mut_ptr().cast(),
            local: &self.local,
            batch,
            b0: 0,
            b1: batch.lanes.div_ceil(W),
            mask: NO_MASK,
            fuel: state.fuel,
        };
        debug_assert!(cx.b1 * W <= code.capacity);
        if !batch.lanes.is_multiple_of(W) {
            for block in 0..cx.b1 {
                let lanes = std::array::from_fn(|k| if block * W + k < batch.lanes { !0u32 } else { 0 });
                // SAFETY: the tail mask is a vector slot, and the batch fits the capacity.
                unsafe { cx.put(code.tail_mask, block, lanes) };
            }
            cx.mask = code.tail_mask;
        }
        // SAFETY: the scratch was made for this code; it was compiled for a level that the CPU has.
        unsafe { nodes(&mut cx, &code.body) }
    }
}

/// # Safety
/// The nodes belong to the code that the context runs.
unsafe fn nodes(cx: &mut Ctx<'_>, list: &[Node]) -> Result<(), Stop> {
    let code = cx.run.code;
    for node in list {
        // SAFETY: slots of nodes are slots of the code.
        unsafe {
            match node {
                Node::Run { start, end } => {
                    for ins in &code.ins[*start as usize..*end as usize] {
                        (ins.run)(cx, ins);
                    }
                }
                Node::Branch { cond, then, other } => {
                    let taken = if cx.scalar::<u32>(*cond) != 0 { then } else { other };
                    nodes(cx, taken)?;
                }
                Node::Diverge { cond, mask, then, other } => {
                    arm(cx, *cond, *mask, then, 0)?;
                    if !other.is_empty() {
                        arm(cx, *cond, *mask, other, !0)?;
                    }
                }
                Node::Repeat { body, again, span } => {
                    let mut trips = 0;
                    loop {
                        burn(cx, &mut trips).and_then(|()| nodes(cx, body)).map_err(|s| s.within(*span, trips))?;
                        if cx.scalar::<u32>(*again) == 0 {
                            break;
                        }
                    }
                }
                Node::While { body, again, mask, span } => {
                    let mut trips = 0;
                    diverging_loop(cx, body, *again, *mask, &mut trips).map_err(|s| s.within(*span, trips))?;
                }
                Node::Barrier { span } => barrier(cx, *span)?,
            }
        }
    }
    Ok(())
}

impl Stop {
    /// Names the loop around what ran out of fuel instead, if that had made more iterations.
    fn within(self, span: Span, trips: u64) -> Self {
        match self {
            Stop::Fuel { trips: inner, .. } if trips > inner => Stop::Fuel { span, trips },
            other => other,
        }
    }
}

/// Takes one loop iteration from the fuel and counts it. Wide batches pay more: their iterations take longer.
fn burn(cx: &mut Ctx<'_>, trips: &mut u64) -> Result<(), Stop> {
    *trips += 1;
    let charge = 1 + (cx.b1 - cx.b0) as u64 / 4;
    if cx.fuel < charge {
        return Err(Stop::Fuel { span: Span::UNDEFINED, trips: 0 });
    }
    cx.fuel -= charge;
    if cx.run.stop.load(Relaxed) {
        return Err(Stop::Cancelled);
    }
    Ok(())
}

/// Runs an arm of a branch for the lanes whose condition, exclusive-or `flip`, holds; skips it where none does.
///
/// # Safety
/// As for [`nodes`].
unsafe fn arm(cx: &mut Ctx<'_>, cond: u32, mask: u32, arm: &[Node], flip: u32) -> Result<(), Stop> {
    let outer = (cx.b0, cx.b1, cx.mask);
    // SAFETY: the caller's promise.
    let result = unsafe { if narrow(cx, cond, mask, flip) { nodes(cx, arm) } else { Ok(()) } };
    (cx.b0, cx.b1, cx.mask) = outer;
    result
}

/// Sets the mask slot to the live lanes whose condition (exclusive-or `flip`) holds and makes it the
/// execution mask, with `b0..b1` as the hull of its lanes. False if there are none.
///
/// # Safety
/// `cond` and `mask` are 4-byte vector slots.
unsafe fn narrow(cx: &mut Ctx<'_>, cond: u32, mask: u32, flip: u32) -> bool {
    let run = cx.run.code.narrow;
    // SAFETY: the caller's promise; the code was picked for a level that the CPU has.
    unsafe { run(cx, &Ins { run, d: mask, a: cond, b: 0, c: 0, x: flip }) };
    cx.b0 < cx.b1
}

leveled!(pub(super) fn pick_narrow = narrow_blocks [] []);

/// The code of [`narrow`]: mask `d`, condition `a`, flip `x`. Leaves `b0 == b1` if no lane is left.
#[inline(always)]
unsafe fn narrow_blocks(cx: &mut Ctx<'_>, i: &Ins) {
    let (mut first, mut last) = (usize::MAX, 0);
    let mut all = [!0; W];
    for block in cx.b0..cx.b1 {
        // SAFETY: the caller's promise; the blocks are the batch's.
        unsafe {
            let mut m = cx.mask_block(block);
            let c = cx.block::<u32>(i.a, block);
            let mut any = 0;
            for k in 0..W {
                m[k] &= c[k] ^ i.x;
                any |= m[k];
                all[k] &= m[k];
            }
            cx.put(i.d, block, m);
            if any != 0 {
                first = first.min(block);
                last = block + 1;
            }
        }
    }
    (cx.b0, cx.b1) = (first.min(last), last);
    cx.mask = if all == [!0; W] { NO_MASK } else { i.d };
}

/// # Safety
/// As for [`nodes`].
unsafe fn diverging_loop(cx: &mut Ctx<'_>, body: &[Node], again: u32, mask: u32, trips: &mut u64) -> Result<(), Stop> {
    let outer = (cx.b0, cx.b1, cx.mask);
    let result = loop {
        // SAFETY: the caller's promise.
        unsafe {
            if let Err(stop) = burn(cx, trips).and_then(|()| nodes(cx, body)) {
                break Err(stop);
            }
            if !narrow(cx, again, mask, 0) {
                break Ok(());
            }
        }
    };
    (cx.b0, cx.b1, cx.mask) = outer;
    result
}

/// A barrier: instructions run in lock step, so only its uniformity is checked.
fn barrier(cx: &Ctx<'_>, span: Span) -> Result<(), Stop> {
    if cx.mask == cx.run.code.tail_mask {
        return Ok(());
    }
    let mut live = 0;
    for block in cx.b0..cx.b1 {
        // SAFETY: the blocks are the batch's.
        live += unsafe { cx.mask_block(block) }.iter().filter(|m| **m != 0).count();
    }
    if live == cx.batch.lanes { Ok(()) } else { Err(Stop::Barrier(span)) }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}
