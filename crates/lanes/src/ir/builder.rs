//! Builds a [`Kernel`](super::Kernel)'s body region by region: constant folding, value numbering, hoisting of what a loop
//! does not change, removal of trivial phis and params.
//!
//! Regions are opened and closed like brackets. A value is *visible* while the region it was defined in is
//! open. Every pure operation is total, so it may move out of a loop and small pure branches
//! become selects. Constants, built-ins, lengths and uniforms at fixed places live in a prologue before the body.

use super::{
    AtomicOp, BarrierScope, Base, BinaryOp, Builtin, Inst, Op, Param, Phi, Place, Region, SubgroupOp, Ty, UnaryOp,
    Value, fold, simplify, weight::weight,
};
use naga::Span;
use std::collections::HashMap;

/// Weight up to which both branches of an `if` without effects are computed and selected from.
const SPECULATE: u32 = 16;

/// What the builder must know of a binding.
#[derive(Clone, Copy, Debug)]
pub struct BindingKind {
    /// Its contents cannot change during a run: loads may be merged and moved.
    pub read_only: bool,
    /// `var<uniform>`.
    pub uniform: bool,
}

struct Open {
    id: u32,
    is_loop: bool,
    insts: Vec<Inst>,
}

/// A region that was closed and waits to become part of an `if` or a loop.
pub struct Closed {
    id: u32,
    insts: Vec<Inst>,
}

/// See the [module](self).
pub struct Builder {
    /// Where the next instructions come from.
    pub span: Span,
    values: Vec<Ty>,
    defs: Vec<Option<Op>>,
    /// Region that each value was defined in.
    home: Vec<u32>,
    /// Position of each region in `stack` while it is open.
    depth: Vec<Option<usize>>,
    /// The prologue, the body, then nested regions.
    stack: Vec<Open>,
    known: HashMap<(Op, Ty), Value>,
    /// Params found to be another value after their uses were emitted.
    replaced: HashMap<Value, Value>,
    bindings: Vec<BindingKind>,
    count: usize,
}

impl Builder {
    /// An empty body over the given bindings.
    pub fn new(bindings: Vec<BindingKind>) -> Self {
        let mut builder = Builder {
            span: Span::UNDEFINED,
            values: Vec::new(),
            defs: Vec::new(),
            home: Vec::new(),
            depth: Vec::new(),
            stack: Vec::new(),
            known: HashMap::new(),
            replaced: HashMap::new(),
            bindings,
            count: 0,
        };
        builder.open(false);
        builder.open(false);
        builder
    }

