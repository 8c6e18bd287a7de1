//! The text form of a [`Kernel`]: one instruction a line, nested regions indented.
//!
//! ```text
//! kernel saxpy workgroup_size(64, 1, 1)
//!   @group(0) @binding(1) storage x: 0 bytes + runtime * 4 [read]
//! body
//!   %3: f32 = load x[%2 : 4 : runtime]
//! ```
//!
//! A step of a place is `[index : stride : length]`, its constant part `+ offset`. A NaN is `nan:` and its bits.
//! [`parse`](super::parse) reads it back.

use super::{Access, BarrierScope, Base, Builtin, Inst, Kernel, Len, Op, Place, Region, Space, SubgroupOp, Ty, Value};
use std::{collections::HashSet, fmt};

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ty::Bool => "bool",
            Ty::I32 => "i32",
            Ty::U32 => "u32",
            Ty::I64 => "i64",
            Ty::U64 => "u64",
            Ty::F16 => "f16",
            Ty::I16 => "i16",
            Ty::U16 => "u16",
            Ty::F32 => "f32",
            Ty::F64 => "f64",
        })
    }
}

impl fmt::Display for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axis = |a: &u8| ['x', 'y', 'z'].get(usize::from(*a)).copied().unwrap_or('?');
        match self {
            Builtin::GlobalId(a) => write!(f, "global_id.{}", axis(a)),
            Builtin::LocalId(a) => write!(f, "local_id.{}", axis(a)),
            Builtin::LocalIndex => f.write_str("local_index"),
            Builtin::GroupId(a) => write!(f, "group_id.{}", axis(a)),
            Builtin::NumGroups(a) => write!(f, "num_groups.{}", axis(a)),
        }
    }
}

impl fmt::Display for SubgroupOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            SubgroupOp::Reduce(_) => "",
            SubgroupOp::InclusiveScan(_) => "inclusive_",
            SubgroupOp::ExclusiveScan(_) => "exclusive_",
            SubgroupOp::Ballot => "ballot",
            SubgroupOp::First => "first",
            SubgroupOp::Shuffle => "shuffle",
        };
        let combined = self.combines().map(|op| format!("{op:?}").to_lowercase()).unwrap_or_default();
        write!(f, "subgroup_{kind}{combined}")
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.read, "read"), (self.write, "write"), (self.atomic, "atomic")];
        let names: Vec<_> = parts.iter().filter(|p| p.0).map(|p| p.1).collect();
        write!(f, "[{}]", names.join(" "))
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.workgroup_size;
        writeln!(f, "kernel {} workgroup_size({x}, {y}, {z})", self.name)?;
        let names = Names::new(self);
        for (b, name) in self.bindings.iter().zip(&names.bindings) {
            let space = match b.space {
                Space::Uniform => "uniform",
                Space::Storage => "storage",
            };
            write!(f, "  @group({}) @binding({}) {space} {name}: {} bytes", b.group, b.binding, b.fixed_bytes)?;
            if let Some(stride) = b.runtime_stride {
                write!(f, " + runtime * {stride}")?;
            }
            writeln!(f, " {}", b.access)?;
        }
        let workgroup = self.workgroup.iter().zip(&names.workgroup).map(|(v, name)| ("workgroup", v, name));
        let private = self.private.iter().zip(&names.private).map(|(v, name)| ("private", v, name));
        for (kind, v, name) in workgroup.chain(private) {
            writeln!(f, "  {kind} {name}: {} bytes", v.bytes)?;
        }
        writeln!(f, "body")?;
        Printer { kernel: self, names }.region(f, &self.body, 1)
    }
}

/// What each memory is called: its name, with a number where another has it too.
struct Names {
    bindings: Vec<String>,
    workgroup: Vec<String>,
    private: Vec<String>,
}

impl Names {
    fn new(kernel: &Kernel) -> Self {
        let mut taken = HashSet::new();
        let mut unique = |name: &String| {
            let mut text = name.clone();
            let mut n = 1;
            while !taken.insert(text.clone()) {
                n += 1;
                text = format!("{name}#{n}");
            }
            text
        };
        Names {
            bindings: kernel.bindings.iter().map(|b| unique(&b.name)).collect(),
            workgroup: kernel.workgroup.iter().map(|v| unique(&v.name)).collect(),
            private: kernel.private.iter().map(|v| unique(&v.name)).collect(),
        }
    }
}

struct Printer<'a> {
    kernel: &'a Kernel,
    names: Names,
}

