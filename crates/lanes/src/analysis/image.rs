//! Images of boxes under affine forms, as sets of strided byte runs, and the algebra of such sets.

use super::{
    Strided,
    search::{Var, never},
};

/// Levels kept exactly in a read set; more become a hull.
const MAX_READ_LEVELS: usize = 3;
/// Pieces of a read set; more are joined with their neighbours.
const MAX_READ_PIECES: usize = 16;

/// Pieces that a set may be cut into.
const MAX_CUT_PIECES: usize = 64;

/// A term of an address: bytes per step and the range of the symbol (inclusive).
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub coef: i128,
    pub lo: i128,
    pub hi: i128,
}

/// A set of byte runs before clipping; may start below zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Runs {
    pub start: i128,
    pub run: i128,
    /// (stride, count), innermost first.
    pub levels: Vec<(i128, i128)>,
}

impl Runs {
    pub fn range(start: i128, end: i128) -> Self {
        Runs { start, run: end - start, levels: Vec::new() }
    }

    /// Bytes from the first to one past the last.
    pub fn extent(&self) -> i128 {
        self.run + self.levels.iter().map(|l| l.0 * (l.1 - 1)).sum::<i128>()
    }

    pub fn end(&self) -> i128 {
        self.start + self.extent()
    }

    fn hull(&self) -> Runs {
        Runs::range(self.start, self.end())
    }

    /// Joins levels that leave no gap.
    fn normalise(mut self) -> Runs {
        self.levels.retain(|l| l.1 > 1);
        while self.levels.first().is_some_and(|l| l.0 <= self.run) {
            let (stride, count) = self.levels.remove(0);
            self.run += stride * (count - 1);
        }
        let mut i = 1;
        while i < self.levels.len() {
            let (inner, outer) = (self.levels[i - 1], self.levels[i]);
            if outer.0 == inner.0 * inner.1 {
                self.levels[i - 1].1 *= outer.1;
                self.levels.remove(i);
            } else {
                i += 1;
            }
        }
        self
    }

    /// The part inside `[lo, hi)`, exactly.
    pub fn clip(self, lo: i128, hi: i128, out: &mut Vec<Runs>) {
        if lo >= hi || self.end() <= lo || self.start >= hi {
            return;
        }
        if self.start >= lo && self.end() <= hi {
            out.push(self);
            return;
        }
        let Some(&(stride, count)) = self.levels.last() else {
            out.push(Runs::range(self.start.max(lo), self.end().min(hi)));
            return;
        };
        let mut inner = self.clone();
        inner.levels.pop();
        let extent = inner.extent();
        // Blocks from `first` to `last` lie inside; at most one more is cut on each side.
        let first = ceil_div(lo - self.start, stride).clamp(0, count);
        let last = (hi - self.start - extent).div_euclid(stride).clamp(-1, count - 1);
        let block = |k: i128| Runs { start: self.start + k * stride, ..inner.clone() };
        if first > 0 {
            block(first - 1).clip(lo, hi, out);
        }
        if first <= last {
            let mut whole = block(first);
            whole.levels.push((stride, last - first + 1));
            out.push(whole.normalise());
        }
        let after = last.max(first - 1) + 1;
        if after < count {
            block(after).clip(lo, hi, out);
        }
    }

    fn into_strided(self) -> Strided {
        Strided {
            start: self.start as u64,
            run: self.run as u64,
            levels: self.levels.iter().map(|l| (l.0 as u64, l.1 as u64)).collect(),
        }
    }
}

fn ceil_div(a: i128, b: i128) -> i128 {
    -(-a).div_euclid(b)
}

