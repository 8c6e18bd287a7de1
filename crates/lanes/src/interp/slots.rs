//! Register slots of values, by their lives.
//!
//! Positions number the instructions in program order. A value used in a loop that it was defined before
//! lives to the end of that loop. Values that must share a register (a loop parameter and its result)
//! form a *web*, and a web also takes in the `next` value of a parameter where their lives do not
//! overlap, so that most loop updates need no copy. A linear scan then gives each web a slot; a slot is
//! free again at the position of its last use, because operations read a block before they write it.

use super::{liveness::live_values, select::converts_in_place};
use crate::{
    analysis::uniformity::Uniformity,
    ir::{Base, Inst, Kernel, Op, Param, Region, Value},
};
use std::collections::{BTreeSet, BinaryHeap};

/// Where values live.
pub(super) struct Slots {
    /// For each value: whether anything uses it.
    live: Vec<bool>,
    /// For each value: the value whose register it shares by being the same bits.
    root: Vec<Value>,
    /// For each root: index of its slot within its class; `u32::MAX` for none.
    index: Vec<u32>,
    /// Slots of each class.
    pub(super) counts: [u32; 3],
}

/// A kind of slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Scalar,
    Vector4,
    Vector8,
}

impl Slots {
    /// Assigns slots to all live values of a kernel.
    pub(super) fn new(kernel: &Kernel, uniformity: &Uniformity) -> Self {
        let live = live_values(kernel);
        let mut lives = Lives::new(kernel, uniformity, &live);
        lives.region(&kernel.body);
        let (index, counts) = lives.scan();
        let root = lives.root;
        Slots { live, root, index, counts }
    }

    /// Whether a value is used.
    pub(super) fn is_live(&self, value: Value) -> bool {
        self.live[value.index()]
    }

    /// The value whose bits a value shares.
    pub(super) fn root(&self, value: Value) -> Value {
        self.root[value.index()]
    }

    /// The index of a live value's slot within its class.
    pub(super) fn index(&self, value: Value) -> u32 {
        self.index[self.root(value).index()]
    }
}

/// The class of a value's slot.
pub(super) fn class(kernel: &Kernel, uniformity: &Uniformity, value: Value) -> Class {
    match (uniformity.is_uniform(value), kernel.ty(value).bytes()) {
        (true, _) => Class::Scalar,
        (false, 8) => Class::Vector8,
        (false, _) => Class::Vector4,
    }
}

/// Whether an operation only renames its operand's bits; the operand.
pub(super) fn renames(kernel: &Kernel, dst: Value, op: &Op) -> Option<Value> {
    match op {
        Op::Bitcast(a) => Some(*a),
        Op::Convert(a) if converts_in_place(kernel.ty(*a), kernel.ty(dst)) => Some(*a),
        _ => None,
    }
}

/// Whether the result of a loop parameter must keep the values of lanes that left the loop.
pub(super) fn must_blend(uniformity: &Uniformity, live: impl Fn(Value) -> bool, again: Value, p: &Param) -> bool {
    !uniformity.is_uniform(again) && live(p.result)
}

/// Whether a parameter and its result share a register: not where the one is scalar and the other not.
pub(super) fn result_shares(uniformity: &Uniformity, p: &Param) -> bool {
    uniformity.is_uniform(p.dst) == uniformity.is_uniform(p.result)
}

/// Lives of values while the kernel is walked.
struct Lives<'k> {
    kernel: &'k Kernel,
    uniformity: &'k Uniformity,
    live: &'k [bool],
    pos: u32,
    def: Vec<u32>,
    last: Vec<u32>,
    root: Vec<Value>,
    /// The representative of each root's web.
    web: Vec<Value>,
    /// Life of each web, by representative.
    span: Vec<(u32, u32)>,
    /// A slot that would save a copy, by representative.
    hint: Vec<Option<Value>>,
    loops: Vec<OpenLoop>,
    /// Roots in the order of their definition.
    order: Vec<Value>,
}

struct OpenLoop {
    start: u32,
    /// Values that live to the end of it.
    through: Vec<Value>,
}

