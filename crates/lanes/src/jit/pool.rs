//! The constant pool: bytes behind the code, addressed relative to it.

use crate::passes::hash::FastMap;

#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) bytes: Vec<u8>,
    known: FastMap<Vec<u8>, u32>,
}

impl Pool {
    /// Offset of these bytes, aligned to their number.
    pub(super) fn place(&mut self, bytes: &[u8]) -> u32 {
        if let Some(at) = self.known.get(bytes) {
            return *at;
        }
        let align = bytes.len().next_power_of_two();
        self.bytes.resize(self.bytes.len().next_multiple_of(align), 0);
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        self.known.insert(bytes.to_vec(), at);
        at
    }
}
