//! A kernel run one invocation after the other, straight from the meaning of the IR.

use crate::oracle;
use evener_lanes::ir::*;

/// Memory of a run: one byte vector a binding.
pub struct Machine<'k> {
    kernel: &'k Kernel,
    pub memory: Vec<Vec<u8>>,
    private: Vec<Vec<u8>>,
    env: Vec<u64>,
    global: [u32; 3],
    groups: [u32; 3],
}

impl<'k> Machine<'k> {
    pub fn new(kernel: &'k Kernel, memory: Vec<Vec<u8>>, groups: [u32; 3]) -> Self {
        Machine { kernel, memory, private: vec![], env: vec![0; kernel.values.len()], global: [0; 3], groups }
    }

    /// Runs all invocations of the groups `start..end`.
    pub fn run(&mut self, start: [u32; 3], end: [u32; 3]) {
        let size = self.kernel.workgroup_size;
        for z in start[2] * size[2]..end[2] * size[2] {
            for y in start[1] * size[1]..end[1] * size[1] {
                for x in start[0] * size[0]..end[0] * size[0] {
                    self.global = [x, y, z];
                    self.private = self.kernel.private.iter().map(|v| vec![0; v.bytes as usize]).collect();
                    self.region(&self.kernel.body);
                }
            }
        }
    }

    fn get(&self, v: Value) -> u64 {
        self.env[v.index()]
    }

    fn ty(&self, v: Value) -> Ty {
        self.kernel.ty(v)
    }

    fn region(&mut self, region: &'k Region) {
        region.insts.iter().for_each(|i| self.inst(i));
    }

    fn inst(&mut self, inst: &'k Inst) {
        match inst {
            Inst::Op { dst, op, .. } => self.env[dst.index()] = self.op(*dst, op),
            Inst::Store { place, value, .. } => {
                let (bits, bytes) = (self.get(*value).to_le_bytes(), self.ty(*value).bytes() as usize);
                if let Some((memory, at)) = self.address(place) {
                    memory[at..at + bytes].copy_from_slice(&bits[..bytes]);
                }
            }
            Inst::If { cond, then, other, phis, .. } => {
                let taken = self.get(*cond) != 0;
                self.region(if taken { then } else { other });
                for p in phis {
                    self.env[p.dst.index()] = self.get(if taken { p.then } else { p.other });
                }
            }
            Inst::Loop { params, body, again, .. } => {
                for p in params {
                    self.env[p.dst.index()] = self.get(p.init);
                }
                loop {
                    self.region(body);
                    let next: Vec<u64> = params.iter().map(|p| self.get(p.next)).collect();
                    let again = self.get(*again) != 0;
                    for (p, v) in params.iter().zip(next) {
                        self.env[p.dst.index()] = v;
                        self.env[p.result.index()] = v;
                    }
                    if !again {
                        break;
                    }
                }
            }
            Inst::Atomic { .. } | Inst::Subgroup { .. } | Inst::Barrier { .. } => panic!("one invocation at a time"),
        }
    }

    fn op(&mut self, dst: Value, op: &Op) -> u64 {
        match op {
            Op::Const(bits) => *bits,
            Op::Builtin(b) => self.builtin(*b).into(),
            Op::Unary(op, a) => oracle::unary(*op, self.ty(*a), self.get(*a)).unwrap(),
            Op::Binary(op, a, b) => oracle::binary(*op, self.ty(*a), self.get(*a), self.get(*b)).unwrap(),
            Op::Fma(a, b, c) => {
                let [a, b, c] = [a, b, c].map(|v| oracle::f32_of(self.get(*v)));
                a.mul_add(b, c).to_bits().into()
            }
            Op::Select { cond, accept, reject } => self.get(if self.get(*cond) != 0 { *accept } else { *reject }),
            Op::Convert(a) => oracle::convert(self.ty(*a), self.ty(dst), self.get(*a)),
            Op::Bitcast(a) => self.get(*a),
            Op::Load(place) => {
                let bytes = self.ty(dst).bytes() as usize;
                self.address(place)
                    .map_or(0, |(m, at)| m[at..at + bytes].iter().rev().fold(0, |v, b| v << 8 | u64::from(*b)))
            }
            Op::ArrayLength(i) => self.kernel.bindings[*i as usize].runtime_len(self.memory[*i as usize].len() as u64),
        }
    }

    fn builtin(&self, b: Builtin) -> u32 {
        let (g, s) = (self.global, self.kernel.workgroup_size);
        match b {
            Builtin::GlobalId(a) => g[usize::from(a)],
            Builtin::LocalId(a) => g[usize::from(a)] % s[usize::from(a)],
            Builtin::GroupId(a) => g[usize::from(a)] / s[usize::from(a)],
            Builtin::NumGroups(a) => self.groups[usize::from(a)],
            Builtin::LocalIndex => g[0] % s[0] + s[0] * (g[1] % s[1] + s[1] * (g[2] % s[2])),
        }
    }

    fn address(&mut self, place: &Place) -> Option<(&mut Vec<u8>, usize)> {
        let mut at = u64::from(place.offset);
        for step in &place.steps {
            let i = u64::from(self.get(step.index) as u32);
            let len = match (step.len, place.base) {
                (Len::Const(n), _) => n.into(),
                (Len::Runtime, Base::Binding(b)) => {
                    self.kernel.bindings[b as usize].runtime_len(self.memory[b as usize].len() as u64)
                }
                _ => panic!("runtime-sized variable"),
            };
            if i >= len {
                return None;
            }
            at += i * u64::from(step.stride);
        }
        let memory = match place.base {
            Base::Binding(b) => &mut self.memory[b as usize],
            Base::Private(p) => &mut self.private[p as usize],
            Base::Workgroup(_) => panic!("one invocation at a time"),
        };
        Some((memory, at as usize))
    }
}