/// The image of `start + sum(coef * symbol) + [0, bytes)`, and whether it is exact.
pub(super) fn image(start: i128, spans: &[Span], bytes: i128) -> (Runs, bool) {
    let mut runs = Runs { start, run: bytes, levels: Vec::with_capacity(spans.len()) };
    let mut levels: Vec<(i128, i128)> = Vec::with_capacity(spans.len());
    for s in spans {
        runs.start += if s.coef > 0 { s.coef * s.lo } else { s.coef * s.hi };
        if s.hi > s.lo && s.coef != 0 {
            levels.push((s.coef.abs(), s.hi - s.lo + 1));
        }
    }
    levels.sort_unstable();
    let mut exact = true;
    for (stride, count) in levels {
        let extent = runs.extent();
        let top = runs.levels.last().copied();
        if stride >= extent {
            runs.levels.push((stride, count));
            runs = runs.normalise();
        } else if top.is_none() {
            runs.run += stride * (count - 1);
        } else if let Some(top) = top.filter(|t| stride % t.0 == 0 && stride / t.0 <= t.1) {
            runs.levels.last_mut().expect("it has a top").1 += stride / top.0 * (count - 1);
        } else {
            exact = false;
            runs = runs.hull();
            runs.run += stride * (count - 1);
        }
    }
    (runs, exact)
}

/// What of `pieces` is certainly in none of `holes`.
pub(super) fn subtract(pieces: Vec<Runs>, holes: &[Runs]) -> Vec<Runs> {
    holes.iter().fold(pieces, |pieces, hole| {
        let mut left = Vec::with_capacity(pieces.len() + 1);
        for piece in pieces {
            if apart(&piece, hole) {
                left.push(piece);
            } else {
                let end = piece.end();
                piece.clone().clip(piece.start, hole.start, &mut left);
                piece.clip(hole.end(), end, &mut left);
            }
        }
        // Too many small pieces are not worth knowing.
        if left.len() > MAX_CUT_PIECES { Vec::new() } else { left }
    })
}

/// Whether two sets have no byte in common, for certain.
pub(super) fn apart(a: &Runs, b: &Runs) -> bool {
    if a.end() <= b.start || b.end() <= a.start {
        return true;
    }
    let vars = |levels: &[(i128, i128)], sign: i128| {
        levels.iter().map(|&(stride, count)| Var { coef: sign * stride, lo: 0, hi: count - 1 }).collect::<Vec<Var>>()
    };
    // A common byte: start of a's run - start of b's run in (-run of a, run of b).
    let all = [vars(&a.levels, 1), vars(&b.levels, -1)].concat();
    let apart = a.start - b.start;
    never(all, 1 - a.run - apart, b.run - 1 - apart)
}

/// Sorts and joins pieces without adding a byte.
pub(super) fn join(mut pieces: Vec<Runs>) -> Vec<Runs> {
    for _ in 0..4 {
        let before = pieces.len();
        pieces.sort_unstable_by(|a, b| (&a.levels, a.start, a.run).cmp(&(&b.levels, b.start, b.run)));
        let mut out: Vec<Runs> = Vec::with_capacity(before);
        for piece in pieces {
            let joined = out.last().and_then(|last| join_two(last, &piece));
            match joined {
                Some(both) => *out.last_mut().expect("it has a last") = both,
                None => out.push(piece),
            }
        }
        drop_contained(&mut out);
        if out.len() == before {
            pieces = out;
            break;
        }
        pieces = out;
    }
    pieces.sort_unstable_by_key(|p| (p.start, p.end()));
    pieces
}

/// The union of two pieces of one shape, if it is a piece.
fn join_two(a: &Runs, b: &Runs) -> Option<Runs> {
    let (a, b) = if a.start <= b.start { (a, b) } else { (b, a) };
    if a.levels != b.levels {
        return None;
    }
    let apart = b.start - a.start;
    if apart <= a.run {
        let run = (apart + b.run).max(a.run);
        // Runs must not reach the next one.
        if a.levels.first().is_none_or(|l| run <= l.0) {
            return Some(Runs { run, ..a.clone() }.normalise());
        }
        return None;
    }
    let (level, &(stride, count)) =
        a.levels.iter().enumerate().find(|(_, l)| apart % l.0 == 0 && apart / l.0 <= l.1)?;
    // The next level's blocks must not be reached either.
    let longer = count + apart / stride;
    let fits = a.levels.get(level + 1).is_none_or(|outer| longer * stride <= outer.0);
    (a.run == b.run && fits).then(|| {
        let mut both = a.clone();
        both.levels[level].1 = longer;
        both.normalise()
    })
}

