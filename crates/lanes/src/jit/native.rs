//! Compiled kernels and how they are run.

use super::{
    OUT_OF_FUEL, class::Classes, context::Context, emit, fission, helper, lower::Lower, memory::ExecutableMemory,
    prepare, pressure, regs, shape::Shape, x64::Isa,
};
use crate::{
    analysis::uniformity::BatchShape,
    interp::{Level, exec::Stop},
    ir::{BarrierScope, Inst, Kernel, Region},
    math, passes,
    run::{batch::Batch, tiles::Call},
};
use naga::Span;

/// Lanes of a batch along a row: enough that what is done once a batch costs nothing.
const ROW_LANES: usize = 1 << 14;
/// Lanes of a batch of any invocations.
const LINEAR_LANES: usize = 512;

/// Machine code of a kernel for one batch shape.
pub(crate) struct Native {
    code: ExecutableMemory,
    /// What the code asks of helpers; the code holds its address.
    _requests: Box<[helper::Request]>,
    shape: BatchShape,
    size: [u32; 3],
    workgroup_bytes: usize,
    private_bytes: usize,
    slot_bytes: usize,
    /// The loop of each status from [`OUT_OF_FUEL`] on.
    loops: Vec<Span>,
    /// Lanes of a batch.
    pub(crate) capacity: usize,
    /// Lanes of a block.
    pub(crate) block: usize,
    /// Estimated time of a full batch in ns, loops guessed.
    pub(crate) batch_ns: f64,
}

impl Native {
    /// Compiles a kernel.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(crate) fn new(kernel: &Kernel, shape: BatchShape, level: Level) -> Result<Self, String> {
        let isa = match level {
            Level::Avx512 => Isa::Avx512,
            Level::Avx2 => Isa::Avx2,
            Level::Baseline => return Err("the machine has no AVX2".into()),
        };
        if let Some(what) = unknown(kernel) {
            return Err(format!("machine code has no {what} yet"));
        }
        let mut kernel = kernel.clone();
        prepare::rewrite_builtins(&mut kernel, shape);
        math::expand(&mut kernel);
        passes::number_values(&mut kernel);
        passes::hoist_invariants(&mut kernel);
        passes::remove_dead(&mut kernel);
        let one = one_part(&kernel, isa, shape);
        fission::divide_loops(&mut kernel, isa, &one);
        let blocks = block_shape(&kernel, isa, one);
        let mut lowered = Lower::run(&kernel, isa, blocks)?;
        let requests = std::mem::take(&mut lowered.requests).into_boxed_slice();
        let bytes = regs::allocate(&lowered.function, isa, |out| {
            emit::emit(&lowered.function, out, isa, &lowered.pool.bytes, requests.as_ptr().cast())
        })?;
        let code = ExecutableMemory::new(&bytes).map_err(|e| format!("no executable memory: {e}"))?;
        let capacity = match shape {
            BatchShape::Row => ROW_LANES,
            BatchShape::Linear => LINEAR_LANES,
            BatchShape::Group => kernel.group_invocations() as usize,
        };
        let workgroup_bytes = kernel.workgroup.iter().map(|v| v.bytes.next_multiple_of(8) as usize).sum();
        let block = blocks.lanes * blocks.parts;
        let blocks_of_batch = capacity.div_ceil(block) as f64;
        let batch_ns = 20.0 + blocks_of_batch * blocks.parts as f64 * cost(&kernel.body);
        Ok(Native {
            code,
            _requests: requests,
            shape,
            size: kernel.workgroup_size,
            workgroup_bytes,
            private_bytes: lowered.private_bytes,
            slot_bytes: lowered.slot_bytes,
            loops: lowered.loops,
            capacity,
            block,
            batch_ns,
        })
    }

    /// Whether the code works on registers and bindings alone.
    pub(crate) fn needs_no_memory(&self) -> bool {
        self.shape == BatchShape::Row && self.workgroup_bytes + self.private_bytes + self.slot_bytes == 0
    }
}

/// What a kernel has that is not compiled.
fn unknown(kernel: &Kernel) -> Option<&'static str> {
    fn meets(region: &Region) -> bool {
        region.insts.iter().any(|inst| match inst {
            Inst::Subgroup { .. } | Inst::Barrier { scope: BarrierScope::Subgroup, .. } => true,
            _ => inst.regions().any(meets),
        })
    }
    meets(&kernel.body).then_some("subgroup operations")
}