impl Printer<'_> {
    fn region(&self, f: &mut fmt::Formatter<'_>, region: &Region, depth: usize) -> fmt::Result {
        region.insts.iter().try_for_each(|inst| self.inst(f, inst, depth))
    }

    fn def(&self, value: Value) -> String {
        let ty = self.kernel.values.get(value.index()).map_or("?".to_string(), |ty| ty.to_string());
        format!("{value}: {ty}")
    }

    fn inst(&self, f: &mut fmt::Formatter<'_>, inst: &Inst, depth: usize) -> fmt::Result {
        write!(f, "{:1$}", "", depth * 2)?;
        match inst {
            Inst::Op { dst, op, .. } => writeln!(f, "{} = {}", self.def(*dst), self.op(*dst, op)),
            Inst::Store { place, value, .. } => writeln!(f, "store {} = {value}", self.place(place)),
            Inst::Atomic { dst, op, place, value, compare, .. } => {
                if let Some(dst) = dst {
                    write!(f, "{} = ", self.def(*dst))?;
                }
                let name = format!("{op:?}").to_lowercase();
                write!(f, "atomic_{name} {}, {value}", self.place(place))?;
                compare.iter().try_for_each(|c| write!(f, " expecting {c}"))?;
                writeln!(f)
            }
            Inst::Subgroup { dst, op, value, lane, .. } => {
                write!(f, "{} = {op} {value}", self.def(*dst))?;
                lane.iter().try_for_each(|l| write!(f, ", {l}"))?;
                writeln!(f)
            }
            Inst::Barrier { scope: BarrierScope::Group, .. } => writeln!(f, "barrier"),
            Inst::Barrier { scope: BarrierScope::Subgroup, .. } => writeln!(f, "subgroup_barrier"),
            Inst::If { cond, then, other, phis, .. } => {
                writeln!(f, "if {cond}")?;
                self.region(f, then, depth + 1)?;
                if !other.insts.is_empty() {
                    writeln!(f, "{:1$}else", "", depth * 2)?;
                    self.region(f, other, depth + 1)?;
                }
                writeln!(f, "{:1$}end", "", depth * 2)?;
                for p in phis {
                    writeln!(f, "{:4$}{} = phi {} | {}", "", self.def(p.dst), p.then, p.other, depth * 2)?;
                }
                Ok(())
            }
            Inst::Loop { params, body, again, .. } => {
                writeln!(f, "loop")?;
                for p in params {
                    writeln!(f, "{:4$}{} = param {} next {}", "", self.def(p.dst), p.init, p.next, depth * 2 + 2)?;
                }
                self.region(f, body, depth + 1)?;
                writeln!(f, "{:1$}while {again}", "", depth * 2)?;
                for p in params {
                    writeln!(f, "{:3$}{} = last {}", "", self.def(p.result), p.next, depth * 2)?;
                }
                Ok(())
            }
        }
    }

    fn op(&self, dst: Value, op: &Op) -> String {
        match op {
            Op::Const(bits) => self.constant(dst, *bits),
            Op::Builtin(b) => b.to_string(),
            Op::Unary(op, a) => format!("{} {a}", format!("{op:?}").to_lowercase()),
            Op::Binary(op, a, b) => format!("{} {a}, {b}", format!("{op:?}").to_lowercase()),
            Op::Fma(a, b, c) => format!("fma {a}, {b}, {c}"),
            Op::Select { cond, accept, reject } => format!("select {cond}, {accept}, {reject}"),
            Op::Convert(a) => format!("convert {a}"),
            Op::Bitcast(a) => format!("bitcast {a}"),
            Op::Load(place) => format!("load {}", self.place(place)),
            Op::ArrayLength(i) => format!("array_length {}", self.base(Base::Binding(*i))),
        }
    }

    fn constant(&self, dst: Value, bits: u64) -> String {
        match self.kernel.values.get(dst.index()) {
            Some(Ty::Bool) => (bits != 0).to_string(),
            Some(Ty::I32) => (bits as u32 as i32).to_string(),
            Some(Ty::I64) => (bits as i64).to_string(),
            Some(Ty::F32) if f32::from_bits(bits as u32).is_nan() => format!("nan:{bits:x}"),
            Some(Ty::F32) => format!("{:?}", f32::from_bits(bits as u32)),
            Some(Ty::F64) if f64::from_bits(bits).is_nan() => format!("nan:{bits:x}"),
            Some(Ty::F64) => format!("{:?}", f64::from_bits(bits)),
            _ => bits.to_string(),
        }
    }

    fn base(&self, base: Base) -> String {
        let name = match base {
            Base::Binding(i) => self.names.bindings.get(i as usize),
            Base::Workgroup(i) => self.names.workgroup.get(i as usize),
            Base::Private(i) => self.names.private.get(i as usize),
        };
        name.cloned().unwrap_or_else(|| format!("{base:?}"))
    }

    fn place(&self, place: &Place) -> String {
        let mut text = self.base(place.base);
        for s in &place.steps {
            let len = match s.len {
                Len::Const(n) => n.to_string(),
                Len::Runtime => "runtime".to_string(),
            };
            text += &format!("[{} : {} : {len}]", s.index, s.stride);
        }
        if place.offset != 0 {
            text += &format!(" + {}", place.offset);
        }
        text
    }
}
