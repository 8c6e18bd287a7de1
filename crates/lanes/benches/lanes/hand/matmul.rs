//! Matrix product by hand: the kernel's algorithm, tiles of 16 by 16 through local buffers.

use super::{
    super::work::{Matmul, TILE},
    Hand, Variant,
};
use evener_lanes::Level;
use std::{arch::x86_64::*, array::from_fn};

/// A tile, row by row.
#[repr(align(64))]
struct Tile([[f32; TILE]; TILE]);

impl Hand for Matmul {
    #[inline(always)]
    fn scalar(&mut self) {
        let (n, a, b) = (self.size, &self.a[..], &self.b[..]);
        for row in 0..n {
            for col in 0..n {
                let mut sum = 0.0;
                for k in 0..n {
                    sum += a[row * n + k] * b[k * n + col];
                }
                self.c[row * n + col] = sum;
            }
        }
    }

    fn variants() -> Vec<Variant<Self>> {
        vec![
            // SAFETY: the level is the machine's.
            Variant { name: "", level: Level::Avx2, run: |w| unsafe { avx2(w) } },
            // SAFETY: as above.
            Variant { name: "", level: Level::Avx512, run: |w| unsafe { avx512(w) } },
        ]
    }
}

/// Asks for a row of the tiles of the next turn: they are too far apart for the machine to guess. After the last turn
/// the address may be outside; nothing is read then.
#[inline(always)]
fn prefetch(from: &[f32], index: usize) {
    // SAFETY: a prefetch accesses nothing and does not fault.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(from.as_ptr().wrapping_add(index).cast()) };
}

/// The tile of a matrix at a row and a column, by whole vectors: a load of what two narrower stores wrote would wait.
#[inline]
#[target_feature(enable = "avx512f")]
fn fetch512(tile: &mut Tile, from: &[f32], size: usize, row: usize, col: usize) {
    let from = &from[row * size + col..][..(TILE - 1) * size + TILE];
    for (r, to) in tile.0.iter_mut().enumerate() {
        // SAFETY: the slice reaches to the end of the last row of the tile.
        unsafe { _mm512_store_ps(to.as_mut_ptr(), _mm512_loadu_ps(from.as_ptr().add(r * size))) };
    }
}

/// The same by halves.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn fetch256(tile: &mut Tile, from: &[f32], size: usize, row: usize, col: usize) {
    let from = &from[row * size + col..][..(TILE - 1) * size + TILE];
    for (r, to) in tile.0.iter_mut().enumerate() {
        for half in [0, 8] {
            // SAFETY: the slice reaches to the end of the last row of the tile.
            unsafe {
                let from = _mm256_loadu_ps(from.as_ptr().add(r * size + half));
                _mm256_store_ps(to.as_mut_ptr().add(half), from);
            }
        }
    }
}

/// A tile of the result is sixteen vectors, which stay in registers.
#[target_feature(enable = "avx512f")]
fn avx512(w: &mut Matmul) {
    let n = w.size;
    let (mut a, mut b) = (Tile([[0.0; TILE]; TILE]), Tile([[0.0; TILE]; TILE]));
    for row in (0..n).step_by(TILE) {
        for col in (0..n).step_by(TILE) {
            let mut sum = [_mm512_setzero_ps(); TILE];
            for first in (0..n).step_by(TILE) {
                fetch512(&mut a, &w.a, n, row, first);
                fetch512(&mut b, &w.b, n, first, col);
                for k in 0..TILE {
                    prefetch(&w.a, (row + k) * n + first + TILE);
                    prefetch(&w.b, (first + TILE + k) * n + col);
                    // SAFETY: a row of the tile.
                    let from_b = unsafe { _mm512_load_ps(b.0[k].as_ptr()) };
                    for (row, sum) in a.0.iter().zip(&mut sum) {
                        *sum = _mm512_fmadd_ps(_mm512_set1_ps(row[k]), from_b, *sum);
                    }
                }
            }
            for (r, sum) in sum.into_iter().enumerate() {
                let to: &mut [f32] = &mut w.c[(row + r) * n + col..][..TILE];
                // SAFETY: the slice has a tile's width.
                unsafe { _mm512_storeu_ps(to.as_mut_ptr(), sum) };
            }
        }
    }
}

/// Rows whose sums are in registers at once: two vectors each.
const ROWS: usize = 4;

#[target_feature(enable = "avx2,fma")]
fn avx2(w: &mut Matmul) {
    let n = w.size;
    let (mut a, mut b, mut c) = (Tile([[0.0; TILE]; TILE]), Tile([[0.0; TILE]; TILE]), Tile([[0.0; TILE]; TILE]));
    for row in (0..n).step_by(TILE) {
        for col in (0..n).step_by(TILE) {
            c.0.as_flattened_mut().fill(0.0);
            for first in (0..n).step_by(TILE) {
                fetch256(&mut a, &w.a, n, row, first);
                fetch256(&mut b, &w.b, n, first, col);
                for r in (0..TILE).step_by(ROWS) {
                    for k in r..r + ROWS {
                        prefetch(&w.a, (row + k) * n + first + TILE);
                        prefetch(&w.b, (first + TILE + k) * n + col);
                    }
                    strip256(&mut c, &a, &b, r);
                }
            }
            for (r, from) in c.0.iter().enumerate() {
                w.c[(row + r) * n + col..][..TILE].copy_from_slice(from);
            }
        }
    }
}

/// Adds to some rows of `c` those of the product of `a` and `b`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn strip256(c: &mut Tile, a: &Tile, b: &Tile, row: usize) {
    let rows = &mut c.0[row..row + ROWS];
    // SAFETY: the halves of a row of the tile.
    let halves = |row: &[f32; TILE]| unsafe { [_mm256_load_ps(row.as_ptr()), _mm256_load_ps(row.as_ptr().add(8))] };
    let mut sum: [_; ROWS] = from_fn(|r| halves(&rows[r]));
    for k in 0..TILE {
        let from_b = halves(&b.0[k]);
        for (sum, from_a) in sum.iter_mut().zip(&a.0[row..]) {
            let from_a = _mm256_set1_ps(from_a[k]);
            *sum = [_mm256_fmadd_ps(from_a, from_b[0], sum[0]), _mm256_fmadd_ps(from_a, from_b[1], sum[1])];
        }
    }
    for (row, sum) in rows.iter_mut().zip(sum) {
        // SAFETY: as above.
        unsafe {
            _mm256_store_ps(row.as_mut_ptr(), sum[0]);
            _mm256_store_ps(row.as_mut_ptr().add(8), sum[1]);
        }
    }
}
