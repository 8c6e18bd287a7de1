//! Members of many elements and vectors of members, with AVX-512: networks of two-source permutations.
//!
//! Memory is taken as 32-bit words. What a register holds is a list of words, numbered from the first member of
//! lane 0; a network merges registers two by two, keeping the words that are wanted, until what is left is the
//! vectors of members (loads) or the vectors of memory (stores).

use super::{Lower, interleave::Members};
use crate::jit::{
    mir::{Address, Kind, Src},
    x64::VOp,
};
use regalloc2::VReg;

/// Words of a vector.
const WORDS: usize = 16;
/// Vectors that the memory of a vector of lanes takes at most.
const MOST: usize = 8;

/// The words that a register holds.
#[derive(Clone, Debug)]
struct Held {
    reg: VReg,
    words: Vec<Option<u32>>,
}

impl Held {
    fn position(&self, word: u32) -> Option<u32> {
        self.words.iter().position(|w| *w == Some(word)).map(|at| at as u32)
    }

    fn holds(&self, word: u32) -> bool {
        self.words.contains(&Some(word))
    }
}

/// How the words of a vector of lanes lie.
struct Layout {
    /// Offset of word 0.
    start: i32,
    /// Words from lane to lane, and of a member.
    lane: u32,
    member: u32,
    lanes: u32,
    /// Vectors that hold all of them.
    vectors: usize,
}

impl Layout {
    /// The layout of members whose first word is at an offset, if it is one that networks are made for.
    fn new(members: &Members, start: i32) -> Option<Self> {
        let lanes = WORDS as u32 * 4 / members.bytes as u32;
        let vectors = (lanes * members.lane as u32) as usize / (4 * WORDS);
        let fits = members.lane % members.bytes == 0 && (2..=MOST).contains(&vectors);
        fits.then_some(Layout {
            start,
            lane: members.lane as u32 / 4,
            member: members.bytes as u32 / 4,
            lanes,
            vectors,
        })
    }

    /// The words of a member, in the order of a vector of it.
    fn words(&self, offset: i32) -> Vec<u32> {
        let first = (offset - self.start) as u32 / 4;
        (0..self.lanes).flat_map(|l| (0..self.member).map(move |w| l * self.lane + first + w)).collect()
    }
}

