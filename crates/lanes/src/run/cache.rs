//! The machine's caches.

use std::sync::OnceLock;

/// Bytes of the last cache before memory, or of one of them where cores have their own; `None` where the machine does not
/// say. Asked for once.
pub(crate) fn last_level_bytes() -> Option<u64> {
    static BYTES: OnceLock<Option<u64>> = OnceLock::new();
    *BYTES.get_or_init(ask)
}

#[cfg(not(target_arch = "x86_64"))]
fn ask() -> Option<u64> {
    None
}

/// From the leaf of `cpuid` that lists caches, one a sub-leaf: Intel's, or AMD's of the same form.
#[cfg(target_arch = "x86_64")]
fn ask() -> Option<u64> {
    const INTEL: u32 = 4;
    const AMD: u32 = 0x8000_001d;
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    let has = |leaf: u32| __cpuid(leaf & 0x8000_0000).eax >= leaf;
    let of = |leaf: u32, i: u32| {
        let r = __cpuid_count(leaf, i);
        let (kind, level) = (r.eax & 31, r.eax >> 5 & 7);
        let ways = u64::from(r.ebx >> 22) + 1;
        let (partitions, line) = (u64::from(r.ebx >> 12 & 1023) + 1, u64::from(r.ebx & 4095) + 1);
        (kind != 0).then_some((level, ways * partitions * line * (u64::from(r.ecx) + 1)))
    };
    // More caches than any machine lists.
    let largest = |leaf: u32| (0..16).map_while(|i| of(leaf, i)).max().map(|(_, bytes)| bytes);
    [INTEL, AMD].into_iter().filter(|leaf| has(*leaf)).find_map(largest)
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    #[test]
    fn a_cache_is_as_large_as_caches_are() {
        // Machines that hide their caches say nothing.
        if let Some(bytes) = super::last_level_bytes() {
            assert!((1 << 10..1 << 40).contains(&bytes), "{bytes} bytes");
        }
    }
}
