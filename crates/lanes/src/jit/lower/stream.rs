//! Lanes that each read elements one after the other in a divergent loop, as rows of a sparse matrix are read.
//!
//! A load at an index that grows by 1 in each iteration would be a gather each time. Instead, every [`STEPS`]
//! iterations each lane reads so many elements at once, and these are transposed into the frame: a vector for each of
//! the iterations to come. Where a live lane would read past the end of the array, the elements are gathered.

use super::Lower;
use crate::{
    ir::{Base, BinaryOp, Inst, Op, Param, Place, Region, Ty, Value},
    jit::{
        class::{Class, WhileForm, has_effects},
        mir::{Address, From, GSrc, Src},
        x64::{Cond, Isa, Size, VOp},
    },
};
use regalloc2::VReg;

/// Iterations that elements are read for.
const STEPS: usize = 4;

/// A load of a loop.
#[derive(Clone, Debug)]
pub(super) struct Stream<'k> {
    dst: Value,
    place: &'k Place,
    /// The number of its first vector in the frame: for each iteration a vector a part.
    vectors: u32,
    /// Bytes of the iterations so far, modulo those of [`STEPS`]: known once elements were read.
    at: Option<VReg>,
}

impl<'k> Lower<'k> {
    /// Notes the loads of a loop that are read ahead: those at one counter.
    pub(super) fn find_streams(&mut self, params: &[&Param], body: &'k Region, form: Option<&WhileForm<'k>>) {
        if self.isa != Isa::Avx2 || form.is_some() || has_effects(body, true) {
            return;
        }
        let Some(counter) = params.iter().find(|p| self.steps_by_one(p)) else { return };
        for inst in &body.insts {
            let Inst::Op { dst, op: Op::Load(place), .. } = inst else { continue };
            let is_step = matches!(place.steps.as_slice(), [step] if step.index == counter.dst && step.stride == 4);
            let is_word = self.ty(*dst).bytes() == 4 && self.ty(*dst) != Ty::Bool;
            if is_step && is_word && matches!(place.base, Base::Binding(_)) {
                let vectors = self.f.parked;
                self.f.parked += (STEPS * self.parts) as u32;
                self.streams.push(Stream { dst: *dst, place, vectors, at: None });
            }
        }
    }

    /// Whether a parameter differs from lane to lane and is one more in each iteration.
    fn steps_by_one(&self, p: &Param) -> bool {
        let one = |v: Value| self.classes().constant(v) == Some(1);
        let grows = match self.def(p.next) {
            Some(Op::Binary(BinaryOp::Add, a, b)) => *a == p.dst && one(*b) || *b == p.dst && one(*a),
            _ => false,
        };
        grows && matches!(self.ty(p.dst), Ty::U32 | Ty::I32) && self.class(p.dst) == Class::Varying
    }

    /// Before a loop: makes its first iteration read.
    pub(super) fn start_streams(&mut self, first: usize) -> Option<Address> {
        if self.streams.len() == first {
            return None;
        }
        let counter = Address::at(From::Frame(self.f.parked), 0);
        self.f.parked += 1;
        self.store_imm(counter, 0);
        Some(counter)
    }

    /// At the start of an iteration: reads elements if all that were read are used up.
    pub(super) fn advance_streams(&mut self, first: usize, counter: Address) {
        let bytes = self.lane_count() * 4 * self.parts;
        let at = self.load(Size::D, counter);
        let next = self.lea(Size::D, Address::at(From::Reg(at), bytes as i32));
        let (read, skip, on) = (self.f.block(), self.f.block(), self.f.block());
        self.branch_to(Cond::E, Size::D, at, GSrc::Imm(0), read, skip);
        self.at = skip;
        self.jump(on, Vec::new());
        self.at = read;
        self.scoped(|l| l.read_streams(first, on));
        self.at = on;
        // The last iteration of those read for is followed by a first one.
        let last = self.imm(((STEPS - 1) * bytes) as u64);
        let zero = self.imm(0);
        let next = self.move_if(Cond::E, Size::D, at, GSrc::Reg(last), zero, next);
        self.store_gpr(Size::D, next, counter);
        self.streams[first..].iter_mut().for_each(|s| s.at = Some(at));
    }

