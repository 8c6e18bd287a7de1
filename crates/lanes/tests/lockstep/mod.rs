//! A plain evaluator of the lane IR for tests: all invocations of a work-group in lock step, one value at a time,
//! written straight from the IR's documentation.

use evener_lanes::ir::{
    AtomicOp, Base, BinaryOp, Builtin, Inst, Kernel, Len, Op, Place, Region, SubgroupOp, Ty, UnaryOp, Value, fold,
    subgroup,
};

/// Iterations of all loops together after which a run is taken for endless.
const FUEL: usize = 4_000_000;

/// Runs a whole grid; `buffers` are in the order of the kernel's bindings.
pub fn run(kernel: &Kernel, buffers: &mut [Vec<u8>], groups: [u32; 3]) -> Result<(), String> {
    let lanes = kernel.group_invocations() as usize;
    let mut state = State {
        kernel,
        buffers,
        groups,
        group: [0; 3],
        workgroup: Vec::new(),
        private: Vec::new(),
        values: vec![vec![0; lanes]; kernel.values.len()],
        fuel: FUEL,
    };
    for z in 0..groups[2] {
        for y in 0..groups[1] {
            for x in 0..groups[0] {
                state.group = [x, y, z];
                state.workgroup = kernel.workgroup.iter().map(|v| vec![0; v.bytes as usize]).collect();
                state.private = vec![kernel.private.iter().map(|v| vec![0; v.bytes as usize]).collect(); lanes];
                state.region(&kernel.body, &vec![true; lanes])?;
            }
        }
    }
    Ok(())
}

struct State<'a> {
    kernel: &'a Kernel,
    buffers: &'a mut [Vec<u8>],
    groups: [u32; 3],
    group: [u32; 3],
    workgroup: Vec<Vec<u8>>,
    private: Vec<Vec<Vec<u8>>>,
    values: Vec<Vec<u64>>,
    fuel: usize,
}

