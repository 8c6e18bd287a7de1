//! The checking mode: runs a kernel one invocation at a time and records the bytes it really touches.
//!
//! Simple and slow on purpose: it shares nothing with the analysis but the IR, so that a footprint can be
//! compared with it. Invocations run one after the other in the order of their ids, so a barrier is no
//! barrier here: kernels whose *addresses* depend on what other invocations of the work-group computed are
//! not followed faithfully. Addresses that depend on ids, uniforms and the buffers' contents are.

mod scalar;

use super::{CallShape, Footprint, Strided};
use crate::{
    error::{Error, ErrorKind},
    ir::{
        AtomicOp, Base, BinaryOp, Builtin, Inst, Kernel, Len, Op, Place, Region, SUBGROUP_LANES, SubgroupOp, Ty, Value,
        subgroup,
    },
    run::GroupRange,
};

/// Instructions executed before a run is given up.
const FUEL: u64 = 1 << 32;

/// The bytes of a binding that were touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// One flag a byte.
    pub read: Vec<bool>,
    /// One flag a byte; atomics included.
    pub written: Vec<bool>,
    /// One flag a byte: read by an invocation that had not written it before, so that what was there mattered.
    pub before: Vec<bool>,
}

/// The bytes of every binding that were touched, in the order of [`Kernel::bindings`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accesses {
    /// One per binding.
    pub bindings: Vec<Touched>,
}

impl Accesses {
    /// The first access outside a footprint, as (binding, byte, was it a write); `None` where it holds all.
    pub fn outside(&self, footprint: &Footprint) -> Option<(usize, u64, bool)> {
        self.bindings.iter().zip(&footprint.bindings).enumerate().find_map(|(b, (touched, known))| {
            let missed = |flags: &[bool], sets: &[Strided]| {
                let mut missed: Vec<bool> = flags.to_vec();
                for set in sets {
                    set.for_each_run(|r| {
                        let end = (r.end as usize).min(missed.len());
                        missed[(r.start as usize).min(end)..end].fill(false);
                    });
                }
                missed.iter().position(|&m| m).map(|at| at as u64)
            };
            let read = missed(&touched.read, &known.reads).map(|at| (b, at, false));
            read.or_else(|| missed(&touched.written, &known.writes).map(|at| (b, at, true)))
        })
    }
}

/// Runs the work-groups of `range` on `buffers` (contents of all bindings, uniforms included, in the order
/// of [`Kernel::bindings`]; written in place) and records what they touch.
///
/// # Errors
/// `InvalidBuffer` where the number or a size of the buffers is not that of the call, `OutOfFuel` after 2^32
/// instructions.
pub fn run(
    kernel: &Kernel,
    call: &CallShape<'_>,
    buffers: &mut [Vec<u8>],
    range: &GroupRange,
) -> Result<Accesses, Error> {
    let sizes: Vec<u64> = buffers.iter().map(|b| b.len() as u64).collect();
    if sizes != call.sizes || sizes.len() != kernel.bindings.len() {
        let message = format!("the buffers have {sizes:?} bytes, the call has {:?}", call.sizes);
        return Err(Error::new(ErrorKind::InvalidBuffer, message));
    }
    let touched = |b: &Vec<u8>| {
        let none = vec![false; b.len()];
        Touched { read: none.clone(), written: none.clone(), before: none }
    };
    let mut machine = Machine {
        kernel,
        call,
        accesses: Accesses { bindings: buffers.iter().map(touched).collect() },
        writers: buffers.iter().map(|b| vec![0; b.len()]).collect(),
        invocation: 0,
        buffers,
        workgroup: Vec::new(),
        private: Vec::new(),
        values: vec![0; kernel.values.len()],
        group: [0; 3],
        local: [0; 3],
        fuel: FUEL,
    };
    for z in range.start[2]..range.end[2] {
        for y in range.start[1]..range.end[1] {
            for x in range.start[0]..range.end[0] {
                machine.group([x, y, z])?;
            }
        }
    }
    Ok(machine.accesses)
}

struct Machine<'a> {
    kernel: &'a Kernel,
    call: &'a CallShape<'a>,
    buffers: &'a mut [Vec<u8>],
    accesses: Accesses,
    /// Number of the invocation that last wrote each byte, from 1 on.
    writers: Vec<Vec<u64>>,
    invocation: u64,
    workgroup: Vec<Vec<u8>>,
    private: Vec<Vec<u8>>,
    /// Bits of each value.
    values: Vec<u64>,
    group: [u32; 3],
    local: [u32; 3],
    fuel: u64,
}