fn drop_contained(pieces: &mut Vec<Runs>) {
    let ranges: Vec<(i128, i128)> = pieces.iter().filter(|p| p.levels.is_empty()).map(|p| (p.start, p.end())).collect();
    if ranges.len() > 64 {
        return;
    }
    pieces.retain(|p| {
        !ranges.iter().any(|r| {
            let inside = r.0 <= p.start && p.end() <= r.1;
            inside && !(p.levels.is_empty() && *r == (p.start, p.end()))
        })
    });
}

/// Bytes written, exactly: joined where that adds nothing.
pub(super) fn write_set(pieces: Vec<Runs>) -> Vec<Strided> {
    join(pieces).into_iter().map(Runs::into_strided).collect()
}

/// Bytes that may be read: joined generously, few pieces, disjoint and sorted.
pub(super) fn read_set(mut pieces: Vec<Runs>) -> Vec<Strided> {
    for piece in &mut pieces {
        while piece.levels.len() > MAX_READ_LEVELS {
            let (stride, count) = piece.levels.remove(0);
            piece.run += stride * (count - 1);
        }
    }
    let mut pieces = join(pieces);
    while pieces.len() > 16 * MAX_READ_PIECES {
        pieces = pieces.chunks(2).map(|p| p.iter().skip(1).fold(p[0].clone(), |a, b| hull_of(&a, b))).collect();
    }
    loop {
        let mut out: Vec<Runs> = Vec::with_capacity(pieces.len());
        for piece in pieces.drain(..) {
            match out.last_mut() {
                Some(last) if piece.start < last.end() => {
                    *last = hull_of(last, &piece);
                }
                _ => out.push(piece),
            }
        }
        if out.len() <= MAX_READ_PIECES {
            return out.into_iter().map(Runs::into_strided).collect();
        }
        pieces = join_closest(out);
    }
}

/// The range over two pieces.
fn hull_of(a: &Runs, b: &Runs) -> Runs {
    Runs::range(a.start.min(b.start), a.end().max(b.end()))
}

/// Joins the two neighbours with the least gap.
fn join_closest(mut pieces: Vec<Runs>) -> Vec<Runs> {
    let gap = |i: usize| pieces[i + 1].start - pieces[i].end();
    if let Some(i) = (0..pieces.len() - 1).min_by_key(|&i| gap(i)) {
        let next = pieces.remove(i + 1);
        pieces[i] = hull_of(&pieces[i], &next);
    }
    pieces
}

impl Strided {
    /// A plain range of bytes.
    pub fn range(start: u64, end: u64) -> Self {
        Strided { start, run: end - start, levels: Vec::new() }
    }

    /// Bytes in the set.
    pub fn bytes(&self) -> u64 {
        self.levels.iter().fold(self.run, |b, l| b * l.1)
    }

    /// One past the last byte.
    pub fn end(&self) -> u64 {
        self.start + self.run + self.levels.iter().map(|l| l.0 * (l.1 - 1)).sum::<u64>()
    }

    /// Number of separate runs.
    pub fn count(&self) -> u64 {
        self.levels.iter().map(|l| l.1).product()
    }

    /// Calls `f` with the byte range of each run, in ascending order where levels do not interleave.
    pub fn for_each_run(&self, mut f: impl FnMut(std::ops::Range<u64>)) {
        let mut at = vec![0u64; self.levels.len()];
        loop {
            let start = self.start + at.iter().zip(&self.levels).map(|(k, l)| k * l.0).sum::<u64>();
            f(start..start + self.run);
            let Some(level) = (0..at.len()).find(|&i| at[i] + 1 < self.levels[i].1) else { return };
            at[level] += 1;
            at[..level].fill(0);
        }
    }
}
