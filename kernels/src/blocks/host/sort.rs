//! The CPU's own stable radix sort.
//!
//! A large slice is cut by its highest digit into parts that fit into a core's cache, by all cores at once; each part is
//! then sorted by the digits below it, from the lowest, by one core. A part that is still large, where many keys share
//! their highest digit, is cut again.

use rayon::prelude::*;

/// Elements that one core sorts by itself: in the second cache with room for the copy.
const SMALL: usize = 1 << 15;

/// Elements that need no digits.
const FEW: usize = 32;

/// Elements that cutting aims at: enough to pay for the counters of their digits.
const PART: usize = 1 << 12;

/// Bits of the widest digit of the small sort: its counters stay in the first cache.
const WIDEST: u32 = 11;

/// Items whose places are found before the first of them moves: the counters' next reads need not wait for the moves, whose
/// places are known late.
const AHEAD: usize = 8;

/// What is sorted: keys, or keys with their values.
pub(in super::super) trait Item: Copy + Send + Sync {}

impl<T: Copy + Send + Sync> Item for T {}

/// The place of an item in the order, as an unsigned number.
pub(in super::super) trait Rank<E>: Fn(E) -> u64 + Copy + Send + Sync {}

impl<E, F: Fn(E) -> u64 + Copy + Send + Sync> Rank<E> for F {}

/// Sorts by rank. Items of one rank keep their order. `scratch` is as long as `x`; what is in it does not matter.
pub(in super::super) fn sort<E: Item>(x: &mut [E], scratch: &mut [E], rank: impl Rank<E>) {
    let Some(first) = x.first().map(|first| rank(*first)) else { return };
    if x.len() <= FEW {
        return insert(x, rank);
    }
    let differing = |part: &[E]| part.iter().fold(0, |bits, e| bits | (rank(*e) ^ first));
    let differing = x.par_chunks(SMALL).map(differing).reduce(|| 0, |a, b| a | b);
    if differing != 0 {
        in_place(x, scratch, u64::BITS - differing.leading_zeros(), rank);
    }
}

/// Sorts `x`, whose ranks differ in their lowest `bits` alone.
fn in_place<E: Item>(x: &mut [E], scratch: &mut [E], bits: u32, rank: impl Rank<E>) {
    if bits == 0 {
    } else if x.len() <= FEW {
        insert(x, rank);
    } else if x.len() <= SMALL {
        if by_digits(x, scratch, bits, rank, 0) {
            x.copy_from_slice(scratch);
        }
    } else {
        let (ends, below) = cut(x, scratch, bits, rank);
        parts(x, scratch, &ends).into_par_iter().for_each(|(x, scratch)| into(scratch, x, below, rank));
    }
}

/// Sorts `from` into `to`, as [`in_place`]; `from` is lost.
fn into<E: Item>(from: &mut [E], to: &mut [E], bits: u32, rank: impl Rank<E>) {
    if bits == 0 {
        to.copy_from_slice(from);
    } else if from.len() <= FEW {
        to.copy_from_slice(from);
        insert(to, rank);
    } else if from.len() <= SMALL {
        if !by_digits(from, to, bits, rank, 1) {
            to.copy_from_slice(from);
        }
    } else {
        let (ends, below) = cut(from, to, bits, rank);
        parts(from, to, &ends).into_par_iter().for_each(|(from, to)| in_place(to, from, below, rank));
    }
}

fn insert<E: Item>(x: &mut [E], rank: impl Rank<E>) {
    for i in 1..x.len() {
        let (item, of_item) = (x[i], rank(x[i]));
        let mut j = i;
        while j > 0 && rank(x[j - 1]) > of_item {
            x[j] = x[j - 1];
            j -= 1;
        }
        x[j] = item;
    }
}

/// Moves the items of `from` to `to`, by the highest of `bits`: where each digit's items end, and the bits below.
fn cut<E: Item>(from: &[E], to: &mut [E], bits: u32, rank: impl Rank<E>) -> (Vec<usize>, u32) {
    let width = (from.len() / PART).ilog2().clamp(1, 8).min(bits);
    let below = bits - width;
    let digit = move |e: E| usize::from(((rank(e) >> below) & ((1 << width) - 1)) as u8);
    let pieces = (2 * rayon::current_num_threads()).min(from.len() / SMALL).max(1);
    let piece = from.len().div_ceil(pieces);
    let count = |part: &[E]| {
        let mut counts = [[0; 256]; 2];
        tally(part, |half, e| counts[half][digit(e)] += 1);
        std::array::from_fn(|d| counts[0][d] + counts[1][d])
    };
    let counts: Vec<[usize; 256]> = from.par_chunks(piece).map(count).collect();
    // The places for each digit of each piece: digit by digit, and in a digit piece by piece.
    let mut places: Vec<[std::slice::IterMut<'_, E>; 256]> =
        counts.iter().map(|_| std::array::from_fn(|_| [].iter_mut())).collect();
    let (mut rest, mut ends, mut end) = (to, Vec::with_capacity(256), 0);
    for d in 0..256 {
        for (counts, places) in counts.iter().zip(&mut places) {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(counts[d]);
            places[d] = own.iter_mut();
            rest = others;
            end += counts[d];
        }
        ends.push(end);
    }
    from.par_chunks(piece).zip(places).for_each(|(part, mut places)| {
        let (many, rest) = part.as_chunks::<AHEAD>();
        for items in many {
            let mut found: [Option<&mut E>; AHEAD] = Default::default();
            found.iter_mut().zip(items).for_each(|(place, e)| *place = places[digit(*e)].next());
            found.into_iter().zip(items).for_each(|(place, e)| put(place, *e));
        }
        rest.iter().for_each(|e| put(places[digit(*e)].next(), *e));
    });
    (ends, below)
}

/// The parts of both slices that end there, without the empty ones.
fn parts<'x, E>(mut a: &'x mut [E], mut b: &'x mut [E], ends: &[usize]) -> Vec<(&'x mut [E], &'x mut [E])> {
    let (mut parts, mut start) = (Vec::with_capacity(ends.len()), 0);
    for end in ends {
        let (own_a, rest_a) = std::mem::take(&mut a).split_at_mut(end - start);
        let (own_b, rest_b) = std::mem::take(&mut b).split_at_mut(end - start);
        (a, b, start) = (rest_a, rest_b, *end);
        if !own_a.is_empty() {
            parts.push((own_a, own_b));
        }
    }
    parts
}