impl Machine<'_> {
    fn group(&mut self, group: [u32; 3]) -> Result<(), Error> {
        self.group = group;
        let kernel = self.kernel;
        self.workgroup = kernel.workgroup.iter().map(|v| vec![0; v.bytes as usize]).collect();
        let size = kernel.workgroup_size;
        for z in 0..size[2] {
            for y in 0..size[1] {
                for x in 0..size[0] {
                    self.local = [x, y, z];
                    self.invocation += 1;
                    self.private = kernel.private.iter().map(|v| vec![0; v.bytes as usize]).collect();
                    self.region(&kernel.body)?;
                }
            }
        }
        Ok(())
    }

    fn get(&self, v: Value) -> u64 {
        self.values[v.index()]
    }

    fn region(&mut self, region: &Region) -> Result<(), Error> {
        for inst in &region.insts {
            self.fuel = self.fuel.checked_sub(1).ok_or_else(|| {
                Error::new(ErrorKind::OutOfFuel, format!("`{}` ran 2^32 instructions", self.kernel.name))
            })?;
            self.inst(inst)?;
        }
        Ok(())
    }

    fn inst(&mut self, inst: &Inst) -> Result<(), Error> {
        match inst {
            Inst::Op { dst, op, .. } => self.values[dst.index()] = self.op(*dst, op),
            Inst::Store { place, value, .. } => {
                let (ty, bits) = (self.kernel.ty(*value), self.get(*value));
                self.store(place, ty, bits);
            }
            Inst::Atomic { dst, op, place, value, compare, .. } => {
                let old = self.atomic(*op, place, *value, *compare);
                if let Some(dst) = dst {
                    self.values[dst.index()] = old;
                }
            }
            Inst::Subgroup { dst, op, value, lane, .. } => self.values[dst.index()] = self.subgroup(*op, *value, *lane),
            Inst::Barrier { .. } => {}
            Inst::If { cond, then, other, phis, .. } => {
                let taken = self.get(*cond) != 0;
                self.region(if taken { then } else { other })?;
                for p in phis {
                    self.values[p.dst.index()] = self.get(if taken { p.then } else { p.other });
                }
            }
            Inst::Loop { params, body, again, .. } => {
                for p in params {
                    self.values[p.dst.index()] = self.get(p.init);
                }
                loop {
                    self.region(body)?;
                    let next: Vec<u64> = params.iter().map(|p| self.get(p.next)).collect();
                    let more = self.get(*again) != 0;
                    for (p, v) in params.iter().zip(next) {
                        self.values[if more { p.dst } else { p.result }.index()] = v;
                    }
                    if !more {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// The byte of a place, `None` where out of bounds.
    fn address(&self, place: &Place) -> Option<usize> {
        let mut at = u64::from(place.offset);
        for step in &place.steps {
            let index = self.get(step.index) & 0xffff_ffff;
            let len = match (step.len, place.base) {
                (Len::Const(n), _) => u64::from(n),
                (Len::Runtime, Base::Binding(b)) => {
                    self.kernel.bindings[b as usize].runtime_len(self.call.sizes[b as usize])
                }
                (Len::Runtime, _) => 0,
            };
            if index >= len {
                return None;
            }
            at += index * u64::from(step.stride);
        }
        Some(at as usize)
    }

    fn memory(&mut self, base: Base) -> &mut Vec<u8> {
        match base {
            Base::Binding(b) => &mut self.buffers[b as usize],
            Base::Workgroup(w) => &mut self.workgroup[w as usize],
            Base::Private(p) => &mut self.private[p as usize],
        }
    }

    fn note(&mut self, base: Base, at: usize, bytes: usize, write: bool) {
        if let Base::Binding(b) = base {
            let touched = &mut self.accesses.bindings[b as usize];
            let writers = &mut self.writers[b as usize][at..at + bytes];
            if write {
                writers.fill(self.invocation);
                touched.written[at..at + bytes].fill(true);
            } else {
                let before = touched.before[at..at + bytes].iter_mut().zip(writers);
                before.for_each(|(before, writer)| *before |= *writer != self.invocation);
                touched.read[at..at + bytes].fill(true);
            }
        }
    }

    fn load(&mut self, place: &Place, ty: Ty) -> u64 {
        let bytes = ty.bytes() as usize;
        let Some(at) = self.address(place).filter(|at| at + bytes <= self.memory_len(place.base)) else { return 0 };
        self.note(place.base, at, bytes, false);
        let mut word = [0u8; 8];
        word[..bytes].copy_from_slice(&self.memory(place.base)[at..at + bytes]);
        u64::from_le_bytes(word)
    }

    fn store(&mut self, place: &Place, ty: Ty, bits: u64) {
        let bytes = ty.bytes() as usize;
        let Some(at) = self.address(place).filter(|at| at + bytes <= self.memory_len(place.base)) else { return };
        self.note(place.base, at, bytes, true);
        self.memory(place.base)[at..at + bytes].copy_from_slice(&bits.to_le_bytes()[..bytes]);
    }

    fn memory_len(&self, base: Base) -> usize {
        match base {
            Base::Binding(b) => self.buffers[b as usize].len(),
            Base::Workgroup(w) => self.workgroup[w as usize].len(),
            Base::Private(p) => self.private[p as usize].len(),
        }
    }

    fn atomic(&mut self, op: AtomicOp, place: &Place, value: Value, compare: Option<Value>) -> u64 {
        if self.address(place).is_none() {
            return 0;
        }
        let ty = self.kernel.ty(value);
        let (old, v) = (self.load(place, ty), self.get(value));
        let binary = |op| scalar::binary(op, ty, old, v);
        let new = match op {
            AtomicOp::Load => return old,
            AtomicOp::Store | AtomicOp::Exchange => v,
            AtomicOp::Add => binary(BinaryOp::Add),
            AtomicOp::Sub => binary(BinaryOp::Sub),
            AtomicOp::Min => binary(BinaryOp::Min),
            AtomicOp::Max => binary(BinaryOp::Max),
            AtomicOp::And => binary(BinaryOp::And),
            AtomicOp::Or => binary(BinaryOp::Or),
            AtomicOp::Xor => binary(BinaryOp::Xor),
            AtomicOp::CompareExchange if compare.is_some_and(|c| self.get(c) == old) => v,
            AtomicOp::CompareExchange => old,
        };
        self.store(place, ty, new);
        old
    }

    fn op(&mut self, dst: Value, op: &Op) -> u64 {
        let ty = self.kernel.ty(dst);
        match op {
            Op::Const(bits) => *bits,
            Op::Builtin(b) => self.builtin(*b).into(),
            Op::Unary(op, a) => scalar::unary(*op, ty, self.get(*a)),
            Op::Binary(op, a, b) => scalar::binary(*op, self.kernel.ty(*a), self.get(*a), self.get(*b)),
            Op::Fma(a, b, c) => scalar::fma(ty, self.get(*a), self.get(*b), self.get(*c)),
            Op::Select { cond, accept, reject } => self.get(if self.get(*cond) != 0 { *accept } else { *reject }),
            Op::Convert(a) => scalar::convert(self.kernel.ty(*a), ty, self.get(*a)),
            Op::Bitcast(a) => self.get(*a),
            Op::Load(place) => self.load(place, ty),
            Op::ArrayLength(b) => {
                self.kernel.bindings[*b as usize].runtime_len(self.call.sizes[*b as usize]).min(u32::MAX.into())
            }
        }
    }

    /// A subgroup operation as if this lane alone took part.
    fn subgroup(&self, op: SubgroupOp, value: Value, lane: Option<Value>) -> u64 {
        let own = self.builtin(Builtin::LocalIndex) % SUBGROUP_LANES;
        match op {
            SubgroupOp::ExclusiveScan(combine) => {
                subgroup::identity(combine, self.kernel.ty(value)).unwrap_or_default()
            }
            SubgroupOp::Ballot => self.get(value) << own,
            SubgroupOp::Shuffle if lane.is_none_or(|l| self.get(l) != u64::from(own)) => 0,
            _ => self.get(value),
        }
    }

    fn builtin(&self, b: Builtin) -> u32 {
        let size = self.kernel.workgroup_size;
        let (group, local) = (self.group, self.local);
        match b {
            Builtin::GlobalId(a) => group[a as usize].wrapping_mul(size[a as usize]).wrapping_add(local[a as usize]),
            Builtin::LocalId(a) => local[a as usize],
            Builtin::LocalIndex => local[0] + size[0] * (local[1] + size[1] * local[2]),
            Builtin::GroupId(a) => group[a as usize],
            Builtin::NumGroups(a) => self.call.grid.groups[a as usize],
        }
    }
}
