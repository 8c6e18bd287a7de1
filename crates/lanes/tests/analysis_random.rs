//! Random kernels: footprints hold every access, chunks of splittable calls are disjoint, certain bytes are
//! written.

mod analysis_support;
mod engines;

use analysis_support::{Build, Case, words};
use engines::best_engines;
use evener_lanes::ir::*;
use proptest::prelude::*;

/// A tape of random numbers that a kernel is read from; zeros when it ends.
struct Tape<'a>(std::slice::Iter<'a, u32>);

impl Tape<'_> {
    fn next(&mut self, below: u32) -> u32 {
        self.0.next().map_or(0, |v| v % below)
    }
}

const SMALL: [u32; 14] = [0, 1, 2, 3, 4, 5, 7, 8, 16, 24, 31, 60, u32::MAX, 0x8000_0000];

struct Random<'a> {
    b: Build,
    tape: Tape<'a>,
    /// Integers to build from.
    pool: Vec<Value>,
    bools: Vec<Value>,
    ids: Vec<Value>,
    buffers: [u32; 3],
    /// A binding for atomics.
    hist: u32,
}

impl Random<'_> {
    fn pick(&mut self) -> Value {
        let n = self.pool.len() as u32;
        // Later values are more interesting.
        let back = self.tape.next(n).min(self.tape.next(n));
        self.pool[(n - 1 - back) as usize]
    }

    fn constant(&mut self) -> Value {
        let v = SMALL[self.tape.next(SMALL.len() as u32) as usize];
        self.b.c(v)
    }

    fn signed(&mut self, op: BinaryOp, a: Value, c: Value) -> Value {
        let (x, y) = (self.b.op(Ty::I32, Op::Bitcast(a)), self.b.op(Ty::I32, Op::Bitcast(c)));
        let r = self.b.bin(op, x, y);
        if self.b.kernel.ty(r) == Ty::Bool { r } else { self.b.op(Ty::U32, Op::Bitcast(r)) }
    }

    fn arithmetic(&mut self) {
        use BinaryOp::*;
        const OPS: [BinaryOp; 16] = [Add, Add, Add, Sub, Sub, Mul, Mul, Div, Rem, Rem, Min, Max, And, Or, Shr, Shl];
        let op = OPS[self.tape.next(16) as usize];
        let a = self.pick();
        let c = if matches!(op, Mul | Shl | Shr) || self.tape.next(2) == 0 { self.constant() } else { self.pick() };
        let signed = self.tape.next(4) == 0 && !matches!(op, Shl | Shr);
        let v = if signed { self.signed(op, a, c) } else { self.b.bin(op, a, c) };
        self.pool.push(v);
    }

    fn select(&mut self) {
        let (cond, accept, reject) = (self.condition(), self.pick(), self.pick());
        let v = self.b.op(Ty::U32, Op::Select { cond, accept, reject });
        self.pool.push(v);
    }

    fn condition(&mut self) -> Value {
        use BinaryOp::*;
        let op = [Lt, Lt, Le, Gt, Ge, Eq, Ne][self.tape.next(7) as usize];
        let a = self.pick();
        let c = if self.tape.next(3) == 0 { self.pick() } else { self.constant() };
        let mut v = if self.tape.next(4) == 0 { self.signed(op, a, c) } else { self.b.bin(op, a, c) };
        if let Some(&other) = self.bools.last() {
            match self.tape.next(5) {
                0 => v = self.b.bin(And, other, v),
                1 => v = self.b.bin(Or, other, v),
                2 => v = self.b.op(Ty::Bool, Op::Unary(UnaryOp::Not, v)),
                _ => {}
            }
        }
        self.bools.push(v);
        v
    }

    fn access(&mut self) {
        let buffer = self.buffers[self.tape.next(3) as usize];
        let kind = self.tape.next(8);
        if (4..6).contains(&kind) {
            let index = if self.tape.next(2) == 0 { self.pick() } else { self.tidy_index() };
            let offset = self.field(buffer);
            let v = self.b.load_at(Ty::U32, buffer, index, offset);
            self.pool.push(v);
            return;
        }
        let index = if kind == 0 { self.pick() } else { self.tidy_index() };
        let (binding, value) = (self.buffers[1 + self.tape.next(2) as usize], self.pick());
        if kind == 6 {
            // Mostly one operation on one binding, so that some merge.
            let op = [AtomicOp::Add, AtomicOp::Add, AtomicOp::Max, AtomicOp::Xor][self.tape.next(4) as usize];
            let binding = if self.tape.next(4) == 0 { binding } else { self.hist };
            return self.b.update(op, binding, index, 0, value);
        }
        let offset = self.field(binding);
        self.b.store_at(binding, index, offset, value);
    }

    /// One of the 4-byte members of a binding's elements.
    fn field(&mut self, binding: u32) -> u32 {
        let stride = self.b.kernel.bindings[binding as usize].runtime_stride.unwrap();
        4 * self.tape.next(stride / 4)
    }

    /// A store or load at `row * width + col` where `col = step * wg + lid + shift` is below the width: a tile of columns
    /// that one guard bounds.
    fn tile(&mut self) {
        let axis = self.tape.next(3) as u8;
        let (wg, lid) = (self.b.builtin(Builtin::GroupId(axis)), self.b.builtin(Builtin::LocalId(axis)));
        let [step, shift, width] = [(1, 24), (0, 20), (1, 40)].map(|(from, n)| from + self.tape.next(n));
        let [step, shift, width] = [step, shift, width].map(|c| self.b.c(c));
        let tile = self.b.row_col(wg, step, lid);
        let col = self.b.add(tile, shift);
        let row = self.ids[self.tape.next(self.ids.len() as u32) as usize];
        let (binding, value) = (self.buffers[1 + self.tape.next(2) as usize], self.pick());
        let inside = self.b.lt(col, width);
        let reads = self.tape.next(4) == 0;
        self.b.when(inside, |b| {
            let at = b.row_col(row, width, col);
            if reads { _ = b.load(binding, at) } else { b.store(binding, at, value) }
        });
    }

    /// Row and column of an id, put together with another width; or a place on a circle.
    fn digits(&mut self, id: Value) -> Value {
        let widths = [2, 3, 5, 6, 7, 8, 12, 13];
        let (w, pitch) = (widths[self.tape.next(8) as usize], widths[self.tape.next(8) as usize]);
        let (width, pitch) = (self.b.c(w), self.b.c(pitch));
        let shifted = if self.tape.next(2) == 0 { id } else { self.b.row_col(pitch, width, id) };
        let (row, col) = (self.b.bin(BinaryOp::Div, shifted, width), self.b.bin(BinaryOp::Rem, shifted, width));
        match self.tape.next(6) {
            0 | 1 => self.b.row_col(row, pitch, col),
            2 => self.b.row_col(col, pitch, row),
            3 => {
                let n = self.b.c(40 + self.tape.next(30));
                let scaled = self.b.row_col(id, width, pitch);
                self.b.bin(BinaryOp::Rem, scaled, n)
            }
            4 => {
                // Three digits.
                let (outer, inner) = (self.b.bin(BinaryOp::Div, row, pitch), self.b.bin(BinaryOp::Rem, row, pitch));
                let plane = self.b.row_col(outer, pitch, inner);
                let wide = self.b.c(w + 1);
                self.b.row_col(plane, wide, col)
            }
            _ => {
                // Joined again.
                self.b.row_col(row, width, col)
            }
        }
    }

    /// An index such as kernels use: an id, a row and a column, a shift of them.
    fn tidy_index(&mut self) -> Value {
        let id = self.ids[self.tape.next(self.ids.len() as u32) as usize];
        match self.tape.next(8) {
            0 => id,
            5..8 => self.digits(id),
            1 => {
                let k = self.constant();
                self.b.add(id, k)
            }
            2 => {
                let (w, col) = (self.constant(), self.pick());
                self.b.row_col(id, w, col)
            }
            3 => {
                let k = self.constant();
                self.b.sub(k, id)
            }
            _ => {
                let (w, col) = (self.constant(), self.ids[self.tape.next(self.ids.len() as u32) as usize]);
                self.b.row_col(id, w, col)
            }
        }
    }

    fn block(&mut self, depth: u32) {
        let (pool, bools) = (self.pool.len(), self.bools.len());
        for _ in 0..2 + self.tape.next(4) {
            match self.tape.next(11) {
                0..=3 => self.arithmetic(),
                4 => self.select(),
                5 if depth > 0 => self.branch(depth),
                6 if depth > 0 => self.repeat(depth),
                10 => self.tile(),
                _ => self.access(),
            }
        }
        self.pool.truncate(pool);
        self.bools.truncate(bools);
    }

    fn nested(&mut self, depth: u32) -> (Region, Value) {
        // `Build::region` borrows the builder alone, so regions are opened by hand here.
        self.b.open();
        let pool = self.pool.len();
        for _ in 0..self.tape.next(3) {
            self.arithmetic();
        }
        let value = self.pick();
        self.block(depth - 1);
        self.pool.truncate(pool);
        (self.b.close(), value)
    }

    fn branch(&mut self, depth: u32) {
        let cond = self.condition();
        let bools = self.bools.len();
        let (then, a) = self.nested(depth);
        self.bools.truncate(bools);
        let (other, b) = self.nested(depth);
        self.bools.truncate(bools);
        let dst = self.b.value(Ty::U32);
        let phis = vec![Phi { dst, then: a, other: b }];
        self.b.push(Inst::If { cond, then, other, phis, span: analysis_support::NO_SPAN });
        self.pool.push(dst);
    }

    /// A loop up or down to a bound, at most a few steps: an outer condition keeps odd ones short.
    fn repeat(&mut self, depth: u32) {
        use BinaryOp::*;
        let init = if self.tape.next(2) == 0 { self.constant() } else { self.pick() };
        let bound = if self.tape.next(2) == 0 { self.constant() } else { self.pick() };
        let (op, step) =
            [(Lt, 1), (Lt, 3), (Le, 2), (Gt, u32::MAX), (Ge, u32::MAX - 1), (Ne, 1)][self.tape.next(6) as usize];
        let signed = self.tape.next(3) == 0;
        let top = self.tape.next(2) == 0;
        let (step, zero, one) = (self.b.c(step), self.b.c(0), self.b.c(1));
        let [i, n, i_end, n_end, merged] = [(); 5].map(|()| self.b.value(Ty::U32));
        self.b.open();
        let most = self.b.c(6);
        let short = self.b.lt(n, most);
        let n_next = self.b.add(n, one);
        let plain = |r: &mut Self, v| if signed { r.signed(op, v, bound) } else { r.b.bin(op, v, bound) };
        let (again, next) = if top {
            let c = plain(self, i);
            self.b.open();
            self.pool.push(i);
            self.block(depth - 1);
            self.pool.pop();
            let next = self.b.add(i, step);
            let then = self.b.close();
            let phis = vec![Phi { dst: merged, then: next, other: i }];
            self.b.push(Inst::If { cond: c, then, other: Region::default(), phis, span: analysis_support::NO_SPAN });
            (c, merged)
        } else {
            self.pool.push(i);
            self.block(depth - 1);
            self.pool.pop();
            let next = self.b.add(i, step);
            (plain(self, next), next)
        };
        let again = self.b.bin(And, again, short);
        let body = self.b.close();
        let params = vec![
            Param { dst: i, init, next, result: i_end },
            Param { dst: n, init: zero, next: n_next, result: n_end },
        ];
        self.b.push(Inst::Loop { params, body, again, span: analysis_support::NO_SPAN });
        self.pool.push(i_end);
    }
}

