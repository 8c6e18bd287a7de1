//! Builds small kernels by hand and compares footprints with what really happens.
#![allow(dead_code, reason = "each test file uses a part")]

use evener_lanes::{
    Buffer, Engine, Program, Settings,
    analysis::{Analysis, BindingFootprint, CallShape, Footprint, Split, Strided, check},
    ir::*,
    run::{Grid, GroupRange},
};
use std::sync::Arc;

/// A kernel under construction.
pub struct Build {
    pub kernel: Kernel,
    stack: Vec<Vec<Inst>>,
}

pub const NO_SPAN: naga::Span = naga::Span::UNDEFINED;

impl Build {
    pub fn new(size: [u32; 3]) -> Self {
        Build {
            kernel: Kernel {
                name: "main".into(),
                source: "".into(),
                workgroup_size: size,
                bindings: Vec::new(),
                workgroup: Vec::new(),
                private: Vec::new(),
                values: Vec::new(),
                body: Region::default(),
            },
            stack: vec![Vec::new()],
        }
    }

    pub fn storage(&mut self, name: &str, stride: u32) -> u32 {
        self.binding(name, Space::Storage, 0, Some(stride))
    }

    pub fn uniform(&mut self, name: &str, bytes: u32) -> u32 {
        self.binding(name, Space::Uniform, bytes, None)
    }

    fn binding(&mut self, name: &str, space: Space, fixed_bytes: u32, runtime_stride: Option<u32>) -> u32 {
        let binding = self.kernel.bindings.len() as u32;
        let access = Access { read: space == Space::Uniform, ..Access::default() };
        self.kernel.bindings.push(Binding {
            name: name.into(),
            group: 0,
            binding,
            space,
            access,
            fixed_bytes,
            runtime_stride,
        });
        binding
    }

    pub fn value(&mut self, ty: Ty) -> Value {
        self.kernel.values.push(ty);
        Value(self.kernel.values.len() as u32 - 1)
    }

    pub fn push(&mut self, inst: Inst) {
        self.stack.last_mut().unwrap().push(inst);
    }

    pub fn op(&mut self, ty: Ty, op: Op) -> Value {
        let dst = self.value(ty);
        self.push(Inst::Op { dst, op, span: NO_SPAN });
        dst
    }

    pub fn c(&mut self, v: u32) -> Value {
        self.op(Ty::U32, Op::Const(v.into()))
    }

    pub fn gid(&mut self, axis: u8) -> Value {
        self.op(Ty::U32, Op::Builtin(Builtin::GlobalId(axis)))
    }

    pub fn builtin(&mut self, b: Builtin) -> Value {
        self.op(Ty::U32, Op::Builtin(b))
    }

