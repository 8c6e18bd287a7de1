//! Checks that a [`Kernel`] is well formed: each value defined once and before its uses, types that fit, places
//! that stay inside their base.

use super::{
    AtomicOp, Base, BinaryOp, Inst, Kernel, Len, Op, Param, Phi, Place, Region, SubgroupOp, Ty, UnaryOp, Value,
    subgroup,
};

/// Checks a kernel.
///
/// # Errors
/// What is wrong and where, for the author of a pass: a broken kernel is a bug, not bad input.
pub fn verify(kernel: &Kernel) -> Result<(), String> {
    let mut v =
        Verifier { kernel, visible: vec![false; kernel.values.len()], defined: vec![false; kernel.values.len()] };
    v.region(&kernel.body).map(|_| ())
}

struct Verifier<'a> {
    kernel: &'a Kernel,
    visible: Vec<bool>,
    defined: Vec<bool>,
}

type Check = Result<(), String>;

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(message()) }
}

impl Verifier<'_> {
    /// Checks a region and leaves its values visible; they are returned, to be hidden.
    fn region(&mut self, region: &Region) -> Result<Vec<Value>, String> {
        let mut defined = Vec::new();
        for inst in &region.insts {
            self.inst(inst, &mut defined)?;
        }
        Ok(defined)
    }

    fn hide(&mut self, values: Vec<Value>) {
        values.into_iter().for_each(|v| self.visible[v.index()] = false);
    }

    fn define(&mut self, value: Value, scope: &mut Vec<Value>) -> Check {
        let slot = self.defined.get_mut(value.index()).ok_or_else(|| format!("{value} has no type"))?;
        ensure(!*slot, || format!("{value} is defined twice"))?;
        *slot = true;
        self.visible[value.index()] = true;
        scope.push(value);
        Ok(())
    }

    fn ty(&self, value: Value) -> Result<Ty, String> {
        match self.visible.get(value.index()) {
            Some(true) => Ok(self.kernel.ty(value)),
            _ => Err(format!("{value} is used where it is not defined")),
        }
    }

    /// The type of a value that is merged or carried around a loop.
    fn carried(&self, value: Value) -> Result<Ty, String> {
        let ty = self.ty(value)?;
        ensure(!ty.is_memory_only(), || format!("{value} is carried as {ty}"))?;
        Ok(ty)
    }

    fn expect(&self, value: Value, ty: Ty) -> Check {
        let found = self.ty(value)?;
        ensure(found == ty, || format!("{value} is {found}, not {ty}"))
    }

    fn inst(&mut self, inst: &Inst, scope: &mut Vec<Value>) -> Check {
        match inst {
            Inst::Op { dst, op, .. } => {
                self.op(*dst, op).map_err(|e| format!("{dst}: {e}"))?;
                self.define(*dst, scope)
            }
            Inst::Store { place, value, .. } => {
                let ty = self.ty(*value)?;
                self.place(place, ty)
            }
            Inst::Atomic { dst, op, place, value, compare, .. } => {
                let ty = self.ty(*value)?;
                ensure(atomic_fits(*op, ty), || format!("atomic {op:?} of {ty}"))?;
                ensure(!matches!(place.base, Base::Private(_)), || "an atomic in private memory".into())?;
                self.place(place, ty)?;
                let compares = *op == AtomicOp::CompareExchange;
                ensure(compares == compare.is_some(), || "a compare-exchange has an expected value".into())?;
                compare.map_or(Ok(()), |c| self.expect(c, ty))?;
                match dst {
                    Some(dst) => {
                        self.define(*dst, scope)?;
                        self.expect(*dst, ty)
                    }
                    None => Ok(()),
                }
            }
            Inst::Subgroup { dst, op, value, lane, .. } => {
                self.subgroup(*op, *value, *lane)?;
                let result = op.result(self.ty(*value)?);
                self.define(*dst, scope)?;
                self.expect(*dst, result)
            }
            Inst::Barrier { .. } => Ok(()),
            Inst::If { cond, then, other, phis, .. } => self.branch(*cond, [then, other], phis, scope),
            Inst::Loop { params, body, again, .. } => self.looped(params, body, *again, scope),
        }
    }

    fn subgroup(&self, op: SubgroupOp, value: Value, lane: Option<Value>) -> Check {
        let ty = self.carried(value)?;
        ensure((op == SubgroupOp::Shuffle) == lane.is_some(), || "a shuffle has a lane".into())?;
        lane.map_or(Ok(()), |l| self.expect(l, Ty::U32))?;
        let fits = match op.combines() {
            Some(combine) => subgroup::identity(combine, ty).is_some(),
            None => op != SubgroupOp::Ballot || ty == Ty::Bool,
        };
        ensure(fits, || format!("{op} of {ty}"))
    }

    fn branch(&mut self, cond: Value, [then, other]: [&Region; 2], phis: &[Phi], scope: &mut Vec<Value>) -> Check {
        self.expect(cond, Ty::Bool)?;
        let inner = self.region(then)?;
        let types: Vec<Ty> = phis.iter().map(|p| self.carried(p.then)).collect::<Result<_, _>>()?;
        self.hide(inner);
        let inner = self.region(other)?;
        phis.iter().zip(&types).try_for_each(|(p, ty)| self.expect(p.other, *ty))?;
        self.hide(inner);
        for (p, ty) in phis.iter().zip(types) {
            self.define(p.dst, scope)?;
            self.expect(p.dst, ty)?;
        }
        Ok(())
    }

    fn looped(&mut self, params: &[Param], body: &Region, again: Value, scope: &mut Vec<Value>) -> Check {
        let types: Vec<Ty> = params.iter().map(|p| self.carried(p.init)).collect::<Result<_, _>>()?;
        let mut inside = Vec::new();
        for (p, ty) in params.iter().zip(&types) {
            self.define(p.dst, &mut inside)?;
            self.expect(p.dst, *ty)?;
        }
        inside.extend(self.region(body)?);
        self.expect(again, Ty::Bool)?;
        params.iter().zip(&types).try_for_each(|(p, ty)| self.expect(p.next, *ty))?;
        self.hide(inside);
        for (p, ty) in params.iter().zip(types) {
            self.define(p.result, scope)?;
            self.expect(p.result, ty)?;
        }
        Ok(())
    }

    fn op(&self, dst: Value, op: &Op) -> Check {
        let to = *self.kernel.values.get(dst.index()).ok_or("it has no type")?;
        let is_computed = !matches!(op, Op::Const(_) | Op::Load(_) | Op::Convert(_) | Op::Bitcast(_));
        ensure(!(is_computed && to.is_memory_only()), || format!("a computed {to}"))?;
        match op {
            Op::Const(bits) => {
                ensure(super::fold::truncate(to, *bits) == *bits, || format!("constant {bits:#x} is no {to}"))
            }
            Op::Builtin(_) => ensure(to == Ty::U32, || format!("a built-in is u32, not {to}")),
            Op::ArrayLength(i) => {
                ensure(to == Ty::U32, || format!("a length is u32, not {to}"))?;
                let binding = self.kernel.bindings.get(*i as usize).ok_or("no such binding")?;
                ensure(binding.runtime_stride.is_some(), || format!("{} has no runtime-sized array", binding.name))
            }
            Op::Unary(op, a) => {
                self.expect(*a, to)?;
                ensure(unary_fits(*op, to), || format!("{op:?} of {to}"))
            }
            Op::Binary(op, a, b) => self.binary(*op, *a, *b, to),
            Op::Fma(a, b, c) => {
                ensure(to.is_float(), || format!("fma of {to}"))?;
                [a, b, c].into_iter().try_for_each(|v| self.expect(*v, to))
            }
            Op::Select { cond, accept, reject } => {
                self.expect(*cond, Ty::Bool)?;
                self.expect(*accept, to)?;
                self.expect(*reject, to)
            }
            Op::Convert(a) => {
                let from = self.ty(*a)?;
                let narrow = if from.is_memory_only() { from } else { to };
                let fits = !narrow.is_memory_only() || [from, to].contains(&narrow.carrier());
                ensure(fits, || format!("conversion from {from} to {to}"))
            }
            Op::Bitcast(a) => {
                let from = self.ty(*a)?;
                let sizes = from.bytes() == to.bytes() && from != Ty::Bool && to != Ty::Bool;
                ensure(sizes, || format!("bitcast from {from} to {to}"))
            }
            Op::Load(place) => self.place(place, to),
        }
    }

    fn binary(&self, op: BinaryOp, a: Value, b: Value, to: Ty) -> Check {
        let ty = self.ty(a)?;
        let is_shift = matches!(op, BinaryOp::Shl | BinaryOp::Shr);
        self.expect(b, if is_shift { Ty::U32 } else { ty })?;
        ensure(!ty.is_memory_only(), || format!("{op:?} of {ty}"))?;
        let result = if op.is_comparison() { Ty::Bool } else { ty };
        ensure(to == result, || format!("{op:?} gives {result}, not {to}"))?;
        ensure(binary_fits(op, ty), || format!("{op:?} of {ty}"))
    }

    fn place(&self, place: &Place, ty: Ty) -> Check {
        for step in &place.steps {
            let index = self.ty(step.index)?;
            ensure(matches!(index, Ty::I32 | Ty::U32), || format!("an index of type {index}"))?;
            ensure(step.stride > 0 && step.len != Len::Const(0), || "a step of no bytes or elements".into())?;
        }
        let k = self.kernel;
        let is_wide = !(ty.is_memory_only() && matches!(place.base, Base::Private(_)));
        ensure(is_wide, || format!("{ty} in private memory"))?;
        let (bytes, stride) = match place.base {
            Base::Binding(i) => {
                let b = k.bindings.get(i as usize).ok_or("a place in no binding")?;
                (b.fixed_bytes, b.runtime_stride)
            }
            Base::Workgroup(i) => (k.workgroup.get(i as usize).ok_or("a place in no variable")?.bytes, None),
            Base::Private(i) => (k.private.get(i as usize).ok_or("a place in no variable")?.bytes, None),
        };
        let mut reach = u64::from(place.offset) + u64::from(ty.bytes());
        let mut runtime = 0;
        for step in &place.steps {
            match step.len {
                Len::Const(n) => reach += u64::from(n - 1) * u64::from(step.stride),
                Len::Runtime => {
                    runtime += 1;
                    ensure(Some(step.stride) == stride, || "a runtime step of another stride".into())?;
                }
            }
        }
        let end = if runtime > 0 { u64::from(bytes) + u64::from(stride.unwrap_or(0)) } else { u64::from(bytes) };
        ensure(runtime < 2, || "two runtime steps".into())?;
        ensure(runtime == 0 || place.offset >= bytes, || "a runtime step before its array".into())?;
        ensure(reach <= end, || format!("a place reaches byte {reach} of {end}"))
    }
}

