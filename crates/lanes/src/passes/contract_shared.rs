//! Contracts products that several sums share, where all of their uses are sums: each becomes one fused multiply-add,
//! and no multiplication is left.
//!
//! As [`contract_fma`](super::contract_fma()), for products that it leaves alone, and before loops are turned around:
//! what a loop's test and its body share is then carried no more. A product stays where a use lies in a loop that it
//! lies outside of, and where another one was taken into the same sum before.

use super::copies::fresh;
use crate::ir::{BinaryOp, Inst, Kernel, Op, Region, Ty, UnaryOp, Value};
use std::collections::HashMap;

/// Runs the pass.
pub fn contract_shared(kernel: &mut Kernel) {
    let mut survey = Survey { types: &kernel.values, products: Vec::new(), number: HashMap::new(), here: 0, loops: 0 };
    survey.region(&kernel.body);
    // Which product each sum takes in.
    let mut taken: HashMap<Value, Product> = HashMap::new();
    for product in survey.products {
        let shared = product.sums.len() > 1 && product.is_free && product.sums.iter().all(|s| !taken.contains_key(s));
        if shared {
            for sum in product.sums.clone() {
                taken.insert(sum, product.clone());
            }
        }
    }
    if !taken.is_empty() {
        fuse(&mut kernel.body, &mut kernel.values, &taken);
    }
}

/// A multiplication of floats.
#[derive(Clone)]
struct Product {
    value: Value,
    factors: [Value; 2],
    /// The innermost loop around it.
    inside: usize,
    /// The sums and differences that it is one side of.
    sums: Vec<Value>,
    /// Whether these are all of its uses.
    is_free: bool,
}

struct Survey<'k> {
    types: &'k [Ty],
    products: Vec<Product>,
    number: HashMap<Value, usize>,
    /// The innermost loop, and the number of loops so far.
    here: usize,
    loops: usize,
}

impl Survey<'_> {
    fn region(&mut self, region: &Region) {
        for inst in &region.insts {
            let sum = match inst {
                Inst::Op { dst, op: Op::Binary(BinaryOp::Add | BinaryOp::Sub, a, b), .. } if a != b => Some(*dst),
                _ => None,
            };
            inst.operands(|v| self.note(v, sum));
            if let Inst::Op { dst, op: Op::Binary(BinaryOp::Mul, a, b), .. } = inst
                && matches!(self.types[dst.index()], Ty::F32 | Ty::F64)
            {
                self.number.insert(*dst, self.products.len());
                let (value, inside) = (*dst, self.here);
                self.products.push(Product { value, factors: [*a, *b], inside, sums: Vec::new(), is_free: true });
            }
            let outer = self.here;
            if matches!(inst, Inst::Loop { .. }) {
                self.loops += 1;
                self.here = self.loops;
            }
            inst.regions().for_each(|r| self.region(r));
            self.here = outer;
            self.note_ends(inst);
        }
    }

    /// What branches and loops make of values is read at their ends.
    fn note_ends(&mut self, inst: &Inst) {
        match inst {
            Inst::If { .. } | Inst::Loop { .. } => inst.operands(|v| self.note(v, None)),
            _ => {}
        }
    }

    fn note(&mut self, v: Value, sum: Option<Value>) {
        let Some(product) = self.number.get(&v).map(|n| &mut self.products[*n]) else { return };
        match sum {
            Some(sum) if product.inside == self.here => product.sums.push(sum),
            _ => product.is_free = false,
        }
    }
}

/// Replaces sums by fused operations.
fn fuse(region: &mut Region, types: &mut Vec<Ty>, taken: &HashMap<Value, Product>) {
    let mut out = Vec::with_capacity(region.insts.len());
    for mut inst in std::mem::take(&mut region.insts) {
        inst.regions_mut().for_each(|r| fuse(r, types, taken));
        if let Inst::Op { dst, op: op @ Op::Binary(..), span } = &mut inst
            && let Some(product) = taken.get(dst)
            && let Op::Binary(operation, left, right) = *op
        {
            let [mut a, b] = product.factors;
            let is_right = right == product.value;
            let mut c = if is_right { left } else { right };
            if operation == BinaryOp::Sub {
                let negated = if is_right { &mut a } else { &mut c };
                let name = fresh(types, types[negated.index()]);
                out.push(Inst::Op { dst: name, op: Op::Unary(UnaryOp::Neg, *negated), span: *span });
                *negated = name;
            }
            *op = Op::Fma(a, b, c);
        }
        out.push(inst);
    }
    region.insts = out;
}