impl<'k> Lives<'k> {
    fn new(kernel: &'k Kernel, uniformity: &'k Uniformity, live: &'k [bool]) -> Self {
        let n = kernel.values.len();
        let all: Vec<Value> = (0..n as u32).map(Value).collect();
        Lives {
            kernel,
            uniformity,
            live,
            pos: 0,
            def: vec![0; n],
            last: vec![0; n],
            root: all.clone(),
            web: all,
            span: vec![(u32::MAX, 0); n],
            hint: vec![None; n],
            loops: Vec::new(),
            order: Vec::new(),
        }
    }

    fn is_live(&self, v: Value) -> bool {
        self.live[v.index()]
    }

    fn define(&mut self, v: Value) {
        (self.def[v.index()], self.last[v.index()]) = (self.pos, self.pos);
        self.span[v.index()] = (self.pos, self.pos);
        self.order.push(v);
    }

    fn used(&mut self, v: Value) {
        let v = self.root[v.index()];
        self.touch(v, self.pos);
        // The outermost loop entered after the definition.
        let outer = self.loops.partition_point(|l| l.start <= self.def[v.index()]);
        if let Some(open) = self.loops.get_mut(outer) {
            open.through.push(v);
        }
    }

    fn touch(&mut self, v: Value, pos: u32) {
        let last = &mut self.last[v.index()];
        *last = (*last).max(pos);
        let web = self.web[v.index()].index();
        self.span[web].1 = self.span[web].1.max(pos);
    }

    fn region(&mut self, region: &'k Region) {
        region.insts.iter().for_each(|inst| self.inst(inst));
    }

    fn inst(&mut self, inst: &'k Inst) {
        self.pos += 1;
        match inst {
            Inst::Op { dst, op, .. } if self.is_live(*dst) => self.op(*dst, op),
            Inst::Op { .. } | Inst::Barrier { .. } => {}
            Inst::Subgroup { dst, value, lane, .. } if self.is_live(*dst) => {
                self.used(*value);
                lane.iter().for_each(|l| self.used(*l));
                self.define(*dst);
            }
            Inst::Subgroup { .. } => {}
            Inst::Store { place, value, .. } => {
                self.used(*value);
                place.steps.iter().for_each(|s| self.used(s.index));
            }
            Inst::Atomic { dst, place, value, compare, .. } => {
                self.used(*value);
                compare.iter().for_each(|v| self.used(*v));
                place.steps.iter().for_each(|s| self.used(s.index));
                if let Some(dst) = dst.filter(|d| self.is_live(*d)) {
                    // Lanes are written one by one while others are still read.
                    self.pos += 1;
                    self.define(dst);
                }
            }
            Inst::If { cond, then, other, phis, .. } => {
                self.used(*cond);
                self.region(then);
                // The other arm's mask is made from it.
                self.pos += 1;
                self.used(*cond);
                self.region(other);
                for phi in phis.iter().filter(|p| self.live[p.dst.index()]) {
                    self.pos += 1;
                    self.used(phi.then);
                    self.used(phi.other);
                    self.used(*cond);
                    self.define(phi.dst);
                    self.hint[phi.dst.index()] = Some(phi.other);
                }
            }
            Inst::Loop { params, body, again, .. } => self.loop_(params, body, *again),
        }
    }

    fn op(&mut self, dst: Value, op: &Op) {
        let mut private = false;
        op.operands(|v| self.used(v));
        if let Op::Load(place) = op {
            private = matches!(place.base, Base::Private(_));
        }
        if let Some(a) = renames(self.kernel, dst, op) {
            self.root[dst.index()] = self.root[a.index()];
            return;
        }
        if private {
            // Its lanes read their indices one by one while the result is written.
            self.pos += 1;
        }
        self.define(dst);
        if let Op::Const(_) = op {
            // Constants are written once: their slots are theirs.
            self.span[dst.index()] = (0, u32::MAX);
        }
    }