impl Lower<'_> {
    /// A register of wanted words out of two.
    fn merge(&mut self, a: &Held, b: Option<&Held>, wanted: Vec<Option<u32>>) -> Held {
        let as_is = |h: &Held| wanted.iter().enumerate().all(|(i, w)| w.is_none() || h.words.get(i) == Some(w));
        if let Some(same) = [Some(a), b].into_iter().flatten().find(|h| as_is(h)) {
            return same.clone();
        }
        let all_in = |h: &Held| wanted.iter().flatten().all(|w| h.holds(*w));
        let (a, b) = match b {
            Some(b) if all_in(b) => (b, None),
            Some(_) if all_in(a) => (a, None),
            b => (a, b),
        };
        let from_b = |word: u32| b.and_then(|b| b.position(word)).map(|at| at + WORDS as u32);
        let index = (0..WORDS).map(|i| {
            let word = wanted.get(i).copied().flatten();
            word.and_then(|w| a.position(w).or_else(|| from_b(w))).unwrap_or(0)
        });
        let index = self.pooled(index);
        let index = self.v2(VOp::Movups, Src::Mem(index));
        let reg = match b {
            None => self.v3(VOp::Permd, index, Src::Reg(a.reg)),
            Some(b) => self.v4(VOp::Permi2d, index, a.reg, Src::Reg(b.reg)),
        };
        Held { reg, words: wanted }
    }

    /// Merges neighbours, keeping some words in their order.
    fn merge_pairs(&mut self, held: &[Held], keep: &[u32]) -> Vec<Held> {
        held.chunks(2)
            .map(|pair| match pair {
                [a, b] => {
                    let wanted = keep.iter().filter(|w| a.holds(**w) || b.holds(**w)).map(|w| Some(*w)).collect();
                    self.merge(a, Some(b), wanted)
                }
                one => one[0].clone(),
            })
            .collect()
    }

    /// Whether neighbours can be merged, keeping some words.
    fn fits(held: &[Held], keep: &[u32]) -> bool {
        held.chunks(2).all(|pair| keep.iter().filter(|w| pair.iter().any(|h| h.holds(**w))).count() <= WORDS)
    }

    /// Vectors of words out of registers, of which each word is in one.
    fn weave(&mut self, held: &[Held], vectors: &[Vec<Option<u32>>]) -> Vec<VReg> {
        if held.len() <= 2 {
            return vectors.iter().map(|v| self.merge(&held[0], held.get(1), v.clone()).reg).collect();
        }
        let words = |v: &[Vec<Option<u32>>]| -> Vec<u32> { v.iter().flatten().flatten().copied().collect() };
        let halves = vectors.len().div_ceil(2);
        let size = [vectors.len(), halves, 1]
            .into_iter()
            .find(|size| vectors.chunks(*size).all(|group| Self::fits(held, &words(group))))
            .unwrap_or(1);
        let mut result = Vec::new();
        for group in vectors.chunks(size) {
            let merged = self.merge_pairs(held, &words(group));
            result.extend(self.weave(&merged, group));
        }
        result
    }

    /// Loads members: for each a vector a part, or two.
    pub(super) fn load_woven(&mut self, members: &Members) -> Option<Vec<Vec<VReg>>> {
        // From the element's start, if known: then the memory of all lanes is inside.
        let layout = Layout::new(members, members.inside.start)?;
        let halves = members.bytes as usize / 4;
        let wanted: Vec<Vec<Option<u32>>> =
            members.offsets.iter().map(|o| layout.words(*o).into_iter().map(Some).collect()).collect();
        let inside = (layout.lanes - 1) * layout.lane + (members.inside.end - layout.start) as u32 / 4;
        let mut result = vec![Vec::new(); wanted.len()];
        for part in 0..self.parts {
            for half in 0..halves {
                let at = self.member_address(members, part, half).plus(layout.start);
                let held: Vec<Held> = (0..layout.vectors).filter_map(|i| self.load_words(at, i, inside)).collect();
                let vectors = self.weave(&held, &wanted);
                result.iter_mut().zip(vectors).for_each(|(r, v)| r.push(v));
            }
        }
        Some(result)
    }

    /// A vector of memory, of which so many words are inside.
    fn load_words(&mut self, at: Address, number: usize, inside: u32) -> Option<Held> {
        let first = (number * WORDS) as u32;
        let count = inside.checked_sub(first).filter(|n| *n > 0)?.min(WORDS as u32);
        let from = Src::Mem(at.plus(4 * first as i32));
        let reg = match count as usize {
            WORDS => self.v2(VOp::Movups, from),
            count => {
                let mask = self.mask_of_bits((1 << count) - 1);
                self.v2_masked(VOp::Movups, from, mask, None)
            }
        };
        Some(Held { reg, words: (first..first + count).map(Some).collect() })
    }

    fn mask_of_bits(&mut self, bits: u64) -> VReg {
        let bits = self.imm(bits);
        self.mask_unary(Kind::MaskFromGpr, Some(bits))
    }

    /// Stores members, each a vector a part, or two.
    pub(super) fn store_woven(&mut self, members: &Members, values: &[Vec<VReg>]) -> bool {
        let Some(layout) = Layout::new(members, members.offsets[0]) else { return false };
        let halves = members.bytes as usize / 4;
        let words: Vec<Vec<u32>> = members.offsets.iter().map(|o| layout.words(*o)).collect();
        let vectors: Vec<Vec<Option<u32>>> = (0..layout.vectors as u32)
            .map(|v| {
                let range = v * WORDS as u32..(v + 1) * WORDS as u32;
                range.map(|w| words.iter().any(|m| m.contains(&w)).then_some(w)).collect()
            })
            .collect();
        for part in 0..self.parts {
            for half in 0..halves {
                let at = self.member_address(members, part, half).plus(layout.start);
                let held: Vec<Held> = words
                    .iter()
                    .zip(values)
                    .map(|(w, v)| Held { reg: v[part * halves + half], words: w.iter().map(|w| Some(*w)).collect() })
                    .collect();
                let masks = self.word_masks(part, half, &layout, &vectors);
                let woven = self.weave(&held, &vectors);
                for (i, (reg, mask)) in woven.into_iter().zip(masks).enumerate() {
                    self.store_vector(VOp::MovupsSt, reg, at.plus((i * 4 * WORDS) as i32), mask);
                }
            }
        }
        true
    }

    /// For each vector of memory a mask of the words that live lanes write, where that is not all of them.
    fn word_masks(
        &mut self,
        part: usize,
        half: usize,
        layout: &Layout,
        vectors: &[Vec<Option<u32>>],
    ) -> Vec<Option<VReg>> {
        let live = self.mask.as_ref().map(|m| m[part]);
        // Live lanes as words of ones.
        let live = live.map(|mask| {
            let ones = self.pooled((0..WORDS).map(|_| u32::MAX));
            self.v2_masked(VOp::Movups, Src::Mem(ones), mask, None)
        });
        let lane = |word: &Option<u32>| word.map_or(0, |w| w / layout.lane) + half as u32 * layout.lanes;
        let mut masks = Vec::new();
        for words in vectors {
            let written = words.iter().enumerate().fold(0, |bits, (i, w)| bits | u64::from(w.is_some()) << i);
            masks.push(match live {
                None if words.iter().all(Option::is_some) => None,
                None => Some(self.mask_of_bits(written)),
                Some(live) => {
                    let lanes = self.pooled(words.iter().map(lane));
                    let lanes = self.v2(VOp::Movups, Src::Mem(lanes));
                    let each = self.v3(VOp::Permd, lanes, Src::Reg(live));
                    let ones = self.pooled(words.iter().map(|w| if w.is_some() { u32::MAX } else { 0 }));
                    Some(self.compare_k(VOp::Testmd, each, Src::Mem(ones), None))
                }
            });
        }
        masks
    }
}