    /// Reads the elements of the next iterations.
    fn read_streams(&mut self, first: usize, on: regalloc2::Block) {
        let streams = self.streams[first..].to_vec();
        let Some(live) = self.mask.clone() else { return self.jump(on, Vec::new()) };
        let index = self.vectors(streams[0].place.steps[0].index);
        let mut bad = Vec::new();
        for (index, live) in index.iter().zip(&live) {
            let inside = self.all_inside(&streams, *index);
            bad.push(self.v3r(VOp::Andn, inside, *live));
        }
        let (apart, together) = (self.f.block(), self.f.block());
        self.f.nodes[apart.index()].cold = true;
        self.branch_any(&bad, apart, together);
        self.at = together;
        self.scoped(|l| l.read_together(&streams, &index, &live));
        self.jump(on, Vec::new());
        self.at = apart;
        self.scoped(|l| l.read_apart(&streams, &index, &live));
        self.jump(on, Vec::new());
    }

    /// The lanes in which all elements of all streams are inside their arrays.
    fn all_inside(&mut self, streams: &[Stream<'k>], index: VReg) -> VReg {
        let more = self.const_src(4, STEPS as u64 - 1);
        let last = self.v3(VOp::Addd, index, more);
        // Where it wraps, the first one is the larger.
        let most = self.v3r(VOp::Maxud, last, index);
        let mut inside: Option<VReg> = None;
        for place in distinct(streams) {
            let limit = self.vector_limit(place, &place.steps[0]);
            let own = self.compare_vectors(BinaryOp::Lt, Ty::U32, &[most], &[limit])[0];
            inside = Some(inside.map_or(own, |all| self.mask_and(all, own)));
        }
        inside.unwrap_or_else(|| self.constant_mask(true))
    }

    /// Each lane reads its elements at once; lanes that left read the first ones of the array. It has as many: live
    /// lanes are inside, and there are such.
    fn read_together(&mut self, streams: &[Stream<'k>], index: &[VReg], live: &[VReg]) {
        let lanes = self.lane_count();
        for (part, (index, live)) in index.iter().zip(live).enumerate() {
            let index = self.v3r(VOp::And, *index, *live);
            self.put_slot(0, &[index]);
            let slot = self.slot(0, 0);
            let offsets: Vec<VReg> = (0..lanes).map(|l| self.load(Size::D, slot.plus(4 * l as i32))).collect();
            for stream in streams {
                let origin = self.origin(stream.place);
                let address = |l: usize| Address { index: Some((offsets[l], 4, false)), ..origin };
                let rows = std::array::from_fn(|l| self.load_halves(address(l), address(l + lanes / 2)));
                for (step, r) in self.transpose(rows).into_iter().enumerate() {
                    self.keep_step(stream, step, part, r);
                }
            }
        }
    }

    /// Each element is gathered.
    fn read_apart(&mut self, streams: &[Stream<'k>], index: &[VReg], live: &[VReg]) {
        for (part, (index, live)) in index.iter().zip(live).enumerate() {
            for step in 0..STEPS {
                let distance = self.const_src(4, step as u64);
                let index = self.v3(VOp::Addd, *index, distance);
                for stream in streams {
                    let limit = self.vector_limit(stream.place, &stream.place.steps[0]);
                    let inside = self.compare_vectors(BinaryOp::Lt, Ty::U32, &[index], &[limit])[0];
                    let mask = self.mask_and(inside, *live);
                    let origin = self.origin(stream.place);
                    let r = self.gather_words(origin, index, 4, mask);
                    self.keep_step(stream, step, part, r);
                }
            }
        }
    }

    fn keep_step(&mut self, stream: &Stream<'k>, step: usize, part: usize, r: VReg) {
        let number = stream.vectors + (step * self.parts + part) as u32;
        self.store_vector(VOp::MovupsSt, r, Address::at(From::Frame(number), 0), None);
    }

    /// The vectors of a load in this iteration, if it is one that was read ahead.
    pub(super) fn streamed(&mut self, dst: Value) -> Option<Vec<VReg>> {
        let stream = self.streams.iter().find(|s| s.dst == dst)?;
        let (at, first) = (stream.at?, stream.vectors);
        let address =
            |p: usize| Address { index: Some((at, 1, false)), ..Address::at(From::Frame(first + p as u32), 0) };
        Some((0..self.parts).map(|p| self.v2(VOp::Movups, Src::Mem(address(p)))).collect())
    }
}

/// One place of each array.
fn distinct<'a, 'k>(streams: &'a [Stream<'k>]) -> impl Iterator<Item = &'k Place> + 'a {
    let key = |s: &Stream<'k>| (s.place.base, s.place.steps[0].len);
    let is_first = move |(i, s): &(usize, &Stream<'k>)| streams[..*i].iter().all(|other| key(other) != key(s));
    streams.iter().enumerate().filter(is_first).map(|(_, s)| s.place)
}