fn random_case(tape: &[u32]) -> Case {
    let mut tape = Tape(tape.iter());
    let sizes = [[4, 1, 1], [8, 1, 1], [4, 2, 1], [1, 1, 1], [2, 2, 2], [16, 1, 1], [5, 1, 1]];
    let mut b = Build::new(sizes[tape.next(7) as usize]);
    let buffers = [b.storage("idx", 4), b.storage("a", 4), b.storage("out", 4 + 4 * tape.next(2))];
    let p = b.uniform("p", 16);
    let hist = b.storage("hist", 4);
    let mut ids = vec![b.gid(0), b.gid(1)];
    let mut pool = vec![b.c(3), b.param(p, 0), b.param(p, 4)];
    ids.push(b.builtin(Builtin::GroupId(tape.next(3) as u8)));
    pool.push(b.builtin(Builtin::LocalId(tape.next(3) as u8)));
    pool.push(b.builtin(Builtin::LocalIndex));
    ids.push(b.builtin(Builtin::GlobalId(2)));
    pool.extend_from_slice(&ids);
    let groups = [[6, 1, 1], [3, 4, 1], [1, 5, 1], [2, 3, 2], [1, 1, 4], [9, 1, 1]][tape.next(6) as usize];
    let lens = [tape.next(40), tape.next(90), 40 + tape.next(200)];
    let (w, h) = (tape.next(20), tape.next(30));
    let mut r = Random { b, tape, pool, bools: Vec::new(), ids, buffers, hist };
    r.block(3);
    r.block(2);
    let idx: Vec<u32> = (0..lens[0]).map(|i| i * 13 % 50).collect();
    let stride = r.b.kernel.bindings[2].runtime_stride.unwrap() as usize;
    let filled = |bytes: usize| (0..bytes).map(|k| (k * 37 % 251) as u8).collect::<Vec<u8>>();
    let buffers = vec![
        words(&idx),
        filled(lens[1] as usize * 4),
        filled(lens[2] as usize * stride),
        words(&[w, h, 0, 0]),
        filled(4 * 20),
    ];
    Case { kernel: r.b.finish(), groups, buffers }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn footprints_hold_every_access(tape in prop::collection::vec(any::<u32>(), 20..160), cuts in prop::collection::vec(any::<u32>(), 1..4)) {
        let case = random_case(&tape);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            case.verify(&cuts);
            case.verify_results(&cuts)
        }));
        let forms = case.with(|a, call| a.describe(call));
        prop_assert!(outcome.is_ok(), "{:?} groups, {:?}\n{}\n{}", case.groups, case.split(), forms.join("\n"), case.kernel);
    }
}

