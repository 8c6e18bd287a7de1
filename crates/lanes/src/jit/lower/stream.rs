//! Lanes that each read elements one after the other in a divergent loop, as rows of a sparse matrix are read.
//!
//! A load at an index that grows by 1 in each iteration would be a gather each time. Instead, before each [`STEPS`]
//! iterations, which are written one after the other, each lane reads so many elements at once, and these are transposed
//! into the frame: a vector for each of the iterations to come. Where a live lane would read past the end of the array,
//! the elements are gathered.

use super::Lower;
use crate::{
    ir::{Base, BinaryOp, Inst, Op, Param, Place, Region, Ty, Value},
    jit::{
        class::{Class, has_effects},
        mir::{Address, From, Src},
        x64::{Isa, Size, VOp},
    },
};
use regalloc2::VReg;

/// Iterations that elements are read for.
pub(super) const STEPS: usize = 4;

/// A load of a loop.
#[derive(Clone, Debug)]
pub(super) struct Stream<'k> {
    dst: Value,
    place: &'k Place,
    /// The number of its first vector in the frame: for each iteration a vector a part.
    vectors: u32,
    /// The iteration at hand.
    pub(super) step: usize,
}

impl<'k> Lower<'k> {
    /// Notes the loads of a loop that are read ahead: those at one counter. Whether there are any.
    pub(super) fn find_streams(&mut self, params: &[&Param], body: &'k Region) -> bool {
        if self.isa != Isa::Avx2 || has_effects(body, true) {
            return false;
        }
        let Some(counter) = params.iter().find(|p| self.steps_by_one(p)) else { return false };
        let before = self.streams.len();
        for inst in &body.insts {
            let Inst::Op { dst, op: Op::Load(place), .. } = inst else { continue };
            let is_step = matches!(place.steps.as_slice(), [step] if step.index == counter.dst && step.stride == 4);
            let is_word = self.ty(*dst).bytes() == 4 && self.ty(*dst) != Ty::Bool;
            if is_step && is_word && matches!(place.base, Base::Binding(_)) {
                let vectors = self.f.parked;
                self.f.parked += (STEPS * self.parts) as u32;
                self.streams.push(Stream { dst: *dst, place, vectors, step: 0 });
            }
        }
        self.streams.len() > before
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

    /// Reads the elements of the next iterations.
    pub(super) fn read_streams(&mut self, first: usize) {
        let streams = self.streams[first..].to_vec();
        let (Some(live), Some(stream)) = (self.mask.clone(), streams.first()) else { return };
        let index = self.vectors(stream.place.steps[0].index);
        let mut bad = Vec::new();
        for (index, live) in index.iter().zip(&live) {
            let inside = self.all_inside(&streams, *index);
            bad.push(self.v3r(VOp::Andn, inside, *live));
        }
        let (apart, together, on) = (self.f.block(), self.f.block(), self.f.block());
        self.f.nodes[apart.index()].cold = true;
        self.branch_any(&bad, apart, together);
        self.at = together;
        self.scoped(|l| l.read_together(&streams, &index, &live));
        self.jump(on, Vec::new());
        self.at = apart;
        self.scoped(|l| l.read_apart(&streams, &index, &live));
        self.jump(on, Vec::new());
        self.at = on;
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
        self.store_vector(VOp::MovupsSt, r, frame(number), None);
    }

    /// The vectors of a load in this iteration, if it is one that was read ahead.
    pub(super) fn streamed(&mut self, dst: Value) -> Option<Vec<VReg>> {
        let stream = self.streams.iter().find(|s| s.dst == dst)?;
        let first = stream.vectors + (stream.step * self.parts) as u32;
        Some((0..self.parts as u32).map(|p| self.v2(VOp::Movups, Src::Mem(frame(first + p)))).collect())
    }
}

/// The frame's vector of a number.
fn frame(number: u32) -> Address {
    Address::at(From::Frame(number), 0)
}

/// One place of each array.
fn distinct<'a, 'k>(streams: &'a [Stream<'k>]) -> impl Iterator<Item = &'k Place> + 'a {
    let key = |s: &Stream<'k>| (s.place.base, s.place.steps[0].len);
    let is_first = move |(i, s): &(usize, &Stream<'k>)| streams[..*i].iter().all(|other| key(other) != key(s));
    streams.iter().enumerate().filter(is_first).map(|(_, s)| s.place)
}
