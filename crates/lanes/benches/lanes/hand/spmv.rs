//! Sparse matrix times vector by hand, in two ways: a row over the lanes (values and columns are contiguous, the lanes
//! are added up at the end), and a row a lane as the kernel says (all is gathered, nothing is added up).

use super::{
    super::work::{Parts, Spmv},
    Hand, Variant,
};
use evener_lanes::Level;
use std::arch::x86_64::*;

impl Hand for Spmv {
    #[inline(always)]
    fn scalar(&mut self) {
        let Parts { row_start, column, value, x, y } = self.parts();
        for row in 0..y.len().next_multiple_of(64) {
            if row >= y.len() {
                continue;
            }
            let mut sum = 0.0;
            for k in row_start[row] as usize..row_start[row + 1] as usize {
                sum += value[k] * x[column[k] as usize];
            }
            y[row] = sum;
        }
    }

    fn variants() -> Vec<Variant<Self>> {
        vec![
            // SAFETY: the level is the machine's.
            Variant { name: "row over lanes", level: Level::Avx2, run: |w| unsafe { over_lanes256(w.parts()) } },
            // SAFETY: as above.
            Variant { name: "row a lane", level: Level::Avx2, run: |w| unsafe { by_lane256(w.parts()) } },
            // SAFETY: as above.
            Variant { name: "row over lanes", level: Level::Avx512, run: |w| unsafe { over_lanes512(w.parts()) } },
            // SAFETY: as above.
            Variant { name: "row a lane", level: Level::Avx512, run: |w| unsafe { by_lane512(w.parts()) } },
        ]
    }
}

#[target_feature(enable = "avx512f,bmi2")]
fn over_lanes512(Parts { row_start, column, value, x, y }: Parts<'_>) {
    for (y, row) in y.iter_mut().zip(row_start.windows(2)) {
        let mut sum = _mm512_setzero_ps();
        let mut k = row[0] as usize;
        let end = row[1] as usize;
        while k < end {
            let mask = _bzhi_u32(0xffff, (end - k).min(16) as u32) as __mmask16;
            // SAFETY: the mask keeps to the row's values, and columns are inside `x`.
            unsafe {
                let columns = _mm512_maskz_loadu_epi32(mask, column.as_ptr().add(k).cast());
                let xs = _mm512_mask_i32gather_ps::<4>(_mm512_setzero_ps(), mask, columns, x.as_ptr());
                sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, value.as_ptr().add(k)), xs, sum);
            }
            k += 16;
        }
        *y = _mm512_reduce_add_ps(sum);
    }
}

#[target_feature(enable = "avx512f,bmi2")]
fn by_lane512(Parts { row_start, column, value, x, y }: Parts<'_>) {
    for (block, y) in y.chunks_mut(16).enumerate() {
        let rows = _bzhi_u32(0xffff, y.len() as u32) as __mmask16;
        // SAFETY: `row_start` has one element more than there are rows.
        let (mut k, end) = unsafe {
            let from = row_start.as_ptr().add(16 * block).cast();
            (_mm512_maskz_loadu_epi32(rows, from), _mm512_maskz_loadu_epi32(rows, from.add(1)))
        };
        let (mut sum, zero) = (_mm512_setzero_ps(), _mm512_setzero_si512());
        let mut mask = _mm512_cmplt_epu32_mask(k, end);
        while mask != 0 {
            // SAFETY: masked lanes are inside their rows, and columns are inside `x`.
            unsafe {
                let columns = _mm512_mask_i32gather_epi32::<4>(zero, mask, k, column.as_ptr().cast());
                let values = _mm512_mask_i32gather_ps::<4>(_mm512_setzero_ps(), mask, k, value.as_ptr());
                let xs = _mm512_mask_i32gather_ps::<4>(_mm512_setzero_ps(), mask, columns, x.as_ptr());
                sum = _mm512_fmadd_ps(values, xs, sum);
            }
            k = _mm512_add_epi32(k, _mm512_set1_epi32(1));
            mask = _mm512_cmplt_epu32_mask(k, end);
        }
        // SAFETY: the mask keeps to the chunk.
        unsafe { _mm512_mask_storeu_ps(y.as_mut_ptr(), rows, sum) };
    }
}

