//! Divergent loops that run for one lane after the other, as rows of a sparse matrix are summed up.
//!
//! Where each iteration gathers from places that were just read, and the machine has no better gather than a load a lane,
//! vectors save nothing: the loop's operations are few, each gather puts words together, and all lanes wait for the one
//! with most iterations. One lane after the other, each makes its own iterations only, with one load an element. How many
//! these are and where they read does not depend on what was read, so the machine begins the next lanes meanwhile.
//!
//! The loop is written with all values uniform: what differs from lane to lane is stored in the frame before it, and read
//! there for the lane at hand; results are collected there.

use super::{Entry, Lower, Mode, Val, bounds::test_of};
use crate::{
    ir::{Base, BinaryOp, Inst, Op, Param, Region, Ty, Value},
    jit::{
        class::Class,
        mir::{Address, From, GSrc, Kind, Src},
        x64::{Cond, Isa, Size, VOp},
    },
};
use regalloc2::{Block, VReg};

/// Operations that a gather is worth, and a load of elements that follow one another.
const WORTH: [usize; 2] = [4, 3];
/// Iterations of a lane that are written one after the other.
const WRITTEN: usize = 4;

/// The values of all lanes of a block in the frame: the number of the first of its vectors.
type Stored = u32;

/// What a loop reads lane by lane and gives back.
struct Lanes<'a> {
    inputs: Vec<(Value, Stored)>,
    results: Vec<(&'a Param, Stored)>,
    mask: Option<Stored>,
}

impl<'k> Lower<'k> {
    /// Whether a loop that lanes leave one by one is better run for one after the other.
    pub(super) fn is_serial(&self, params: &[&Param], body: &Region, again: Value) -> bool {
        // The fuel is a lane's: an outer loop would never run out of it.
        if self.isa != Isa::Avx2 || self.large || self.depth > 1 || self.serial.is_some() {
            return false;
        }
        let counts = |p: &&&Param| self.step(p, p.next).is_some() && self.class(p.dst) == Class::Varying;
        let Some(counter) = params.iter().find(counts) else { return false };
        let is_word = |v: &Value| self.ty(*v).bytes() == 4 && self.ty(*v) != Ty::Bool;
        let words = params.iter().all(|p| is_word(&p.dst)) && self.varying_inputs(params, body).iter().all(is_word);
        words && self.tests_counter(counter, again) && self.gathers_much(params, counter, body)
    }

    /// Whether the loop goes on as long as a comparison of its counter with what is known before it says.
    fn tests_counter(&self, counter: &Param, again: Value) -> bool {
        let known = |v: &Value| self.env[v.index()].is_some();
        let counts = |v: &Value| *v == counter.dst || *v == counter.next;
        match self.def(again) {
            Some(Op::Binary(op, a, b)) if op.is_comparison() => counts(a) && known(b) || counts(b) && known(a),
            _ => false,
        }
    }

    /// Whether gathers outweigh the other operations, all of which are plain.
    fn gathers_much(&self, params: &[&Param], counter: &Param, body: &Region) -> bool {
        let [mut gathers, mut streams, mut operations] = [0; 3];
        for inst in &body.insts {
            let Inst::Op { op, .. } = inst else { return false };
            operations += usize::from(!matches!(op, Op::Const(_)));
            let Op::Load(place) = op else { continue };
            if matches!(place.base, Base::Private(_))
                || !place.steps.iter().all(|s| self.follows(params, counter, s.index))
            {
                return false;
            }
            match place.steps.as_slice() {
                [step] if step.index == counter.dst => streams += 1,
                steps => gathers += usize::from(steps.iter().any(|s| self.class(s.index) == Class::Varying)),
            }
        }
        gathers > 0 && streams > 0 && operations <= WORTH[0] * gathers + WORTH[1] * streams
    }

