//! The checking mode of a call: are its true accesses inside the footprint that plans rely on?

use super::Call;
use crate::{
    error::{Error, ErrorKind, Result},
    memory::residency::HOST,
};
use evener_lanes::{
    GroupRange,
    analysis::{Split, check},
};

/// Parts that a splittable call is cut into for the check.
const PARTS: u32 = 3;

impl Call<'_> {
    /// Runs the call on copies of its arguments, one invocation after the other, with every access recorded, and
    /// compares: each part of the grid against the part's own footprint. Slow; the arguments stay as they were.
    ///
    /// # Errors
    /// As [`Call::run`] for the caller's input; `KernelFault` for an access outside the footprint, which names the
    /// binding and the byte and is a bug of evener.
    pub fn check_footprint(self) -> Result<()> {
        let ready = self.prepare()?;
        let uniforms = ready.uniform_slices();
        let shape = ready.shape(&uniforms);
        let mut buffers = Vec::with_capacity(ready.arguments.len());
        for (argument, array) in ready.arguments.iter().zip(&ready.arrays) {
            if let (Some(array), Some(part)) = (array, argument.array) {
                array.acquire(HOST, &[part.offset..part.offset + argument.len], &mut Vec::new())?;
            }
            // SAFETY: `prepare` made the argument from a slice or array that is borrowed for the life of this call, and nothing
            // writes it while the call is being checked.
            buffers.push(unsafe { std::slice::from_raw_parts(argument.ptr, argument.len as usize) }.to_vec());
        }
        for part in parts(GroupRange::all(ready.grid), ready.split(self.kernel)) {
            let accesses = check::run(self.kernel.program.kernel(), &shape, &mut buffers, &part)?;
            let footprint = self.kernel.analysis.footprint(&shape, &part);
            if let Some((binding, byte, written)) = accesses.outside(&footprint) {
                let name = &self.kernel.bindings()[binding].name;
                let what = if written { "writes" } else { "reads" };
                return Err(Error::new(
                    ErrorKind::KernelFault,
                    format!(
                        "the footprint is wrong, which is a bug of evener: `{name}` {what} byte {byte} outside of it \
                         in the work-groups {:?} to {:?}",
                        part.start, part.end
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// The grid cut where a plan may cut it.
fn parts(whole: GroupRange, split: &Split) -> Vec<GroupRange> {
    let Split::Axis(axis) = split else { return vec![whole] };
    let axis = usize::from(*axis);
    let size = whole.end[axis] - whole.start[axis];
    let (mut parts, mut rest) = (Vec::new(), whole);
    for i in 1..PARTS {
        let (front, back) =
            rest.split_at(axis, whole.start[axis] + (u64::from(size) * u64::from(i) / u64::from(PARTS)) as u32);
        parts.push(front);
        rest = back;
    }
    parts.push(rest);
    parts.retain(|p| !p.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use evener_lanes::Grid;

    #[test]
    fn parts_cover_the_grid_once() {
        for groups in [1, 2, 3, 7] {
            let whole = GroupRange::all(Grid { groups: [5, groups, 1] });
            let parts = parts(whole, &Split::Axis(1));
            assert_eq!(parts.iter().map(GroupRange::count).sum::<u64>(), whole.count());
            assert!(parts.windows(2).all(|p| p[0].end[1] == p[1].start[1]));
        }
        let whole = GroupRange::all(Grid { groups: [5, 1, 1] });
        assert_eq!(parts(whole, &Split::Whole(String::new())), [whole]);
    }
}
