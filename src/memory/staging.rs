//! What travels between a host slice and its device buffer: which ranges, in which pieces, at which
//! alignment, and the copy of downloaded bytes into the host slice.
//!
//! Devices copy multiples of 4 bytes at multiples of 4 bytes. Host slices have any length, and of a
//! download exactly the bytes asked for are written to the host.

use crate::error::{Error, ErrorKind, Result};
use evener_lanes::analysis::Strided;
use std::ops::Range;

/// Alignment in bytes of device copies.
pub(crate) const ALIGN: u64 = 4;

/// Runs closer than this many bytes travel as one copy: a copy command costs about as much as 4 KiB on a
/// link of 10 GB/s.
const JOIN_BYTES: u64 = 4096;

/// Copy commands of one set of runs; more are joined over their gaps.
const MAX_COPIES: u64 = 1024;

/// `bytes` rounded up to what devices copy.
pub(crate) fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGN)
}

/// Checks upload ranges against a binding of `len` bytes: sorted, disjoint, in bounds, aligned but for the end.
///
/// # Errors
/// A plan that does not keep the contract of [`Transfer`](crate::backend::Transfer).
pub(crate) fn check_upload(ranges: &[Range<u64>], len: u64) -> Result<()> {
    let mut end = 0;
    for r in ranges {
        let aligned = r.start.is_multiple_of(ALIGN) && (r.end.is_multiple_of(ALIGN) || r.end == len);
        if !aligned || r.start < end || r.end < r.start || r.end > len {
            return Err(plan_error(format!("upload range {}..{} of an argument of {len} bytes", r.start, r.end)));
        }
        end = r.end;
    }
    Ok(())
}

/// Checks download runs against a binding of `len` bytes.
///
/// # Errors
/// A run outside the binding.
pub(crate) fn check_download(sets: &[Strided], len: u64) -> Result<()> {
    for set in sets {
        if !is_empty(set) && end(set).is_none_or(|e| e > len) {
            return Err(plan_error(format!("download of {set:?} from an argument of {len} bytes")));
        }
    }
    Ok(())
}

/// The parts of a range that may be read, and whether that is all of it. They may overlap.
pub(crate) fn readable(exact: Option<&[Strided]>, range: &Range<u64>) -> (bool, Vec<Range<u64>>) {
    let whole = || (true, std::iter::once(range.clone()).collect());
    let Some(sets) = exact else { return whole() };
    let covers = |s: &Strided| s.levels.is_empty() && s.start <= range.start && range.end <= s.start + s.run;
    if sets.iter().any(covers) {
        return whole();
    }
    let mut parts = Vec::new();
    for set in sets.iter().filter(|s| !is_empty(s) && s.start < range.end) {
        set.for_each_run(|run| {
            let part = run.start.max(range.start)..run.end.min(range.end);
            if part.start < part.end {
                parts.push(part);
            }
        });
    }
    (false, parts)
}

fn plan_error(what: String) -> Error {
    Error::new(ErrorKind::Device, format!("the transfer plan is inconsistent: {what}"))
}

/// The parts of `0..bound` outside the sorted, disjoint `ranges`. A range that ends at an odd byte counts up to
/// the next multiple of 4, because its upload is padded.
pub(crate) fn complement(ranges: &[Range<u64>], bound: u64) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut at = 0;
    for r in ranges.iter().filter(|r| !r.is_empty()) {
        if r.start > at {
            gaps.push(at..r.start);
        }
        at = padded(r.end);
    }
    if at < bound {
        gaps.push(at..bound);
    }
    gaps
}

/// `range` in pieces of at most `piece` bytes (a multiple of 4).
pub(crate) fn pieces(range: Range<u64>, piece: u64) -> impl Iterator<Item = Range<u64>> {
    let end = range.end;
    range.step_by(piece as usize).map(move |start| start..(start + piece).min(end))
}

/// Whether a set has no bytes.
fn is_empty(set: &Strided) -> bool {
    set.run == 0 || set.levels.iter().any(|&(_, count)| count == 0)
}

/// One past the last byte of a set that is not empty; `None` past `u64`.
fn end(set: &Strided) -> Option<u64> {
    let mut end = set.start.checked_add(set.run)?;
    for &(stride, count) in &set.levels {
        end = end.checked_add(stride.checked_mul(count - 1)?)?;
    }
    Some(end)
}

/// Bytes in the runs of a set.
pub(crate) fn bytes(set: &Strided) -> u64 {
    set.levels.iter().fold(set.run, |n, &(_, count)| n.saturating_mul(count))
}

/// The aligned ranges to copy back so that all runs of `sets` are there: sorted, disjoint, multiples of 4.
/// Near runs are joined; `bound` is the size of the device buffer's binding.
pub(crate) fn spans(sets: &[Strided], bound: u64) -> Vec<Range<u64>> {
    let mut all: Vec<Range<u64>> = Vec::new();
    for set in sets.iter().filter(|s| !is_empty(s)) {
        let (run, levels) = joined(set);
        let block = Strided { start: set.start, run, levels };
        block.for_each_run(|run| all.push(run.start / ALIGN * ALIGN..padded(run.end).min(bound)));
    }
    all.sort_by_key(|r| r.start);
    let mut spans: Vec<Range<u64>> = Vec::new();
    for r in all {
        match spans.last_mut() {
            Some(last) if r.start <= last.end + JOIN_BYTES => last.end = last.end.max(r.end),
            _ => spans.push(r),
        }
    }
    spans
}