fn atomic_fits(op: AtomicOp, ty: Ty) -> bool {
    use AtomicOp::*;
    match ty {
        Ty::I32 | Ty::U32 | Ty::I64 | Ty::U64 => true,
        Ty::F32 => matches!(op, Load | Store | Add | Sub | Exchange),
        _ => false,
    }
}

fn unary_fits(op: UnaryOp, ty: Ty) -> bool {
    use UnaryOp::*;
    match op {
        Neg | Abs => ty != Ty::Bool,
        Not => !ty.is_float(),
        CountOneBits | ReverseBits | CountLeadingZeros | CountTrailingZeros | FirstLeadingBit | FirstTrailingBit => {
            !ty.is_float() && ty != Ty::Bool
        }
        QuantizeF16 => ty == Ty::F32,
        _ => ty.is_float(),
    }
}

fn binary_fits(op: BinaryOp, ty: Ty) -> bool {
    use BinaryOp::*;
    match op {
        Add | Sub | Mul | Div | Rem | Min | Max | Lt | Le | Gt | Ge => ty != Ty::Bool,
        And | Or | Xor => !ty.is_float(),
        MulHigh => matches!(ty, Ty::I32 | Ty::U32),
        Shl | Shr => !ty.is_float() && ty != Ty::Bool,
        Eq | Ne => true,
        Pow | Atan2 => ty.is_float(),
    }
}