/// Parts times values up to which more than four parts are stacked, as code is written for each; a quarter of it for
/// parts side by side.
const MOST_WRITTEN: usize = 2000;

/// Operations that the machine sees at once of each of two parts: a third to a half of its reorder buffer.
const LOOKED_AHEAD: usize = 80;

/// A block of one vector.
fn one_part(kernel: &Kernel, isa: Isa, batch: BatchShape) -> Shape {
    let lanes = if isa == Isa::Avx512 { 16 } else { 8 };
    Shape { batch, lanes, parts: 1, size: kernel.workgroup_size, whole: false }
}

/// As many parts as the registers hold.
fn block_shape(kernel: &Kernel, isa: Isa, one: Shape) -> Shape {
    // Registers that so many parts may seem to need: what loops only read may lie in memory, and what stacked rows read
    // is often common to them.
    // Code longer than what the machine looks ahead: another part is worth values in memory (Black-Scholes 0.90 of the
    // hand-written AVX2 with two, 0.99 with three on an AMD EPYC).
    let three = if pressure::longest(&kernel.body) > LOOKED_AHEAD { 36 } else { 24 };
    let budgets = match isa {
        Isa::Avx512 => [(16, 36), (8, 36), (4, 36), (3, 36), (2, 40)],
        Isa::Avx2 => [(16, 0), (8, 18), (4, 18), (3, three), (2, 24)],
    };
    if pressure::is_scalar_bound(&kernel.body) || kernel.values.len() > 400 {
        return one;
    }
    let classes = Classes::new(kernel, &one, true);
    let live = pressure::pressure(kernel, &classes, usize::from(isa == Isa::Avx2)).max(1);
    let most = match one.batch {
        _ if one.may_stack() => MOST_WRITTEN / kernel.values.len().max(1),
        BatchShape::Row => (MOST_WRITTEN / 4 / kernel.values.len().max(1)).min(8),
        _ => 4,
    };
    let wanted = budgets.into_iter().find(|(parts, budget)| parts * live <= *budget && *parts <= most.max(4));
    one.with_parts(one.fitting_parts(kernel, wanted.map_or(1, |(parts, _)| parts)))
}

/// Estimated ns of a region for a vector of lanes, loops guessed.
fn cost(region: &Region) -> f64 {
    const TRIPS: f64 = 50.0;
    region
        .insts
        .iter()
        .map(|inst| match inst {
            Inst::Op { .. } | Inst::Store { .. } => 0.4,
            Inst::Atomic { .. } => 100.0,
            Inst::Subgroup { .. } => 6.0,
            Inst::Barrier { .. } => 2.0,
            Inst::If { then, other, .. } => 1.0 + cost(then) + cost(other),
            Inst::Loop { body, .. } => TRIPS * (0.5 + cost(body)),
        })
        .sum()
}

/// A cache line: the unit and alignment of a thread's memories.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u8; 64]);

/// Zeros for uniform loads out of bounds.
static ZEROS: [u64; 16] = [0; 16];

/// The memories of a thread, reused from batch to batch.
pub(crate) struct Scratch {
    workgroup: Vec<Line>,
    private: Vec<Line>,
    slots: Vec<Line>,
    ids: [Vec<u32>; 3],
}

impl Scratch {
    pub(crate) fn new(native: &Native) -> Self {
        let lines = |bytes: usize| vec![Line([0; 64]); bytes.div_ceil(64)];
        // Blocks read whole vectors past the last lane.
        let padded = native.capacity.next_multiple_of(16) + 64;
        let [x, y] = [native.size[0] as usize, native.size[1] as usize];
        let ids = match native.shape {
            BatchShape::Row => [const { Vec::new() }; 3],
            BatchShape::Linear => std::array::from_fn(|_| vec![0; padded]),
            BatchShape::Group => [
                (0..padded).map(|l| (l % x) as u32).collect(),
                (0..padded).map(|l| (l / x % y) as u32).collect(),
                (0..padded).map(|l| (l / (x * y)) as u32).collect(),
            ],
        };
        Scratch {
            workgroup: lines(native.workgroup_bytes),
            private: lines(native.private_bytes),
            slots: lines(native.slot_bytes),
            ids,
        }
    }