    /// Instructions emitted so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Open regions below the body.
    pub fn nesting(&self) -> usize {
        self.stack.len().saturating_sub(2)
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> Ty {
        self.values[value.index()]
    }

    /// The operation that defines a value, unless it is a phi, a param or an atomic's result.
    pub fn def(&self, value: Value) -> Option<&Op> {
        self.defs[value.index()].as_ref()
    }

    /// The bits of a constant.
    pub fn as_const(&self, value: Value) -> Option<u64> {
        match self.def(value) {
            Some(Op::Const(bits)) => Some(*bits),
            _ => None,
        }
    }

    /// The truth of a constant Bool.
    pub fn as_bool(&self, value: Value) -> Option<bool> {
        self.as_const(value).map(|bits| bits != 0)
    }

    /// What a value is known as now.
    pub fn resolve(&self, mut value: Value) -> Value {
        while let Some(&next) = self.replaced.get(&value) {
            value = next;
        }
        value
    }

    fn is_visible(&self, value: Value) -> bool {
        self.depth[self.home[value.index()] as usize].is_some()
    }

    fn fresh_in(&mut self, ty: Ty, def: Option<Op>, region: u32) -> Value {
        let value = Value(self.values.len() as u32);
        self.values.push(ty);
        self.defs.push(def);
        self.home.push(region);
        value
    }

    fn fresh(&mut self, ty: Ty) -> Value {
        let region = self.stack[self.stack.len() - 1].id;
        self.fresh_in(ty, None, region)
    }

    fn push(&mut self, inst: Inst) {
        self.count += 1;
        let top = self.stack.len() - 1;
        self.stack[top].insts.push(inst);
    }

    /// A constant of the type with these bits.
    pub fn constant(&mut self, ty: Ty, bits: u64) -> Value {
        self.op(ty, Op::Const(fold::truncate(ty, bits)))
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) -> Value {
        self.constant(Ty::Bool, value.into())
    }

    /// A U32 constant.
    pub fn u32(&mut self, value: u32) -> Value {
        self.constant(Ty::U32, value.into())
    }

    /// A built-in input.
    pub fn builtin(&mut self, builtin: Builtin) -> Value {
        self.op(Ty::U32, Op::Builtin(builtin))
    }

    /// `op a`.
    pub fn unary(&mut self, op: UnaryOp, a: Value) -> Value {
        self.op(self.ty(a), Op::Unary(op, a))
    }

    /// `a op b`.
    pub fn binary(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        let ty = if op.is_comparison() { Ty::Bool } else { self.ty(a) };
        self.op(ty, Op::Binary(op, a, b))
    }

    /// The logical complement, comparisons of integers inverted.
    pub fn not(&mut self, a: Value) -> Value {
        self.unary(UnaryOp::Not, a)
    }

    /// `if cond { accept } else { reject }`.
    pub fn select(&mut self, cond: Value, accept: Value, reject: Value) -> Value {
        self.op(self.ty(accept), Op::Select { cond, accept, reject })
    }

    /// The value converted to a type.
    pub fn convert(&mut self, ty: Ty, a: Value) -> Value {
        self.op(ty, Op::Convert(a))
    }

    /// The value's bits as another type of its size.
    pub fn bitcast(&mut self, ty: Ty, a: Value) -> Value {
        self.op(ty, Op::Bitcast(a))
    }

    /// The value at a place.
    pub fn load(&mut self, ty: Ty, place: Place) -> Value {
        self.op(ty, Op::Load(place))
    }

    /// Any operation: simplified, folded, merged with an equal one, else emitted.
    pub fn op(&mut self, ty: Ty, mut op: Op) -> Value {
        op.operands_mut(|v| *v = self.resolve(*v));
        let op = match simplify::step(self, ty, op) {
            simplify::Step::Value(value) => return value,
            simplify::Step::Op(op) => op,
        };
        let mergeable = self.is_mergeable(&op);
        if mergeable && let Some(value) = self.lookup(&op, ty) {
            return value;
        }
        let at = self.placement(&op, mergeable);
        let region = self.stack[at].id;
        let dst = self.fresh_in(ty, Some(op.clone()), region);
        if mergeable {
            self.known.insert((op.clone(), ty), dst);
        }
        self.count += 1;
        let span = self.span;
        self.stack[at].insts.push(Inst::Op { dst, op, span });
        dst
    }

    fn lookup(&self, op: &Op, ty: Ty) -> Option<Value> {
        let find = |op: Op| self.known.get(&(op, ty)).copied().filter(|v| self.is_visible(*v));
        find(op.clone()).or_else(|| match *op {
            Op::Binary(o, a, b) if simplify::is_commutative(o, self.ty(a)) => find(Op::Binary(o, b, a)),
            _ => None,
        })
    }

    /// Whether two equal operations always give the same: all but loads of memory that may change.
    fn is_mergeable(&self, op: &Op) -> bool {
        match op {
            Op::Load(place) => self.binding(place).is_some_and(|b| b.read_only),
            _ => true,
        }
    }

    fn binding(&self, place: &Place) -> Option<BindingKind> {
        match place.base {
            Base::Binding(i) => self.bindings.get(i as usize).copied(),
            Base::Workgroup(_) | Base::Private(_) => None,
        }
    }

    /// The open region that an operation goes to: out of every loop that does not change its operands.
    fn placement(&self, op: &Op, mergeable: bool) -> usize {
        let top = self.stack.len() - 1;
        let uniform_load = match op {
            Op::Load(place) => self.binding(place).is_some_and(|b| b.uniform),
            _ => true,
        };
        // A load of storage may cost memory traffic that a guard avoids: it stays.
        if !mergeable || !uniform_load {
            return top;
        }
        let mut needs = 0;
        let mut leaf = true;
        op.operands(|v| {
            leaf = false;
            needs = needs.max(self.depth[self.home[v.index()] as usize].unwrap_or(top));
        });
        if leaf {
            return 0;
        }
        let outer = (needs + 1..=top).find(|&i| self.stack[i].is_loop);
        outer.map_or(top, |i| i - 1)
    }

    /// A store under the current mask.
    pub fn store(&mut self, mut place: Place, value: Value) {
        self.resolve_place(&mut place);
        let (value, span) = (self.resolve(value), self.span);
        self.push(Inst::Store { place, value, span });
    }

    /// A store before the body, of constants to fixed places: a table filled once.
    pub fn store_first(&mut self, place: Place, value: Value) {
        self.count += 1;
        let span = self.span;
        self.stack[0].insts.push(Inst::Store { place, value, span });
    }

    /// An atomic; gives the old value.
    pub fn atomic(&mut self, op: AtomicOp, mut place: Place, value: Value, compare: Option<Value>) -> Value {
        self.resolve_place(&mut place);
        let (value, compare) = (self.resolve(value), compare.map(|c| self.resolve(c)));
        let dst = self.fresh(self.ty(value));
        let span = self.span;
        let result = (op != AtomicOp::Store).then_some(dst);
        self.push(Inst::Atomic { dst: result, op, place, value, compare, span });
        dst
    }

    /// A subgroup operation; its result.
    pub fn subgroup(&mut self, op: SubgroupOp, value: Value, lane: Option<Value>) -> Value {
        let (value, lane) = (self.resolve(value), lane.map(|l| self.resolve(l)));
        let dst = self.fresh(op.result(self.ty(value)));
        let span = self.span;
        self.push(Inst::Subgroup { dst, op, value, lane, span });
        dst
    }

    /// A barrier.
    pub fn barrier(&mut self, scope: BarrierScope) {
        let span = self.span;
        self.push(Inst::Barrier { scope, span });
    }

    fn resolve_place(&self, place: &mut Place) {
        place.steps.iter_mut().for_each(|s| s.index = self.resolve(s.index));
    }

    fn open(&mut self, is_loop: bool) {
        let id = self.depth.len() as u32;
        self.depth.push(Some(self.stack.len()));
        self.stack.push(Open { id, is_loop, insts: Vec::new() });
    }

    /// Opens a branch of an `if`.
    pub fn open_branch(&mut self) {
        self.open(false);
    }

    /// Closes the branch opened last.
    pub fn close(&mut self) -> Closed {
        let top = self.stack.pop().expect("regions are opened before they are closed");
        self.depth[top.id as usize] = None;
        Closed { id: top.id, insts: top.insts }
    }

    /// Ends an `if` whose branches were closed; `pairs` are (value after `then`, value after `other`). A branch
    /// that `stays` is never turned into selects.
    pub fn end_if(
        &mut self,
        cond: Value,
        then: Closed,
        other: Closed,
        pairs: &[(Value, Value)],
        stays: bool,
    ) -> Vec<Value> {
        let cond = self.resolve(cond);
        let is_empty = then.insts.is_empty() && other.insts.is_empty();
        let speculate = match (self.weight(&then), self.weight(&other)) {
            (Some(a), Some(b)) => a + b <= SPECULATE && (!stays || is_empty),
            _ => false,
        };
        if speculate {
            self.splice(then);
            self.splice(other);
            return pairs.iter().map(|&(a, b)| self.select(cond, a, b)).collect();
        }
        let mut phis = Vec::new();
        let mut merged = Vec::with_capacity(pairs.len());
        for &(a, b) in pairs {
            let (a, b) = (self.resolve(a), self.resolve(b));
            merged.push(self.merge(cond, a, b).unwrap_or_else(|| {
                let dst = self.fresh(self.ty(a));
                phis.push(Phi { dst, then: a, other: b });
                dst
            }));
        }
        let span = self.span;
        let (then, other) = (Region { insts: then.insts }, Region { insts: other.insts });
        self.push(Inst::If { cond, then, other, phis, span });
        merged
    }

    /// The merged value where no phi is needed.
    fn merge(&mut self, cond: Value, a: Value, b: Value) -> Option<Value> {
        if a == b {
            return Some(a);
        }
        if self.ty(a) != Ty::Bool {
            return None;
        }
        match (self.as_bool(a), self.as_bool(b)) {
            (Some(_), Some(_)) => Some(self.select(cond, a, b)),
            (Some(_), None) if self.is_visible(b) => Some(self.select(cond, a, b)),
            (None, Some(_)) if self.is_visible(a) => Some(self.select(cond, a, b)),
            _ => None,
        }
    }

    /// Cost of a region of pure operations; `None` where it has effects, control flow or loads of storage.
    fn weight(&self, region: &Closed) -> Option<u32> {
        region.insts.iter().try_fold(0u32, |sum, inst| match inst {
            Inst::Op { op: Op::Load(place), .. } if !self.binding(place).is_some_and(|b| b.uniform) => None,
            Inst::Op { op, dst, .. } => Some(sum.saturating_add(weight(op, self.ty(*dst)))),
            _ => None,
        })
    }

    /// Moves a closed region's instructions into the current one.
    fn splice(&mut self, region: Closed) {
        let at = self.stack.len() - 1;
        let id = self.stack[at].id;
        for inst in region.insts {
            if let Inst::Op { dst, .. } = &inst {
                debug_assert_eq!(self.home[dst.index()], region.id);
                self.home[dst.index()] = id;
            }
            self.stack[at].insts.push(inst);
        }
    }

    /// Opens a loop that carries values, given what they are before it; their names inside.
    pub fn open_loop(&mut self, inits: &[Value]) -> Vec<Value> {
        self.open(true);
        inits.iter().map(|&v| self.fresh(self.ty(v))).collect()
    }

    /// Ends the loop opened last: `params` are (before it, name inside, at the end of an iteration);
    /// their values after it.
    pub fn end_loop(&mut self, params: &[(Value, Value, Value)], again: Value) -> Vec<Value> {
        let again = self.resolve(again);
        let body = self.close();
        let (mut carried, mut results) = (Vec::new(), Vec::with_capacity(params.len()));
        for &(init, dst, next) in params {
            let (init, next) = (self.resolve(init), self.resolve(next));
            if next == dst || next == init {
                self.replaced.insert(dst, init);
                results.push(init);
            } else {
                let result = self.fresh(self.ty(dst));
                carried.push(Param { dst, init, next, result });
                results.push(result);
            }
        }
        let span = self.span;
        self.push(Inst::Loop { params: carried, body: Region { insts: body.insts }, again, span });
        results
    }

    /// The finished body and the types of its values.
    pub fn finish(mut self) -> (Region, Vec<Ty>) {
        let body = self.close();
        let mut insts = self.close().insts;
        insts.extend(body.insts);
        let mut region = Region { insts };
        if !self.replaced.is_empty() {
            super::substitute(&mut region, &mut |v| self.resolve(v));
        }
        (region, self.values)
    }
}

impl simplify::Context for Builder {
    fn ty(&self, value: Value) -> Ty {
        Builder::ty(self, value)
    }

    fn def(&self, value: Value) -> Option<&Op> {
        Builder::def(self, value)
    }

    fn op(&mut self, ty: Ty, op: Op) -> Value {
        Builder::op(self, ty, op)
    }
}
