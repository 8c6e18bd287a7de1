//! Random numbers keyed by element: nothing is carried from one to the next, so any part may be made anywhere.

use crate::{data::Output, passes::Passes, reports::Done, sizes::indexable};
use evener::{Result, prelude::*};
use evener_shaders::blocks as wgsl;

/// Which random numbers: a seed, and one of the 2^64 streams that are independent under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stream {
    /// Philox's key, the low word first.
    pub seed: u64,
    /// The upper half of Philox's counter, the low word first.
    pub number: u64,
}

/// From a seed: stream 0.
impl From<u64> for Stream {
    fn from(seed: u64) -> Self {
        Stream { seed, number: 0 }
    }
}

/// Fills `y` by the kernel whose words become elements as `make` says.
pub(super) fn random<T: Element>(rt: &Runtime, make: &str, stream: Stream, y: &mut impl Output<T>) -> Result<Done<()>> {
    let mut passes = Passes::new(rt);
    let count = indexable("y", y.count())?;
    if count > 0 {
        let words = |n: u64| [n as u32, (n >> 32) as u32];
        let kernel = passes.kernel(&[wgsl::PHILOX, make, wgsl::RANDOM])?;
        let call = kernel.call().set("stream.seed", words(stream.seed)).set("stream.number", words(stream.number));
        let call = call.set("stream.count", count).arg("y", y.as_arg_mut());
        passes.run(call.items(count.div_ceil(4)))?;
    }
    Ok(passes.done(()))
}