    /// Runs one batch.
    ///
    /// # Errors
    /// Why it ended early.
    pub(crate) fn run(&mut self, native: &Native, call: &Call<'_>, batch: &Batch) -> Result<(), Stop> {
        native.each_part(batch, |part| {
            self.workgroup.fill(Line([0; 64]));
            let first = match native.shape {
                BatchShape::Row => part.first.map(|x| x as u32),
                BatchShape::Group => std::array::from_fn(|a| (part.first[a] / u64::from(native.size[a])) as u32),
                BatchShape::Linear => {
                    for lane in 0..part.lanes {
                        let id = part.invocation(BatchShape::Linear, native.size, lane);
                        self.ids.iter_mut().zip(id).for_each(|(ids, id)| ids[lane] = id as u32);
                    }
                    [0; 3]
                }
            };
            let memories = Memories {
                workgroup: self.workgroup.as_mut_ptr().cast(),
                private: self.private.as_mut_ptr().cast(),
                slots: self.slots.as_mut_ptr().cast(),
                ids: std::array::from_fn(|a| self.ids[a].as_ptr()),
            };
            // SAFETY: the memories are those that the code was compiled for.
            unsafe { native.enter(call, part, first, &memories) }
        })
    }
}

/// Where the memories of a thread start.
struct Memories {
    workgroup: *mut u8,
    private: *mut u8,
    slots: *mut u8,
    ids: [*const u32; 3],
}

impl Native {
    /// Runs one batch of code that [needs no memory](Native::needs_no_memory): a short call waits for nothing else.
    ///
    /// # Errors
    /// Why it ended early.
    #[inline]
    pub(crate) fn run_alone(&self, call: &Call<'_>, batch: &Batch) -> Result<(), Stop> {
        assert!(self.needs_no_memory(), "code with memories is run with a scratch");
        let none = std::ptr::null_mut();
        let memories = Memories { workgroup: none, private: none, slots: none, ids: [std::ptr::null(); 3] };
        // SAFETY: the code uses none of the memories.
        self.each_part(batch, |part| unsafe { self.enter(call, part, part.first.map(|x| x as u32), &memories) })
    }

    /// Runs a batch in parts in whose rows ids do not wrap: the code counts on that.
    #[inline]
    fn each_part(&self, batch: &Batch, mut run: impl FnMut(&Batch) -> Result<(), Stop>) -> Result<(), Stop> {
        let room = (1 << 32) - (batch.first[0] & 0xffff_ffff);
        if self.shape != BatchShape::Row || batch.lanes as u64 <= room {
            return run(batch);
        }
        let (mut front, mut back) = (*batch, *batch);
        front.lanes = room as usize;
        back.lanes -= room as usize;
        back.first[0] += room;
        run(&front)?;
        run(&back)
    }

    /// Calls the code for a batch whose first ids are given.
    ///
    /// # Safety
    /// The memories are as large as the code was compiled for.
    #[inline]
    unsafe fn enter(&self, call: &Call<'_>, batch: &Batch, first: [u32; 3], memories: &Memories) -> Result<(), Stop> {
        let mut context = Context {
            first,
            lanes: batch.lanes as u32,
            groups: call.groups,
            rows: batch.rows,
            cached: u32::from(!call.past),
            fuel: call.fuel,
            outer_fuel: call.fuel,
            bound: call.bound.as_ptr(),
            workgroup: memories.workgroup,
            private: memories.private,
            slots: memories.slots,
            ids: memories.ids,
            zeros: ZEROS.as_ptr().cast(),
            helper: helper::serve,
        };
        // SAFETY: the code was compiled for this signature and a CPU of this level; the context holds the memories it
        // was compiled for, and it tests every index before it touches a binding.
        let status = unsafe {
            let run: unsafe extern "sysv64" fn(*mut Context) -> u32 = std::mem::transmute(self.code.ptr());
            run(&mut context)
        };
        if call.past {
            // What the code stored is seen before anybody is told that it has ended.
            // SAFETY: every x86-64 has the instruction.
            unsafe { std::arch::x86_64::_mm_sfence() };
        }
        let Some(out_of_fuel) = status.checked_sub(OUT_OF_FUEL) else { return Ok(()) };
        let span = self.loops.get(out_of_fuel as usize).copied().unwrap_or_default();
        Err(Stop::Fuel { span, trips: 0 })
    }
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Native").field("shape", &self.shape).field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