/// How many digits `bits` are taken in: an odd or even number, so that they end on the wanted side.
fn passes(bits: u32, parity: u32) -> u32 {
    let passes = bits.div_ceil(8);
    match passes {
        _ if passes % 2 == parity => passes,
        2.. if bits.div_ceil(passes - 1) <= WIDEST => passes - 1,
        _ => passes + 1,
    }
}

fn put<E>(place: Option<&mut E>, item: E) {
    if let Some(place) = place {
        *place = item;
    }
}

/// Hands out items with the number of one of two counters: neighbours, which often share a digit, are counted apart.
fn tally<E: Item>(items: &[E], mut count: impl FnMut(usize, E)) {
    let (pairs, rest) = items.as_chunks::<2>();
    for [a, b] in pairs {
        count(0, *a);
        count(1, *b);
    }
    rest.iter().for_each(|e| count(0, *e));
}

/// Sorts by digits from the lowest, to and fro between `a` and `b`; whether the items end in `b`. That is so if `parity`
/// is 1, unless a digit that all items share was left out.
fn by_digits<E: Item>(a: &mut [E], b: &mut [E], bits: u32, rank: impl Rank<E>, parity: u32) -> bool {
    let passes = passes(bits, parity);
    // Counters that no digit needs would only push items out of the first cache.
    match bits.div_ceil(passes) {
        width @ ..=8 => by_counters::<E, 256>(a, b, passes, width, rank),
        width @ 9 => by_counters::<E, 512>(a, b, passes, width, rank),
        width => by_counters::<E, { 1 << WIDEST }>(a, b, passes, width, rank),
    }
}

/// [`by_digits`] of so many bits, which have at most so many values.
fn by_counters<E: Item, const VALUES: usize>(
    a: &mut [E],
    b: &mut [E],
    passes: u32,
    width: u32,
    rank: impl Rank<E>,
) -> bool {
    let digit = |rank: u64| rank as usize & ((1 << width) - 1) & (VALUES - 1);
    let mut counts = vec![[[0u32; VALUES]; 2]; passes as usize];
    tally(a, |half, e| {
        let mut rank = rank(e);
        for counts in &mut counts {
            counts[half][digit(rank)] += 1;
            rank >>= width;
        }
    });
    let (mut from, mut to, mut moved) = (a, b, false);
    for (pass, [counts, others]) in counts.iter_mut().enumerate() {
        let digit = |e: E| digit(rank(e) >> (pass as u32 * width));
        counts.iter_mut().zip(others).for_each(|(count, other)| *count += *other);
        if counts[digit(from[0])] as usize != from.len() {
            move_items(from, to, counts, digit);
            std::mem::swap(&mut from, &mut to);
            moved = !moved;
        }
    }
    moved
}

/// Moves items to the places of their digits, of which there are so many each.
fn move_items<E: Item, const VALUES: usize>(
    from: &[E],
    to: &mut [E],
    places: &mut [u32; VALUES],
    digit: impl Fn(E) -> usize,
) {
    let mut end = 0;
    places.iter_mut().for_each(|place| end += std::mem::replace(place, end));
    let mut next = |e: E| {
        let place = &mut places[digit(e)];
        *place += 1;
        *place as usize - 1
    };
    let (many, rest) = from.as_chunks::<AHEAD>();
    for items in many {
        let mut found = [0; AHEAD];
        found.iter_mut().zip(items).for_each(|(place, e)| *place = next(*e));
        found.into_iter().zip(items).for_each(|(place, e)| to[place] = *e);
    }
    rest.iter().for_each(|e| to[next(*e)] = *e);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sorts pairs by their first half and compares with the standard library's stable sort.
    fn check(name: &str, keys: impl Iterator<Item = u64>) {
        let x: Vec<(u64, u32)> = keys.zip(0..).collect();
        let (mut ours, mut theirs, mut scratch) = (x.clone(), x.clone(), x);
        sort(&mut ours, &mut scratch, |pair| pair.0);
        theirs.sort_by_key(|pair| pair.0);
        assert!(ours == theirs, "{name}, {} items", ours.len());
    }

    fn noise(i: u64) -> u64 {
        i.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (i << 23)
    }

    #[test]
    fn keys_of_all_spreads_and_sizes_are_sorted_stably() {
        for n in [0, 1, 2, 31, 32, 33, 1000, 32_768, 32_769, 100_003, 300_007] {
            check("noise", (0..n).map(noise));
            check("a narrow range", (0..n).map(|i| noise(i) >> 52));
            check("32 bits", (0..n).map(|i| noise(i) >> 32));
            check("odd bits", (0..n).map(|i| noise(i) >> 29));
            check("all the same", (0..n).map(|_| 7));
            check("rising", 0..n);
            check("falling", (0..n).rev());
            check("one far away", (0..n).map(|i| if i == n / 2 { u64::MAX } else { noise(i) >> 40 }));
            check("low and high bits", (0..n).map(|i| (noise(i) >> 62) << 60 | (noise(i) & 3)));
        }
    }
}