    /// Whether a value of the loop follows from its counter and what is known before, of all that the loop carries: then
    /// an address need not wait for the iteration before.
    fn follows(&self, params: &[&Param], counter: &Param, v: Value) -> bool {
        if self.env[v.index()].is_some() || v == counter.dst {
            return true;
        }
        let Some(op) = self.def(v).filter(|_| params.iter().all(|p| p.dst != v)) else { return false };
        let mut all = true;
        op.operands(|o| all = all && self.follows(params, counter, o));
        all
    }

    /// What differs from lane to lane and was there before the loop.
    fn varying_inputs(&self, params: &[&Param], body: &Region) -> Vec<Value> {
        let mut inputs = Vec::new();
        let mut read = |v: Value| {
            if self.env[v.index()].is_some() && !self.class(v).is_uniform() && !inputs.contains(&v) {
                inputs.push(v);
            }
        };
        params.iter().for_each(|p| read(p.init));
        body.insts.iter().for_each(|inst| inst.operands(&mut read));
        inputs
    }

    /// The loop over the lanes, and in it the loop of one.
    pub(super) fn serial_loop(&mut self, params: &[&Param], body: &'k Region, again: Value) {
        let lanes = self.store_lanes(params, body);
        let count = self.parts * self.lane_count();
        let (head, next, done) = (self.f.block(), self.later_block(), self.later_block());
        let lane = self.int();
        self.f.nodes[head.index()].params = vec![lane];
        self.f.nodes[head.index()].head = true;
        let first = self.imm(0);
        self.jump(head, vec![first]);
        self.at = head;
        self.skip_dead(lanes.mask, lane, next);
        self.push(Kind::Refuel, Vec::new());
        self.one_lane(&lanes, lane, |l| {
            l.test_streams(params, body, again);
            l.lane_loop(params, body, again);
            for (p, stored) in &lanes.results {
                l.store_result(p.result, in_lane(*stored, lane));
            }
        });
        self.jump(next, Vec::new());
        self.at = next;
        let (after, back) = (self.lea(Size::D, Address::at(From::Reg(lane), 1)), self.f.block());
        self.branch_to(Cond::B, Size::D, after, GSrc::Imm(count as i32), back, done);
        self.at = back;
        self.jump(head, vec![after]);
        self.at = done;
        for (p, stored) in lanes.results {
            let at = |part: usize| Src::Mem(Address::at(From::Frame(stored + part as u32), 0));
            let r = (0..self.parts).map(|part| self.v2(VOp::Movups, at(part))).collect();
            self.define(p.result, Val::Parts(r));
        }
    }

    /// Takes room for a value of all lanes.
    fn room(&mut self) -> Stored {
        let first = self.f.parked;
        self.f.parked += self.parts as u32;
        first
    }

    fn store_parts_in_frame(&mut self, r: &[VReg]) -> Stored {
        let first = self.room();
        for (part, r) in r.iter().enumerate() {
            self.store_vector(VOp::MovupsSt, *r, Address::at(From::Frame(first + part as u32), 0), None);
        }
        first
    }

