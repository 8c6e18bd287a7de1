//! The pass that leaves no function in a kernel.

use super::{
    emit::{Code, Emit},
    functions, library,
};
use crate::ir::{BinaryOp, Inst, Kernel, Op, Region, Ty, UnaryOp, Value, substitute};
use naga::Span;
use std::{cell::RefCell, collections::HashMap};

/// Replaces every transcendental operation and every inverse square root by instructions that give the
/// same bits.
///
/// What follows must not fuse a multiplication and an addition: contraction comes before. Rare cases
/// become branches under conditions that hardly ever hold. Constants are put before the body.
pub fn expand(kernel: &mut Kernel) {
    let mut body = std::mem::take(&mut kernel.body);
    let code = RefCell::new(Code {
        values: &mut kernel.values,
        constants: HashMap::new(),
        prologue: Vec::new(),
        open: Vec::new(),
        span: Span::UNDEFINED,
    });
    let mut renamed = HashMap::new();
    expand_region(&code, &mut body, &mut renamed, true);
    let mut insts = code.into_inner().prologue;
    insts.append(&mut body.insts);
    body.insts = insts;
    if !renamed.is_empty() {
        substitute(&mut body, &mut |v| renamed.get(&v).copied().unwrap_or(v));
    }
    kernel.body = body;
}

/// Expands what is in a region; `renamed` gets the new names of the results.
fn expand_region(code: &RefCell<Code<'_>>, region: &mut Region, renamed: &mut HashMap<Value, Value>, is_body: bool) {
    code.borrow_mut().open.push(Vec::with_capacity(region.insts.len()));
    for mut inst in std::mem::take(&mut region.insts) {
        inst.regions_mut().for_each(|inner| expand_region(code, inner, renamed, false));
        if let Inst::Op { dst, op, span } = &inst {
            let ty = code.borrow().values[dst.index()];
            code.borrow_mut().span = *span;
            if let (Op::Const(bits), true) = (op, is_body) {
                code.borrow_mut().constants.entry((ty, *bits)).or_insert(*dst);
            }
            if let Some(result) = function(code, ty, op) {
                renamed.insert(*dst, result);
                continue;
            }
        }
        code.borrow_mut().push(inst);
    }
    region.insts = code.borrow_mut().open.pop().unwrap_or_default();
}

/// Emits the function that an operation is, if it is one. Operands that were functions themselves have their old
/// names until all is done.
fn function(code: &RefCell<Code<'_>>, ty: Ty, op: &Op) -> Option<Value> {
    macro_rules! emit {
        ([$($unary:ident $name1:ident),*] [$($binary:ident $name2:ident),*]) => {
            match (ty, op) {
                $(
                    (Ty::F32, Op::Unary(UnaryOp::$unary, x)) => Some(library::$name1(&Emit::<f32>::new(code), *x)),
                    (Ty::F64, Op::Unary(UnaryOp::$unary, x)) => Some(library::$name1(&Emit::<f64>::new(code), *x)),
                )*
                $(
                    (Ty::F32, Op::Binary(BinaryOp::$binary, x, y)) => {
                        Some(library::$name2(&Emit::<f32>::new(code), *x, *y))
                    }
                    (Ty::F64, Op::Binary(BinaryOp::$binary, x, y)) => {
                        Some(library::$name2(&Emit::<f64>::new(code), *x, *y))
                    }
                )*
                _ => None,
            }
        };
    }
    functions!(emit)
}