/// A coarser cover of a set: innermost levels joined over their gaps while these are small or the runs are
/// too many for one copy each.
fn joined(set: &Strided) -> (u64, Vec<(u64, u64)>) {
    let mut run = set.run;
    let mut levels = set.levels.clone();
    let copies = |l: &[(u64, u64)]| l.iter().fold(1u64, |n, &(_, c)| n.saturating_mul(c));
    while let Some(&(stride, count)) = levels.first() {
        let gap = stride.saturating_sub(run);
        if count > 1 && gap > JOIN_BYTES && copies(&levels) <= MAX_COPIES {
            break;
        }
        run += stride * (count - 1);
        levels.remove(0);
    }
    (run, levels)
}

/// Downloaded bytes of one binding that lie together: the device range and where its bytes are on the host.
#[derive(Clone, Debug)]
pub(crate) struct Landed<'a> {
    /// Bytes of the binding.
    pub(crate) range: Range<u64>,
    /// Their contents.
    pub(crate) bytes: &'a [u8],
}

/// Copies exactly the runs of `sets` from `landed` (sorted by range, covering them) to the host slice at `host`.
///
/// # Safety
/// `host` is valid for writes of every byte in `sets`, and nobody else accesses these bytes meanwhile.
pub(crate) unsafe fn scatter(sets: &[Strided], landed: &[Landed<'_>], host: *mut u8) {
    let mut at = 0;
    for set in sets.iter().filter(|s| !is_empty(s)) {
        set.for_each_run(|run| {
            if !landed.get(at).is_some_and(|l| l.range.contains(&run.start)) {
                at = landed.partition_point(|l| l.range.end <= run.start);
            }
            for l in landed[at..].iter().take_while(|l| l.range.start < run.end) {
                let part = run.start.max(l.range.start)..run.end.min(l.range.end);
                let from = &l.bytes[(part.start - l.range.start) as usize..(part.end - l.range.start) as usize];
                // SAFETY: `part` lies in the run, which the caller says is writable and ours; `from` is
                // a driver's mapping, so it cannot overlap a host slice.
                unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), host.add(part.start as usize), from.len()) };
            }
        });
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "transfers are lists of ranges")]
mod tests {
    use super::*;

    fn strided(start: u64, run: u64, levels: &[(u64, u64)]) -> Strided {
        Strided { start, run, levels: levels.to_vec() }
    }

    fn covered(set: &Strided) -> Vec<u64> {
        let mut all = Vec::new();
        if !is_empty(set) {
            set.for_each_run(|run| all.extend(run));
        }
        all
    }

    #[test]
    fn runs_are_enumerated_over_all_levels() {
        assert_eq!(covered(&strided(3, 2, &[(4, 2), (100, 2)])), [3, 4, 7, 8, 103, 104, 107, 108]);
        assert_eq!(covered(&strided(3, 2, &[])), [3, 4]);
        assert!(covered(&strided(3, 2, &[(4, 0)])).is_empty());
        assert_eq!(bytes(&strided(3, 2, &[(4, 2), (100, 2)])), 8);
    }

    #[test]
    fn spans_cover_the_runs_and_stay_aligned_and_disjoint() {
        for set in [
            strided(1, 3, &[(8, 5), (10_000, 3)]),
            strided(5, 1, &[(9_001, 2000)]),
            strided(0, 7, &[]),
            strided(0, 4, &[(8, 10), (4, 2)]),
        ] {
            let bound = padded(end(&set).unwrap());
            let spans = spans(std::slice::from_ref(&set), bound);
            assert!(spans.len() as u64 <= MAX_COPIES);
            assert!(spans.iter().all(|s| s.start % 4 == 0 && s.end % 4 == 0 && s.end <= bound));
            assert!(spans.windows(2).all(|w| w[0].end < w[1].start));
            assert!(covered(&set).iter().all(|b| spans.iter().any(|s| s.contains(b))));
        }
    }

    #[test]
    fn scatter_writes_the_runs_and_nothing_else() {
        let set = strided(2, 3, &[(7, 4)]);
        let device: Vec<u8> = (0..40).collect();
        let landed: Vec<Landed<'_>> =
            pieces(0..40, 8).map(|r| Landed { bytes: &device[r.start as usize..r.end as usize], range: r }).collect();
        let mut host = vec![255u8; 40];
        // SAFETY: all runs end before byte 40.
        unsafe { scatter(std::slice::from_ref(&set), &landed, host.as_mut_ptr()) };
        let inside = covered(&set);
        for (i, &b) in host.iter().enumerate() {
            assert_eq!(b, if inside.contains(&(i as u64)) { i as u8 } else { 255 });
        }
    }

    #[test]
    fn the_complement_of_the_uploads_is_what_must_be_cleared() {
        assert_eq!(complement(&[4..8, 8..12, 20..23], 32), [0..4, 12..20, 24..32]);
        assert_eq!(complement(&[], 8), vec![0..8]);
        assert!(complement(std::slice::from_ref(&(0..7)), 8).is_empty());
    }

    #[test]
    fn a_plan_that_breaks_the_contract_is_refused() {
        assert!(check_upload(&[0..8, 8..11], 11).is_ok());
        assert!(check_upload(&[0..8, 4..11], 11).is_err());
        assert!(check_upload(&[2..8], 11).is_err());
        assert!(check_upload(std::slice::from_ref(&(0..12)), 11).is_err());
        assert!(check_download(&[strided(0, 4, &[(8, 2)])], 12).is_ok());
        assert!(check_download(&[strided(0, 4, &[(8, 2)])], 11).is_err());
        assert!(check_download(&[strided(1, 4, &[(u64::MAX, 3)])], 11).is_err());
    }
}