    pub fn bin(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        let ty = if op.is_comparison() { Ty::Bool } else { self.kernel.ty(a) };
        self.op(ty, Op::Binary(op, a, b))
    }

    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.bin(BinaryOp::Add, a, b)
    }

    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.bin(BinaryOp::Sub, a, b)
    }

    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.bin(BinaryOp::Mul, a, b)
    }

    pub fn lt(&mut self, a: Value, b: Value) -> Value {
        self.bin(BinaryOp::Lt, a, b)
    }

    /// `a * width + b`.
    pub fn row_col(&mut self, row: Value, width: Value, col: Value) -> Value {
        let r = self.mul(row, width);
        self.add(r, col)
    }

    pub fn param(&mut self, uniform: u32, offset: u32) -> Value {
        let place = Place { base: Base::Binding(uniform), offset, steps: Vec::new() };
        self.op(Ty::U32, Op::Load(place))
    }

    pub fn place(&self, binding: u32, index: Value, offset: u32) -> Place {
        let stride = self.kernel.bindings[binding as usize].runtime_stride.unwrap();
        Place { base: Base::Binding(binding), offset, steps: vec![Step { index, stride, len: Len::Runtime }] }
    }

    pub fn load(&mut self, binding: u32, index: Value) -> Value {
        self.load_at(Ty::U32, binding, index, 0)
    }

    pub fn load_at(&mut self, ty: Ty, binding: u32, index: Value, offset: u32) -> Value {
        self.kernel.bindings[binding as usize].access.read = true;
        let place = self.place(binding, index, offset);
        self.op(ty, Op::Load(place))
    }

    pub fn store(&mut self, binding: u32, index: Value, value: Value) {
        self.store_at(binding, index, 0, value);
    }

    pub fn store_at(&mut self, binding: u32, index: Value, offset: u32, value: Value) {
        self.kernel.bindings[binding as usize].access.write = true;
        let place = self.place(binding, index, offset);
        self.push(Inst::Store { place, value, span: NO_SPAN });
    }

    /// An atomic whose result is not used.
    pub fn update(&mut self, op: AtomicOp, binding: u32, index: Value, offset: u32, value: Value) {
        self.kernel.bindings[binding as usize].access.atomic = true;
        let place = self.place(binding, index, offset);
        self.push(Inst::Atomic { dst: None, op, place, value, compare: None, span: NO_SPAN });
    }

    pub fn open(&mut self) {
        self.stack.push(Vec::new());
    }

    pub fn close(&mut self) -> Region {
        Region { insts: self.stack.pop().unwrap() }
    }

    pub fn region(&mut self, f: impl FnOnce(&mut Self)) -> Region {
        self.open();
        f(self);
        self.close()
    }

    pub fn when(&mut self, cond: Value, then: impl FnOnce(&mut Self)) {
        self.either(cond, then, |_| {});
    }

    pub fn either(&mut self, cond: Value, then: impl FnOnce(&mut Self), other: impl FnOnce(&mut Self)) {
        let (then, other) = (self.region(then), self.region(other));
        self.push(Inst::If { cond, then, other, phis: Vec::new(), span: NO_SPAN });
    }

    /// `for (var i = init; i < bound; i += step) { f(i) }`, as the front end lowers it.
    pub fn each(&mut self, init: Value, bound: Value, step: Value, f: impl FnOnce(&mut Self, Value)) {
        let (i, result, merged) = (self.value(Ty::U32), self.value(Ty::U32), self.value(Ty::U32));
        let mut again = None;
        let body = self.region(|b| {
            let cond = b.lt(i, bound);
            again = Some(cond);
            let mut next = None;
            let then = b.region(|b| {
                f(b, i);
                next = Some(b.add(i, step));
            });
            let phis = vec![Phi { dst: merged, then: next.unwrap(), other: i }];
            b.push(Inst::If { cond, then, other: Region::default(), phis, span: NO_SPAN });
        });
        let params = vec![Param { dst: i, init, next: merged, result }];
        self.push(Inst::Loop { params, body, again: again.unwrap(), span: NO_SPAN });
    }

    pub fn finish(mut self) -> Kernel {
        self.kernel.body = Region { insts: self.stack.pop().unwrap() };
        self.kernel
    }
}

/// A call with its buffers.
pub struct Case {
    pub kernel: Kernel,
    pub groups: [u32; 3],
    pub buffers: Vec<Vec<u8>>,
}

