//! Members of many elements and vectors of members, with AVX2: 16 bytes of an element a step.
//!
//! A register takes 16 bytes of two lanes, one in each half: of lanes `l` and `l + 4` (64-bit members: `l` and
//! `l + 2`), so that transposing inside the halves puts lanes in their order.

use super::{Lower, interleave::Members};
use crate::jit::{
    mir::{Address, Dst, Kind, Src, Vector},
    x64::{Len, Size, VOp},
};
use regalloc2::VReg;

/// Bytes of half a register.
const CHUNK: i32 = 16;

/// Members in 16 bytes of an element.
struct Chunk {
    start: i32,
    /// For each, its number among all members.
    members: Vec<usize>,
}

/// How the members of a load or store are taken.
enum Plan {
    /// Elements of two words, side by side.
    Pairs,
    /// Elements of three words, side by side.
    Triples,
    Chunks(Vec<Chunk>),
}

impl Members {
    /// Whether each lane's members are all words of the memory.
    fn fill(&self, words: usize) -> bool {
        self.bytes == 4 && self.lane == 4 * words as i32 && self.offsets.len() == words
    }

    /// The members in chunks. With `bounds`, whole chunks are read, which must be inside for the first and the
    /// last lane, and so for those between.
    fn chunks(&self, bounds: Option<&std::ops::Range<i32>>) -> Option<Vec<Chunk>> {
        let mut chunks: Vec<Chunk> = Vec::new();
        for (i, offset) in self.offsets.iter().enumerate() {
            if let Some(last) = chunks.last_mut()
                && offset + self.bytes <= last.start + CHUNK
            {
                last.members.push(i);
                continue;
            }
            let start = bounds.map_or(*offset, |b| (*offset).min(b.end - CHUNK));
            if bounds.is_some_and(|b| start < b.start) {
                return None;
            }
            chunks.push(Chunk { start, members: vec![i] });
        }
        Some(chunks)
    }
}