    fn store_lanes<'p>(&mut self, params: &[&'p Param], body: &Region) -> Lanes<'p> {
        let mut inputs = Vec::new();
        for v in self.varying_inputs(params, body) {
            let r = self.vectors(v);
            inputs.push((v, self.store_parts_in_frame(&r)));
        }
        let mask = self.mask.clone().map(|mask| self.store_parts_in_frame(&mask));
        let used = params.iter().filter(|p| self.uses[p.result.index()] > 0);
        let used: Vec<&'p Param> = used.copied().collect();
        let results = used.into_iter().map(|p| (p, self.room())).collect();
        Lanes { inputs, results, mask }
    }

    /// Goes on with the next lane if this one has nothing to do.
    fn skip_dead(&mut self, mask: Option<Stored>, lane: VReg, next: Block) {
        let Some(mask) = mask else { return };
        let live = self.load(Size::D, in_lane(mask, lane));
        let (skip, on) = (self.f.block(), self.f.block());
        self.branch_to(Cond::E, Size::D, live, GSrc::Imm(0), skip, on);
        self.at = skip;
        self.jump(next, Vec::new());
        self.at = on;
    }

    /// Runs `f` for one lane: all values are uniform.
    fn one_lane(&mut self, lanes: &Lanes<'_>, lane: VReg, f: impl FnOnce(&mut Self)) {
        let mut others = Vec::new();
        for (v, stored) in &lanes.inputs {
            let at = in_lane(*stored, lane);
            let val = match self.ty(*v).is_float() {
                true => Val::Splat(self.v2(VOp::Broadcastss, Src::Mem(at))),
                false => Val::Gpr(self.load(Size::D, at)),
            };
            others.push((*v, self.env[v.index()].replace(Entry { val, splat: None, parts: None })));
        }
        let (mask, parts) = (self.mask.take(), std::mem::replace(&mut self.parts, 1));
        // Addresses so far are those of the first lane.
        let reached = std::mem::take(&mut self.made.reached);
        self.serial = Some(self.classes().all_uniform());
        self.scoped(f);
        self.serial = None;
        (self.mask, self.parts, self.made.reached) = (mask, parts, reached);
        for (v, entry) in others {
            self.env[v.index()] = entry;
        }
    }

    /// Where the counter stays below a value, tests before the loop that it stays inside the arrays that it is an index of.
    fn test_streams(&mut self, params: &[&Param], body: &Region, again: Value) {
        let Some(Op::Binary(BinaryOp::Lt, next, end)) = self.def(again) else { return };
        let Some(counter) = params.iter().find(|p| p.next == *next && self.ty(p.dst) == Ty::U32) else { return };
        let Some(bail) = self.bail.filter(|_| self.mode != Mode::Masked && !self.dirty) else { return };
        let (first, end) = (self.gpr(counter.init), self.gpr(*end));
        for inst in &body.insts {
            let Inst::Op { op: Op::Load(place), .. } = inst else { continue };
            let [step] = place.steps.as_slice() else { continue };
            let test = test_of(place, step);
            if step.index != counter.dst || self.made.tested.contains(&test) {
                continue;
            }
            let limit = self.limit(place, step);
            self.leave_if(Cond::Ae, Size::Q, first, limit, bail);
            self.leave_if(Cond::A, Size::Q, end, limit, bail);
            self.made.tested.push(test);
        }
    }

    /// The loop of a lane, some iterations written one after the other: they burn fuel once.
    fn lane_loop(&mut self, params: &[&Param], body: &'k Region, again: Value) {
        let (head, mut regs, _) = self.open_loop(params, &[], Vec::new());
        let exit = self.later_block();
        let used: Vec<&Param> = params.iter().filter(|p| self.uses[p.result.index()] > 0).copied().collect();
        let results = self.params(exit, &used.iter().map(|p| p.result).collect::<Vec<_>>());
        for _ in 0..WRITTEN {
            regs = self.scoped(|l| {
                params.iter().zip(&regs).for_each(|(p, r)| l.define_form(p.dst, r.clone()));
                l.insts(&body.insts);
                let next = params.iter().map(|p| l.in_form(p.next, p.dst)).collect();
                let last = l.arguments(used.iter().map(|p| (p.next, p.result)));
                let (on, leave) = (l.f.block(), l.later_block());
                l.branch_on(again, on, leave);
                l.at = leave;
                l.jump(exit, last);
                l.at = on;
                next
            });
        }
        self.jump(head, regs.concat());
        self.at = exit;
        used.iter().zip(results).for_each(|(p, r)| self.define_form(p.result, r));
    }

    fn store_result(&mut self, v: Value, at: Address) {
        let r = self.in_form(v, v)[0];
        match self.ty(v).is_float() {
            true => self.store_lane(Size::D, r, 0, at),
            false => self.store_gpr(Size::D, r, at),
        }
    }
}

/// The word of a lane.
fn in_lane(stored: Stored, lane: VReg) -> Address {
    Address { base: From::Frame(stored), index: Some((lane, 4, false)), disp: 0 }
}