    fn loop_(&mut self, params: &'k [Param], body: &'k Region, again: Value) {
        let start = self.pos;
        for p in params {
            self.pos += 1;
            if self.is_live(p.dst) {
                self.used(p.init);
            }
            if self.is_live(p.dst) || self.is_live(p.result) {
                self.define(p.dst);
                self.hint[p.dst.index()] = Some(self.root[p.init.index()]);
            }
            if self.is_live(p.result) {
                self.define(p.result);
                if result_shares(self.uniformity, p) {
                    self.join(p.result, p.dst);
                }
            }
        }
        self.loops.push(OpenLoop { start: start + 1, through: Vec::new() });
        self.region(body);
        for p in params.iter().filter(|p| self.live[p.dst.index()] || self.live[p.result.index()]) {
            self.pos += 1;
            self.used(p.next);
        }
        self.pos += 1;
        self.used(again);
        let open = self.loops.pop().expect("pushed above");
        for v in open.through {
            self.touch(v, self.pos);
        }
        for p in params.iter().filter(|p| self.live[p.dst.index()] || self.live[p.result.index()]) {
            self.coalesce(p, again, start + params.len() as u32);
        }
        for p in params {
            self.keep_to_end(p);
        }
    }

    /// Parameters and results keep their registers through the whole loop.
    fn keep_to_end(&mut self, p: &Param) {
        for v in [p.dst, p.result] {
            if self.span[v.index()].0 != u32::MAX || self.web[v.index()] != v {
                let web = self.web[v.index()].index();
                self.span[web].1 = self.span[web].1.max(self.pos);
                // Later uses of a result count from here.
                if v == p.result {
                    self.def[v.index()] = self.pos;
                }
            }
        }
    }

    /// Lets `next` be computed in the register of its parameter where their lives do not overlap.
    fn coalesce(&mut self, p: &Param, again: Value, body_start: u32) {
        let next = self.root[p.next.index()];
        let web = self.web[next.index()];
        let same_class = class(self.kernel, self.uniformity, next) == class(self.kernel, self.uniformity, p.dst);
        let begins = self.span[web.index()].0;
        if !same_class
            || self.span[web.index()].1 == u32::MAX
            || must_blend(self.uniformity, |v| self.is_live(v), again, p)
            || (self.is_live(p.result) && !result_shares(self.uniformity, p))
            || begins <= body_start
            || self.last[p.dst.index()] > begins
            || self.web[p.dst.index()] == web
        {
            return;
        }
        self.join(web, p.dst);
    }

    /// Merges the web of `a` into that of `b`.
    fn join(&mut self, a: Value, b: Value) {
        let (from, into) = (self.web[a.index()], self.web[b.index()]);
        // Webs are small; only those of loops ever merge.
        for v in &self.order {
            if self.web[v.index()] == from {
                self.web[v.index()] = into;
            }
        }
        let (f, t) = (self.span[from.index()], self.span[into.index()]);
        self.span[into.index()] = (f.0.min(t.0), f.1.max(t.1));
    }

    /// The linear scan: slot indices by root, and how many slots each class has.
    fn scan(&self) -> (Vec<u32>, [u32; 3]) {
        let mut webs: Vec<Value> = self.order.iter().copied().filter(|v| self.web[v.index()] == *v).collect();
        webs.sort_by_key(|v| self.span[v.index()].0);
        let mut index = vec![u32::MAX; self.kernel.values.len()];
        let mut classes: [Free; 3] = Default::default();
        for v in webs {
            let (start, end) = self.span[v.index()];
            let free = &mut classes[class(self.kernel, self.uniformity, v) as usize];
            let hint = self.hint[v.index()].map_or(u32::MAX, |h| index[self.web[self.root[h.index()].index()].index()]);
            index[v.index()] = free.take(start, end, hint);
        }
        for v in &self.order {
            index[v.index()] = index[self.web[v.index()].index()];
        }
        (index, classes.map(|c| c.count))
    }
}

/// The slots of one class during the scan.
#[derive(Default)]
struct Free {
    count: u32,
    free: BTreeSet<u32>,
    /// End (negated: a max-heap) and slot of the lives in progress.
    active: BinaryHeap<(std::cmp::Reverse<u32>, u32)>,
}

impl Free {
    fn take(&mut self, start: u32, end: u32, hint: u32) -> u32 {
        while let Some((std::cmp::Reverse(until), slot)) = self.active.peek().copied() {
            if until > start {
                break;
            }
            self.active.pop();
            self.free.insert(slot);
        }
        let slot = if self.free.remove(&hint) {
            hint
        } else {
            self.free.pop_first().unwrap_or_else(|| {
                self.count += 1;
                self.count - 1
            })
        };
        self.active.push((std::cmp::Reverse(end), slot));
        slot
    }
}
