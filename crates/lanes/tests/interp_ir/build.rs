//! A small hand to write kernels with.

use evener_lanes::ir::*;
use naga::Span;

/// A kernel under construction; regions are closed by `if_` and `loop_`.
pub struct Build {
    pub kernel: Kernel,
    open: Vec<Region>,
}

impl Build {
    pub fn new(size: [u32; 3]) -> Self {
        let kernel = Kernel {
            name: "test".into(),
            source: "".into(),
            workgroup_size: size,
            bindings: vec![],
            workgroup: vec![],
            private: vec![],
            values: vec![],
            body: Region::default(),
        };
        Build { kernel, open: vec![Region::default()] }
    }

    /// A runtime-sized storage array of 4- or 8-byte elements.
    pub fn array(&mut self, name: &str, stride: u32) -> Base {
        let access = Access { read: true, write: true, atomic: true };
        self.kernel.bindings.push(Binding {
            name: name.into(),
            group: 0,
            binding: self.kernel.bindings.len() as u32,
            space: Space::Storage,
            access,
            fixed_bytes: 0,
            runtime_stride: Some(stride),
        });
        Base::Binding(self.kernel.bindings.len() as u32 - 1)
    }

    pub fn value(&mut self, ty: Ty) -> Value {
        self.kernel.values.push(ty);
        Value(self.kernel.values.len() as u32 - 1)
    }

    pub fn push(&mut self, inst: Inst) {
        self.open.last_mut().unwrap().insts.push(inst);
    }

    pub fn op(&mut self, ty: Ty, op: Op) -> Value {
        let dst = self.value(ty);
        self.push(Inst::Op { dst, op, span: Span::UNDEFINED });
        dst
    }

    pub fn u32(&mut self, v: u32) -> Value {
        self.op(Ty::U32, Op::Const(v.into()))
    }

    pub fn binary(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        let ty = if op.is_comparison() { Ty::Bool } else { self.kernel.ty(a) };
        self.op(ty, Op::Binary(op, a, b))
    }

    pub fn gid(&mut self, axis: u8) -> Value {
        self.op(Ty::U32, Op::Builtin(Builtin::GlobalId(axis)))
    }

    /// `base[index]` of a runtime-sized array.
    pub fn at(&self, base: Base, index: Value) -> Place {
        let Base::Binding(i) = base else { panic!("a binding") };
        let stride = self.kernel.bindings[i as usize].runtime_stride.unwrap();
        Place { base, offset: 0, steps: vec![Step { index, stride, len: Len::Runtime }] }
    }

    pub fn load(&mut self, ty: Ty, base: Base, index: Value) -> Value {
        let place = self.at(base, index);
        self.op(ty, Op::Load(place))
    }

    pub fn store(&mut self, base: Base, index: Value, value: Value) {
        let place = self.at(base, index);
        self.push(Inst::Store { place, value, span: Span::UNDEFINED });
    }

    /// Opens a region.
    pub fn begin(&mut self) {
        self.open.push(Region::default());
    }

    /// Closes the region opened last.
    pub fn end(&mut self) -> Region {
        self.open.pop().unwrap()
    }

    pub fn done(mut self) -> Kernel {
        self.kernel.body = self.open.pop().unwrap();
        self.kernel
    }
}