/// The kernel of a number, and where to cut it.
fn numbered(number: u64) -> (Case, [u32; 3]) {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let length = 20 + next() % 140;
    let tape: Vec<u32> = (0..length).map(|_| next()).collect();
    (random_case(&tape), [next(), next(), next()])
}

/// Kernels 0 to `EVENER_RANDOM_KERNELS` (400 without it): right footprints, right results under random splits, each part
/// by another of the machine's engines. They are of use only if many of them split, and few have races.
#[test]
fn numbered_random_kernels_are_right_and_many_split() {
    let count = std::env::var("EVENER_RANDOM_KERNELS").map_or(400, |n| n.parse().expect("a number of kernels"));
    let engines = best_engines();
    let (mut split, mut merging, mut racy) = (0, 0, 0);
    for number in 0..count {
        let (case, cuts) = numbered(number);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            case.verify(&cuts);
            let splits = case.verify_results(&cuts);
            // Programs take no binding without elements.
            let bound = case.buffers.iter().all(|b| !b.is_empty());
            (splits, splits && bound && case.verify_engines(&cuts, &engines).is_none())
        }));
        let writes = case.kernel.bindings.iter().any(|b| b.access.write || b.access.atomic);
        let (splits, race) = outcome.unwrap_or_else(|_| panic!("kernel {number}, cut at {cuts:?}:\n{}", case.kernel));
        split += u64::from(writes && splits);
        racy += u64::from(race);
        merging += u64::from(splits && case.kernel.bindings.iter().any(|b| b.access.atomic));
    }
    println!("{split} of {count} split, {merging} of them with atomics, {racy} with races");
    assert!(split > count / 10 && merging > count / 100, "only {split} of {count} split, {merging} with atomics");
    assert!(racy < split / 2, "{racy} of {split} have races");
}