impl Lower<'_> {
    fn load_half(&mut self, at: Address) -> VReg {
        let d = self.float();
        let (op, len, b) = (VOp::Movups, Len::L128, Src::Mem(at));
        self.vector(Vector { op, len, dst: Dst::Def(d), tied: None, a: None, b, imm: None, mask: None });
        d
    }

    /// Two times 16 bytes.
    pub(super) fn load_halves(&mut self, low: Address, high: Address) -> VReg {
        let low = self.load_half(low);
        self.v3i(VOp::Insert128, low, Src::Mem(high), 1)
    }

    fn store_halves(&mut self, r: VReg, low: Address, high: Address) {
        let len = self.len();
        for (op, len, to, imm) in [(VOp::MovupsSt, Len::L128, low, None), (VOp::Extract128, len, high, Some(1))] {
            let b = Src::Mem(to);
            self.vector(Vector { op, len, dst: Dst::Use(r), tied: None, a: None, b, imm, mask: None });
        }
    }

    /// Stores an element of the low 16 bytes.
    pub(super) fn store_lane(&mut self, size: Size, from: VReg, lane: u8, to: Address) {
        self.store_as(Kind::StoreLane(size, to, lane), from, &to);
    }

    /// Transposes four words of four registers in each half.
    pub(super) fn transpose(&mut self, r: [VReg; 4]) -> [VReg; 4] {
        let [a, b, c, d] = r;
        let low = [self.v3r(VOp::Unpcklps, a, b), self.v3r(VOp::Unpcklps, c, d)];
        let high = [self.v3r(VOp::Unpckhps, a, b), self.v3r(VOp::Unpckhps, c, d)];
        let mut both = |op, [x, y]: [VReg; 2]| self.v3r(op, x, y);
        [both(VOp::Unpcklpd, low), both(VOp::Unpckhpd, low), both(VOp::Unpcklpd, high), both(VOp::Unpckhpd, high)]
    }

    /// Chosen words of `a` (two) and `b` (two) in each half.
    fn choose(&mut self, a: VReg, b: VReg, words: [u8; 4]) -> VReg {
        let imm = words.iter().rev().fold(0, |imm, w| imm << 2 | w);
        self.v3i(VOp::Shufps, a, Src::Reg(b), imm)
    }

    /// Loads members: for each a vector a part, or two.
    pub(super) fn load_transposed(&mut self, members: &Members) -> Option<Vec<Vec<VReg>>> {
        let inside = &members.inside;
        let whole = inside.end - inside.start >= members.lane;
        let plan = match members.lane {
            8 if members.bytes == 4 && whole => Plan::Pairs,
            12 if members.bytes == 4 && whole => Plan::Triples,
            _ => Plan::Chunks(members.chunks(Some(inside))?),
        };
        let mut result = vec![Vec::new(); members.offsets.len()];
        for part in 0..self.parts {
            for half in 0..members.bytes as usize / 4 {
                let at = self.member_address(members, part, half);
                let start = at.plus(inside.start);
                let all = match &plan {
                    Plan::Pairs => self.load_pairs(start),
                    Plan::Triples => self.load_triples(start),
                    Plan::Chunks(chunks) => {
                        chunks.iter().for_each(|c| self.load_chunk(members, at, c, &mut result));
                        continue;
                    }
                };
                for (r, offset) in result.iter_mut().zip(&members.offsets) {
                    r.push(all[(offset - inside.start) as usize / 4]);
                }
            }
        }
        Some(result)
    }

    fn load_pairs(&mut self, at: Address) -> Vec<VReg> {
        let a = self.load_halves(at, at.plus(32));
        let b = self.load_halves(at.plus(16), at.plus(48));
        vec![self.choose(a, b, [0, 2, 0, 2]), self.choose(a, b, [1, 3, 1, 3])]
    }

    fn load_triples(&mut self, at: Address) -> Vec<VReg> {
        // x0 y0 z0 x1, y1 z1 x2 y2, z2 x3 y3 z3
        let [a, b, c] = [0, 16, 32].map(|o| self.load_halves(at.plus(o), at.plus(o + 48)));
        let xy = self.choose(b, c, [2, 3, 1, 2]);
        let yz = self.choose(a, b, [1, 2, 0, 1]);
        vec![self.choose(a, xy, [0, 3, 0, 2]), self.choose(yz, xy, [0, 2, 1, 3]), self.choose(yz, c, [1, 3, 0, 3])]
    }

    fn load_chunk(&mut self, members: &Members, at: Address, chunk: &Chunk, result: &mut [Vec<VReg>]) {
        let at = at.plus(chunk.start);
        let of = |l: i32| at.plus(l * members.lane);
        let position = |i: &usize| (members.offsets[*i] - chunk.start) as usize / 4;
        if members.bytes == 8 {
            let [a, b] = [0, 1].map(|l| self.load_halves(of(l), of(l + 2)));
            for i in &chunk.members {
                let r = match position(i) {
                    0 => self.v3r(VOp::Unpcklpd, a, b),
                    _ => self.v3r(VOp::Unpckhpd, a, b),
                };
                result[*i].push(r);
            }
            return;
        }
        let rows = [0, 1, 2, 3].map(|l| self.load_halves(of(l), of(l + 4)));
        let all = self.transpose(rows);
        chunk.members.iter().for_each(|i| result[*i].push(all[position(i)]));
    }

    /// Stores members, each a vector a part, or two, of all lanes.
    pub(super) fn store_transposed(&mut self, members: &Members, values: &[Vec<VReg>]) -> bool {
        if self.mask.is_some() {
            return false;
        }
        let plan = match members.lane {
            8 if members.fill(2) => Plan::Pairs,
            12 if members.fill(3) => Plan::Triples,
            _ => match members.chunks(None) {
                Some(chunks) => Plan::Chunks(chunks),
                None => return false,
            },
        };
        let halves = members.bytes as usize / 4;
        for part in 0..self.parts {
            for half in 0..halves {
                let at = self.member_address(members, part, half);
                let r: Vec<VReg> = values.iter().map(|v| v[part * halves + half]).collect();
                let start = at.plus(members.offsets[0]);
                match &plan {
                    Plan::Pairs => self.store_pairs(start, &r),
                    Plan::Triples => self.store_triples(start, &r),
                    Plan::Chunks(chunks) => chunks.iter().for_each(|c| self.store_chunk(members, at, c, &r)),
                }
            }
        }
        true
    }

    fn store_pairs(&mut self, at: Address, r: &[VReg]) {
        let (low, high) = (self.v3r(VOp::Unpcklps, r[0], r[1]), self.v3r(VOp::Unpckhps, r[0], r[1]));
        self.store_halves(low, at, at.plus(32));
        self.store_halves(high, at.plus(16), at.plus(48));
    }

    fn store_triples(&mut self, at: Address, r: &[VReg]) {
        let [x, y, z] = [r[0], r[1], r[2]];
        let xy = self.choose(x, y, [0, 2, 0, 2]);
        let yz = self.choose(y, z, [1, 3, 1, 3]);
        let zx = self.choose(z, x, [0, 2, 1, 3]);
        let rows = [(xy, zx, [0, 2, 0, 2]), (yz, xy, [0, 2, 1, 3]), (zx, yz, [1, 3, 1, 3])];
        for ((a, b, words), o) in rows.into_iter().zip([0, 16, 32]) {
            let row = self.choose(a, b, words);
            self.store_halves(row, at.plus(o), at.plus(o + 48));
        }
    }

    fn store_chunk(&mut self, members: &Members, at: Address, chunk: &Chunk, r: &[VReg]) {
        let at = at.plus(chunk.start);
        let of = |l: usize| at.plus(l as i32 * members.lane);
        let wide = members.bytes == 8;
        match chunk.members.as_slice() {
            [one] => {
                let (size, count) = if wide { (Size::Q, 2) } else { (Size::D, 4) };
                self.each_half(r[*one], |l, r, high| {
                    (0..count).for_each(|k| l.store_lane(size, r, k as u8, of(k + if high { count } else { 0 })));
                });
            }
            [x, y] if wide => {
                for (op, lane) in [(VOp::Unpcklpd, 0), (VOp::Unpckhpd, 1)] {
                    let row = self.v3r(op, r[*x], r[*y]);
                    self.store_halves(row, of(lane), of(lane + 2));
                }
            }
            [x, y] if members.offsets[*y] == members.offsets[*x] + 4 => {
                for (op, lane) in [(VOp::Unpcklps, 0), (VOp::Unpckhps, 2)] {
                    let rows = self.v3r(op, r[*x], r[*y]);
                    self.each_half(rows, |l, rows, high| {
                        let lane = if high { lane + 4 } else { lane };
                        (0..2).for_each(|k| l.store_lane(Size::Q, rows, k as u8, of(lane + k)));
                    });
                }
            }
            several => {
                let mut words = [None; 4];
                several.iter().for_each(|i| words[(members.offsets[*i] - chunk.start) as usize / 4] = Some(r[*i]));
                let rows = self.transpose(words.map(|w| w.unwrap_or(r[several[0]])));
                for (lane, row) in rows.into_iter().enumerate() {
                    if words.iter().all(Option::is_some) {
                        self.store_halves(row, of(lane), of(lane + 4));
                    } else {
                        let written = words.map(|w| w.is_some());
                        self.each_half(row, |l, row, high| {
                            l.store_words(row, written, of(if high { lane + 4 } else { lane }));
                        });
                    }
                }
            }
        }
    }

    /// Does something with the low and with the high 16 bytes of a register.
    fn each_half(&mut self, r: VReg, mut f: impl FnMut(&mut Self, VReg, bool)) {
        f(self, r, false);
        let upper = self.upper(r);
        f(self, upper, true);
    }

    /// Stores some of the low four words.
    fn store_words(&mut self, r: VReg, written: [bool; 4], to: Address) {
        for pair in 0..2usize {
            if written[2 * pair] && written[2 * pair + 1] {
                self.store_lane(Size::Q, r, pair as u8, to.plus(8 * pair as i32));
                continue;
            }
            for word in (2 * pair..2 * pair + 2).filter(|w| written[*w]) {
                self.store_lane(Size::D, r, word as u8, to.plus(4 * word as i32));
            }
        }
    }
}