/// Lanes of a mask of eight.
#[inline]
#[target_feature(enable = "avx2")]
fn first256(count: usize) -> __m256i {
    let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count.min(8) as i32), lane)
}

#[target_feature(enable = "avx2,fma")]
fn over_lanes256(Parts { row_start, column, value, x, y }: Parts<'_>) {
    for (y, row) in y.iter_mut().zip(row_start.windows(2)) {
        let mut sum = _mm256_setzero_ps();
        let (mut k, end) = (row[0] as usize, row[1] as usize);
        while k + 8 <= end {
            // SAFETY: eight values of the row from `k`, and columns are inside `x`.
            unsafe {
                let columns = _mm256_loadu_si256(column.as_ptr().add(k).cast());
                let xs = _mm256_i32gather_ps::<4>(x.as_ptr(), columns);
                sum = _mm256_fmadd_ps(_mm256_loadu_ps(value.as_ptr().add(k)), xs, sum);
            }
            k += 8;
        }
        // A gather costs as much as a few single loads.
        if end - k > 2 {
            let mask = first256(end - k);
            let float_mask = _mm256_castsi256_ps(mask);
            // SAFETY: the mask keeps to the row's values, and columns are inside `x`.
            unsafe {
                let columns = _mm256_maskload_epi32(column.as_ptr().add(k).cast(), mask);
                let xs = _mm256_mask_i32gather_ps::<4>(_mm256_setzero_ps(), x.as_ptr(), columns, float_mask);
                sum = _mm256_fmadd_ps(_mm256_maskload_ps(value.as_ptr().add(k), mask), xs, sum);
            }
            k = end;
        }
        let quarter = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
        let half = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
        let mut total = _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
        for k in k..end {
            // SAFETY: as above.
            total += unsafe { *value.get_unchecked(k) * *x.get_unchecked(*column.get_unchecked(k) as usize) };
        }
        *y = total;
    }
}

#[target_feature(enable = "avx2,fma")]
fn by_lane256(Parts { row_start, column, value, x, y }: Parts<'_>) {
    for (block, y) in y.chunks_mut(8).enumerate() {
        let rows = first256(y.len());
        // SAFETY: `row_start` has one element more than there are rows.
        let (mut k, end) = unsafe {
            let from = row_start.as_ptr().add(8 * block).cast();
            (_mm256_maskload_epi32(from, rows), _mm256_maskload_epi32(from.add(1), rows))
        };
        let (mut sum, zero) = (_mm256_setzero_ps(), _mm256_setzero_si256());
        let mut mask = _mm256_cmpgt_epi32(end, k);
        while _mm256_movemask_epi8(mask) != 0 {
            let float_mask = _mm256_castsi256_ps(mask);
            // SAFETY: masked lanes are inside their rows, and columns are inside `x`.
            unsafe {
                let columns = _mm256_mask_i32gather_epi32::<4>(zero, column.as_ptr().cast(), k, mask);
                let values = _mm256_mask_i32gather_ps::<4>(_mm256_setzero_ps(), value.as_ptr(), k, float_mask);
                let xs = _mm256_mask_i32gather_ps::<4>(_mm256_setzero_ps(), x.as_ptr(), columns, float_mask);
                sum = _mm256_fmadd_ps(values, xs, sum);
            }
            k = _mm256_add_epi32(k, _mm256_set1_epi32(1));
            mask = _mm256_cmpgt_epi32(end, k);
        }
        // SAFETY: the mask keeps to the chunk.
        unsafe { _mm256_maskstore_ps(y.as_mut_ptr(), rows, sum) };
    }
}