impl State<'_> {
    fn get(&self, v: Value, lane: usize) -> u64 {
        self.values[v.index()][lane]
    }

    fn set(&mut self, v: Value, lane: usize, bits: u64) {
        self.values[v.index()][lane] = bits;
    }

    fn region(&mut self, region: &Region, mask: &[bool]) -> Result<(), String> {
        region.insts.iter().try_for_each(|inst| self.inst(inst, mask))
    }

    fn inst(&mut self, inst: &Inst, mask: &[bool]) -> Result<(), String> {
        let active: Vec<usize> = (0..mask.len()).filter(|&l| mask[l]).collect();
        match inst {
            Inst::Op { dst, op, .. } => active.iter().for_each(|&l| {
                let bits = self.op(*dst, op, l);
                self.set(*dst, l, bits);
            }),
            Inst::Store { place, value, .. } => active.iter().for_each(|&l| {
                let (bits, ty) = (self.get(*value, l), self.kernel.ty(*value));
                self.write(place, ty, l, bits);
            }),
            Inst::Atomic { dst, op, place, value, compare, .. } => active.iter().for_each(|&l| {
                let ty = self.kernel.ty(*value);
                let (old, x) = (self.read(place, ty, l), self.get(*value, l));
                if let Some(new) = atomic(*op, ty, old, x, compare.map(|c| self.get(c, l))) {
                    self.write(place, ty, l, new);
                }
                dst.iter().for_each(|d| self.set(*d, l, old));
            }),
            Inst::Subgroup { dst, op, value, lane, .. } => self.subgroup(*dst, *op, *value, *lane, mask),
            Inst::Barrier { .. } => {}
            Inst::If { cond, then, other, phis, .. } => {
                let yes: Vec<bool> = (0..mask.len()).map(|l| mask[l] && self.get(*cond, l) != 0).collect();
                let no: Vec<bool> = (0..mask.len()).map(|l| mask[l] && !yes[l]).collect();
                self.region(then, &yes)?;
                self.region(other, &no)?;
                for p in phis {
                    for &l in &active {
                        let bits = self.get(if yes[l] { p.then } else { p.other }, l);
                        self.set(p.dst, l, bits);
                    }
                }
            }
            Inst::Loop { params, body, again, .. } => {
                let mut mask = mask.to_vec();
                for p in params {
                    active.iter().for_each(|&l| self.set(p.dst, l, self.get(p.init, l)));
                }
                while mask.contains(&true) {
                    self.fuel = self.fuel.checked_sub(1).ok_or("out of fuel")?;
                    self.region(body, &mask)?;
                    for l in (0..mask.len()).filter(|&l| mask[l]).collect::<Vec<_>>() {
                        let next: Vec<u64> = params.iter().map(|p| self.get(p.next, l)).collect();
                        for (p, bits) in params.iter().zip(next) {
                            self.set(p.dst, l, bits);
                            self.set(p.result, l, bits);
                        }
                        mask[l] = self.get(*again, l) != 0;
                    }
                }
            }
        }
        Ok(())
    }

    /// Written from the definition: a scan adds up to the left in three rounds.
    fn subgroup(&mut self, dst: Value, op: SubgroupOp, value: Value, lane: Option<Value>, mask: &[bool]) {
        let ty = self.kernel.ty(value);
        for first in (0..mask.len()).step_by(8) {
            let active: Vec<usize> = (first..mask.len().min(first + 8)).filter(|&l| mask[l]).collect();
            let of = |s: &Self, l: usize| s.get(value, l);
            let scanned = |s: &Self| {
                let combine = op.combines().expect("a scan");
                let identity = subgroup::identity(combine, ty).expect("an identity");
                let mut x: Vec<u64> =
                    (first..first + 8).map(|l| if active.contains(&l) { of(s, l) } else { identity }).collect();
                for d in [1, 2, 4] {
                    x = (0..8).map(|i| if i < d { x[i] } else { binary(combine, ty, x[i - d], x[i]) }).collect();
                }
                (identity, x)
            };
            let results: Vec<u64> = active
                .iter()
                .map(|&l| match op {
                    SubgroupOp::Reduce(_) => scanned(self).1[7],
                    SubgroupOp::InclusiveScan(_) => scanned(self).1[l - first],
                    SubgroupOp::ExclusiveScan(_) if l == first => scanned(self).0,
                    SubgroupOp::ExclusiveScan(_) => scanned(self).1[l - first - 1],
                    SubgroupOp::Ballot => active.iter().map(|&a| of(self, a) << (a - first)).sum(),
                    SubgroupOp::First => of(self, active[0]),
                    SubgroupOp::Shuffle => {
                        let from = lane.map_or(0, |v| self.get(v, l));
                        active.iter().find(|&&a| (a - first) as u64 == from).map_or(0, |&a| of(self, a))
                    }
                })
                .collect();
            active.iter().zip(results).for_each(|(&l, bits)| self.set(dst, l, bits));
        }
    }

    fn builtin(&self, builtin: Builtin, lane: usize) -> u64 {
        let size = self.kernel.workgroup_size;
        let lane = lane as u32;
        let local = [lane % size[0], lane / size[0] % size[1], lane / size[0] / size[1]];
        u64::from(match builtin {
            Builtin::GlobalId(a) => self.group[a as usize] * size[a as usize] + local[a as usize],
            Builtin::LocalId(a) => local[a as usize],
            Builtin::LocalIndex => lane,
            Builtin::GroupId(a) => self.group[a as usize],
            Builtin::NumGroups(a) => self.groups[a as usize],
        })
    }

    fn op(&self, dst: Value, op: &Op, l: usize) -> u64 {
        let ty = self.kernel.ty(dst);
        match op {
            Op::Const(bits) => *bits,
            Op::Builtin(b) => self.builtin(*b, l),
            Op::Unary(op, a) => unary(*op, ty, self.get(*a, l)),
            Op::Binary(op, a, b) => binary(*op, self.kernel.ty(*a), self.get(*a, l), self.get(*b, l)),
            Op::Fma(a, b, c) => {
                fold::fma(ty, self.get(*a, l), self.get(*b, l), self.get(*c, l)).unwrap_or_else(|| nan(ty))
            }
            Op::Select { cond, accept, reject } => self.get(if self.get(*cond, l) != 0 { *accept } else { *reject }, l),
            Op::Convert(a) => fold::convert(self.kernel.ty(*a), ty, self.get(*a, l)).unwrap_or_else(|| nan(ty)),
            Op::Bitcast(a) => self.get(*a, l),
            Op::Load(place) => self.read(place, ty, l),
            Op::ArrayLength(i) => self.runtime_len(*i),
        }
    }

    fn runtime_len(&self, binding: u32) -> u64 {
        self.kernel.bindings[binding as usize].runtime_len(self.buffers[binding as usize].len() as u64)
    }

    /// The byte offset, if every index is in bounds.
    fn address(&self, place: &Place, l: usize) -> Option<usize> {
        let mut at = u64::from(place.offset);
        for step in &place.steps {
            let index = self.get(step.index, l) & 0xffff_ffff;
            let len = match (step.len, place.base) {
                (Len::Const(n), _) => n.into(),
                (Len::Runtime, Base::Binding(i)) => self.runtime_len(i),
                _ => 0,
            };
            if index >= len {
                return None;
            }
            at += index * u64::from(step.stride);
        }
        Some(at as usize)
    }

    fn memory(&mut self, base: Base, l: usize) -> &mut Vec<u8> {
        match base {
            Base::Binding(i) => &mut self.buffers[i as usize],
            Base::Workgroup(i) => &mut self.workgroup[i as usize],
            Base::Private(i) => &mut self.private[l][i as usize],
        }
    }

    fn read(&self, place: &Place, ty: Ty, l: usize) -> u64 {
        let Some(at) = self.address(place, l) else { return 0 };
        let memory = match place.base {
            Base::Binding(i) => &self.buffers[i as usize],
            Base::Workgroup(i) => &self.workgroup[i as usize],
            Base::Private(i) => &self.private[l][i as usize],
        };
        let mut bits = [0; 8];
        bits[..ty.bytes() as usize].copy_from_slice(&memory[at..at + ty.bytes() as usize]);
        u64::from_le_bytes(bits)
    }

    fn write(&mut self, place: &Place, ty: Ty, l: usize, bits: u64) {
        if let Some(at) = self.address(place, l) {
            let n = ty.bytes() as usize;
            self.memory(place.base, l)[at..at + n].copy_from_slice(&bits.to_le_bytes()[..n]);
        }
    }
}