pub fn words(v: &[u32]) -> Vec<u8> {
    v.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// What is given to a check of one range.
pub type Flags = Vec<bool>;

fn flags(sets: &[Strided], len: usize) -> Flags {
    let mut out = vec![false; len];
    for set in sets {
        assert!(set.end() <= len as u64, "{set:?} leaves a buffer of {len} bytes");
        set.for_each_run(|r| out[r.start as usize..r.end as usize].fill(true));
    }
    out
}

/// Writes what a device has computed to the host.
fn download(footprint: &Footprint, memory: &[Vec<u8>], host: &mut [Vec<u8>]) {
    for ((touched, device), host) in footprint.bindings.iter().zip(memory).zip(host) {
        let merges = merged(touched, device.len());
        for (at, written) in flags(&touched.writes, device.len()).into_iter().enumerate() {
            if written && !merges[at] {
                host[at] = device[at];
            }
        }
        for region in &touched.merges {
            let size = region.ty.bytes() as usize;
            let inside = flags(&region.bytes, device.len());
            let word = |from: &[u8], at: usize| {
                let mut bits = [0u8; 8];
                bits[..size].copy_from_slice(&from[at..at + size]);
                u64::from_le_bytes(bits)
            };
            for at in (0..device.len()).step_by(size).filter(|at| inside[*at]) {
                let both = fold::binary(region.op, region.ty, word(host, at), word(device, at)).unwrap();
                host[at..at + size].copy_from_slice(&both.to_le_bytes()[..size]);
            }
        }
    }
}

/// The bytes that merge.
fn merged(footprint: &BindingFootprint, len: usize) -> Flags {
    let mut out = vec![false; len];
    for region in &footprint.merges {
        for (at, inside) in flags(&region.bytes, len).into_iter().enumerate() {
            assert!(!inside || !out[at], "byte {at} merges twice");
            out[at] |= inside;
        }
    }
    out
}

impl Case {
    pub fn with<R>(&self, f: impl FnOnce(&Analysis, &CallShape<'_>) -> R) -> R {
        let analysis = Analysis::new(&self.kernel);
        let sizes: Vec<u64> = self.buffers.iter().map(|b| b.len() as u64).collect();
        let uniforms: Vec<&[u8]> = (self.kernel.bindings.iter().zip(&self.buffers))
            .map(|(b, bytes)| if b.space == Space::Uniform { bytes.as_slice() } else { &[] })
            .collect();
        f(&analysis, &CallShape { grid: Grid { groups: self.groups }, sizes: &sizes, uniforms: &uniforms })
    }

    pub fn split(&self) -> Split {
        self.with(|a, call| a.split(call))
    }

    /// The reason why it cannot be split.
    pub fn reason(&self) -> String {
        match self.split() {
            Split::Whole(reason) => reason,
            Split::Axis(axis) => panic!("splits on axis {axis}"),
        }
    }

    /// Asserts what a footprint promises, for chunks cut at each of `cuts` (on the split axis, if any).
    pub fn verify(&self, cuts: &[u32]) -> Split {
        self.with(|analysis, call| {
            let split = analysis.split(call);
            let all = GroupRange::all(call.grid);
            self.verify_range(analysis, call, &all);
            if let Split::Axis(axis) = split {
                self.verify_cuts(analysis, call, axis.into(), cuts);
            } else {
                for (i, &cut) in cuts.iter().enumerate() {
                    let (front, back) = all.split_at(i % 3, cut % (call.grid.groups[i % 3] + 1));
                    self.verify_range(analysis, call, &front);
                    self.verify_range(analysis, call, &back);
                }
            }
            split
        })
    }

    /// What the whole call leaves, its invocations one after the other.
    fn expected(&self) -> Vec<Vec<u8>> {
        let mut buffers = self.buffers.clone();
        self.with(|_, call| check::run(&self.kernel, call, &mut buffers, &GroupRange::all(call.grid)).unwrap());
        buffers
    }

    /// As [`Case::verify_results`], part after part by the next of these engines. `None`: the whole call by one of them
    /// leaves something else than its invocations one after the other do, so the kernel has a race.
    pub fn verify_engines(&self, cuts: &[u32], engines: &[Engine]) -> Option<bool> {
        let program = |engine: &Engine| {
            let settings = Settings::default().engine(*engine).contract(false);
            Program::with(self.kernel.clone(), &settings).unwrap()
        };
        let programs: Vec<Program> = engines.iter().map(program).collect();
        let grid = Grid { groups: self.groups };
        let run = |k: usize, memory: &mut [Vec<u8>], range: &GroupRange| {
            let buffers: Vec<Buffer<'_>> = memory.iter_mut().map(|b| Buffer::write(b)).collect();
            programs[k % programs.len()].run(&buffers, grid, *range).unwrap();
        };
        let expected = self.expected();
        let whole = |k: usize| {
            let mut buffers = self.buffers.clone();
            run(k, &mut buffers, &GroupRange::all(grid));
            buffers
        };
        let orderly = (0..programs.len()).all(|k| whole(k) == expected);
        orderly.then(|| self.verify_parts(cuts, run))
    }

    /// Asserts that parts on devices with memories of their own give what the whole call gives: every second part runs
    /// in a memory that holds only what is uploaded for it, the others in place. Whether the call splits.
    pub fn verify_results(&self, cuts: &[u32]) -> bool {
        self.with(|_, call| {
            self.verify_parts(cuts, |_, buffers, range| drop(check::run(&self.kernel, call, buffers, range).unwrap()))
        })
    }

    /// The same with a run of a part, by its number.
    fn verify_parts(&self, cuts: &[u32], run: impl Fn(usize, &mut [Vec<u8>], &GroupRange)) -> bool {
        self.with(|analysis, call| {
            let Split::Axis(axis) = analysis.split(call) else { return false };
            let axis = usize::from(axis);
            let all = GroupRange::all(call.grid);
            let expected = self.expected();
            let mut host = self.buffers.clone();
            let mut edges: Vec<u32> = cuts.iter().map(|c| c % (all.end[axis] + 1)).chain([0, all.end[axis]]).collect();
            edges.sort_unstable();
            edges.dedup();
            let parts = edges.windows(2).map(|e| {
                let mut range = all;
                (range.start[axis], range.end[axis]) = (e[0], e[1]);
                (range, analysis.footprint(call, &range))
            });
            let parts: Vec<_> = parts.collect();
            let mut memories: Vec<_> = parts.iter().map(|(_, f)| self.uploaded(f)).collect();
            for (k, (range, _)) in parts.iter().enumerate() {
                let buffers = if k % 2 == 0 { &mut memories[k] } else { &mut host };
                run(k, buffers, range);
            }
            for ((_, footprint), memory) in parts.iter().zip(&memories).step_by(2) {
                download(footprint, memory, &mut host);
            }
            for (b, (got, want)) in host.iter().zip(&expected).enumerate() {
                let wrong = (0..got.len()).find(|at| got[*at] != want[*at]);
                assert_eq!(wrong, None, "binding {b} of {edges:?} in {:?}", call.grid);
            }
            true
        })
    }

    /// A memory with what a device needs, poison elsewhere, and the identity where it merges.
    fn uploaded(&self, footprint: &Footprint) -> Vec<Vec<u8>> {
        let upload = |(bytes, touched): (&Vec<u8>, &BindingFootprint)| {
            let len = bytes.len();
            let [reads, writes, certain] = [&touched.reads, &touched.writes, &touched.certain].map(|s| flags(s, len));
            let needed = |at: usize| (reads[at] || writes[at]) && !certain[at];
            let mut memory: Vec<u8> = (0..len).map(|at| if needed(at) { bytes[at] } else { 0xA5 }).collect();
            for region in &touched.merges {
                let identity = region.identity().to_le_bytes();
                let size = region.ty.bytes() as usize;
                for (at, inside) in flags(&region.bytes, len).into_iter().enumerate() {
                    memory[at] = if inside { identity[at % size] } else { memory[at] };
                }
            }
            memory
        };
        self.buffers.iter().zip(&footprint.bindings).map(upload).collect()
    }

    fn verify_range(&self, analysis: &Analysis, call: &CallShape<'_>, range: &GroupRange) {
        let mut buffers = self.buffers.clone();
        let truth = check::run(&self.kernel, call, &mut buffers, range).unwrap();
        let footprint = analysis.footprint(call, range);
        assert_eq!(truth.outside(&footprint), None, "{range:?}: {footprint:?}");
        for (b, known) in footprint.bindings.iter().enumerate() {
            let len = self.buffers[b].len();
            for (at, certain) in flags(&known.certain, len).into_iter().enumerate() {
                assert!(!certain || truth.bindings[b].written[at], "byte {at} of {b} is not written: {footprint:?}");
                assert!(!certain || !truth.bindings[b].before[at], "byte {at} of {b} is read before it is written");
            }
            flags(&known.reads, len);
            flags(&known.writes, len);
        }
    }

    fn verify_cuts(&self, analysis: &Analysis, call: &CallShape<'_>, axis: usize, cuts: &[u32]) {
        let groups = call.grid.groups[axis];
        let mut edges: Vec<u32> = cuts.iter().map(|c| c % (groups + 1)).chain([0, groups]).collect();
        edges.sort_unstable();
        edges.dedup();
        let whole = analysis.footprint(call, &GroupRange::all(call.grid));
        let chunks: Vec<_> = edges
            .windows(2)
            .map(|e| {
                let mut range = GroupRange::all(call.grid);
                (range.start[axis], range.end[axis]) = (e[0], e[1]);
                self.verify_range(analysis, call, &range);
                analysis.footprint(call, &range)
            })
            .collect();
        for b in 0..self.buffers.len() {
            let len = self.buffers[b].len();
            let sets: Vec<(Flags, Flags)> =
                chunks.iter().map(|c| (flags(&c.bindings[b].writes, len), flags(&c.bindings[b].reads, len))).collect();
            let all = flags(&whole.bindings[b].writes, len);
            let merged = merged(&whole.bindings[b], len);
            for (at, &in_whole) in all.iter().enumerate() {
                if merged[at] {
                    continue;
                }
                let writers = sets.iter().filter(|s| s.0[at]).count();
                assert!(writers <= 1, "byte {at} of binding {b} is in {writers} chunks' writes");
                // Both hold what is truly written; a chunk's set may be the tighter one.
                assert!(writers == 0 || in_whole, "byte {at} of binding {b} is written by a chunk, not by the whole");
            }
        }
        self.verify_reads(call, axis, &edges, &chunks);
    }

    /// No chunk's writes hold a byte that another truly reads.
    fn verify_reads(&self, call: &CallShape<'_>, axis: usize, edges: &[u32], chunks: &[Arc<Footprint>]) {
        for (i, e) in edges.windows(2).enumerate() {
            let mut range = GroupRange::all(call.grid);
            (range.start[axis], range.end[axis]) = (e[0], e[1]);
            let truth = check::run(&self.kernel, call, &mut self.buffers.clone(), &range).unwrap();
            for (j, other) in chunks.iter().enumerate().filter(|(j, _)| *j != i) {
                for (b, known) in other.bindings.iter().enumerate() {
                    let writes = flags(&known.writes, self.buffers[b].len());
                    let merged = merged(known, self.buffers[b].len());
                    let both = truth.bindings[b].read.iter().zip(&writes).zip(&merged);
                    let clash = both.into_iter().position(|((r, w), merged)| *r && *w && !*merged);
                    assert_eq!(clash, None, "chunk {j} writes what chunk {i} reads in binding {b}");
                }
            }
        }
    }
}
