//! Device timestamps: where the time between submission and completion went.
//!
//! Four marks in one command buffer: before the clears, around the kernel, after the copies back. Taken only
//! for chunks that move enough bytes for the split to matter; otherwise wall time is the kernel's time.

use super::lease::{Lease, Pools, Purpose};
use std::sync::Arc;

/// Chunks that move fewer bytes are not marked: their copies are noise next to a launch.
const WORTH_BYTES: u64 = 64 << 10;

/// Bytes of the resolved marks.
pub(super) const MARK_BYTES: u64 = 32;

/// The marks of one chunk.
#[derive(Debug)]
pub(super) struct Marks {
    queries: wgpu::QuerySet,
    pub(super) resolved: Lease,
    period_ns: f64,
}

/// Time on the device in ns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Phases {
    /// Clears and copies before the kernel.
    pub(super) before_ns: f64,
    /// The kernel.
    pub(super) kernel_ns: f64,
    /// Copies after it.
    pub(super) after_ns: f64,
}

impl Marks {
    /// Marks for a chunk that moves `bytes`, where the device can.
    pub(super) fn new(device: &wgpu::Device, queue: &wgpu::Queue, pools: &Arc<Pools>, bytes: u64) -> Option<Self> {
        let needed = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS;
        if bytes < WORTH_BYTES || !device.features().contains(needed) {
            return None;
        }
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count: 4,
        });
        let resolved = pools.lease(Purpose::Queries, MARK_BYTES);
        Some(Marks { queries, resolved, period_ns: queue.get_timestamp_period().into() })
    }

    /// Writes mark `k` of 0..4.
    pub(super) fn write(&self, encoder: &mut wgpu::CommandEncoder, k: u32) {
        encoder.write_timestamp(&self.queries, k);
    }

    /// Copies the marks to the front of `readback`.
    pub(super) fn resolve(&self, encoder: &mut wgpu::CommandEncoder, readback: &wgpu::Buffer) {
        encoder.resolve_query_set(&self.queries, 0..4, &self.resolved.buffer, 0);
        encoder.copy_buffer_to_buffer(&self.resolved.buffer, 0, readback, 0, MARK_BYTES);
    }

    /// The phases from the bytes read back, if they are plausible beside the wall time.
    pub(super) fn phases(&self, bytes: &[u8], wall_ns: f64) -> Option<Phases> {
        let mark = |k: usize| bytes.get(k * 8..k * 8 + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
        phases([mark(0)?, mark(1)?, mark(2)?, mark(3)?], self.period_ns, wall_ns)
    }
}

/// The phases between four marks in ticks. `None` where they go backwards, do not move, or take longer than
/// the wall clock saw (with 10 % and 1 us of tolerance).
fn phases(marks: [u64; 4], period_ns: f64, wall_ns: f64) -> Option<Phases> {
    let [a, b, c, d] = marks;
    let sane = a != 0 && a <= b && b <= c && c <= d && a < d && period_ns.is_finite() && period_ns > 0.0;
    if !sane {
        return None;
    }
    let ns = |from: u64, to: u64| (to - from) as f64 * period_ns;
    (ns(a, d) <= wall_ns * 1.1 + 1000.0).then(|| Phases {
        before_ns: ns(a, b),
        kernel_ns: ns(b, c),
        after_ns: ns(c, d),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_go_backwards_or_exceed_the_wall_clock_are_not_believed() {
        let good = Phases { before_ns: 20.0, kernel_ns: 40.0, after_ns: 10.0 };
        assert_eq!(phases([10, 20, 40, 45], 2.0, 100.0), Some(good));
        assert_eq!(phases([10, 20, 15, 45], 2.0, 100.0), None);
        assert_eq!(phases([0, 0, 0, 0], 2.0, 100.0), None);
        assert_eq!(phases([10, 20, 40, 45], f64::NAN, 100.0), None);
        assert_eq!(phases([10, 20, 40, 4500], 1.0, 100.0), None);
    }
}