fn atomic(op: AtomicOp, ty: Ty, old: u64, x: u64, compare: Option<u64>) -> Option<u64> {
    let two = |op| Some(binary(op, ty, old, x));
    match op {
        AtomicOp::Load => None,
        AtomicOp::Store | AtomicOp::Exchange => Some(x),
        AtomicOp::Add => two(BinaryOp::Add),
        AtomicOp::Sub => two(BinaryOp::Sub),
        AtomicOp::Min => two(BinaryOp::Min),
        AtomicOp::Max => two(BinaryOp::Max),
        AtomicOp::And => two(BinaryOp::And),
        AtomicOp::Or => two(BinaryOp::Or),
        AtomicOp::Xor => two(BinaryOp::Xor),
        AtomicOp::CompareExchange => (Some(old) == compare).then_some(x),
    }
}

fn nan(ty: Ty) -> u64 {
    match ty {
        Ty::F64 => f64::NAN.to_bits(),
        Ty::F16 => 0x7e00,
        _ => f32::NAN.to_bits().into(),
    }
}

fn as_f64(ty: Ty, bits: u64) -> f64 {
    if ty == Ty::F64 { f64::from_bits(bits) } else { f32::from_bits(bits as u32).into() }
}

fn from_f64(ty: Ty, x: f64) -> u64 {
    if ty == Ty::F64 { x.to_bits() } else { (x as f32).to_bits().into() }
}

fn unary(op: UnaryOp, ty: Ty, a: u64) -> u64 {
    if let Some(bits) = fold::unary(op, ty, a) {
        return bits;
    }
    let x = as_f64(ty, a);
    from_f64(
        ty,
        match op {
            UnaryOp::InverseSqrt => 1.0 / x.sqrt(),
            UnaryOp::Exp => x.exp(),
            UnaryOp::Exp2 => x.exp2(),
            UnaryOp::Log => x.ln(),
            UnaryOp::Log2 => x.log2(),
            UnaryOp::Sin => x.sin(),
            UnaryOp::Cos => x.cos(),
            UnaryOp::Tan => x.tan(),
            UnaryOp::Asin => x.asin(),
            UnaryOp::Acos => x.acos(),
            UnaryOp::Atan => x.atan(),
            UnaryOp::Sinh => x.sinh(),
            UnaryOp::Cosh => x.cosh(),
            UnaryOp::Tanh => x.tanh(),
            UnaryOp::Asinh => x.asinh(),
            UnaryOp::Acosh => x.acosh(),
            UnaryOp::Atanh => x.atanh(),
            _ => f64::NAN,
        },
    )
}

fn binary(op: BinaryOp, ty: Ty, a: u64, b: u64) -> u64 {
    if let Some(bits) = fold::binary(op, ty, a, b) {
        return bits;
    }
    let (x, y) = (as_f64(ty, a), as_f64(ty, b));
    let value = match op {
        BinaryOp::Min => x.min(y),
        BinaryOp::Max => x.max(y),
        BinaryOp::Pow => x.powf(y),
        BinaryOp::Atan2 => x.atan2(y),
        _ => f64::NAN,
    };
    from_f64(ty, value)
}
