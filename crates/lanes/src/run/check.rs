//! Checks the buffers of a run against the bindings of its kernel.

use super::{Buffer, Grid, GroupRange};
use crate::{
    Few,
    error::{Error, ErrorKind},
    ir::{AtomicOp, Base, Binding, Inst, Kernel, Op, Place, Region, verify::verify},
};

/// A buffer as the interpreter sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) ptr: *mut u8,
    /// Elements of the runtime-sized array.
    pub(crate) runtime_len: u64,
}

impl Default for Bound {
    fn default() -> Self {
        Bound { ptr: std::ptr::null_mut(), runtime_len: 0 }
    }
}

// SAFETY: the memory of a `Buffer`, which is shared between threads by its own contract.
unsafe impl Send for Bound {}
// SAFETY: as above.
unsafe impl Sync for Bound {}

/// What a kernel's body really does with a binding.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Use {
    written: bool,
    read: bool,
    /// Bytes of the widest atomic, 0 for none.
    atomic: u32,
    /// Bytes that an invocation stores at most, those in loops not counted.
    stored: u32,
    /// Stored to in a loop.
    often: bool,
}

impl Use {
    /// Bytes that an invocation stores of results, which are never read; 0 of anything else.
    pub(crate) fn result_bytes(&self) -> u64 {
        if self.read || self.often || self.atomic > 0 { 0 } else { self.stored.into() }
    }
}

/// Refuses what no batch can run.
///
/// # Errors
/// `TooLarge`: a work-group of no or of too many invocations. `Unsupported`: a kernel that is not well formed.
pub(crate) fn kernel(kernel: &Kernel) -> Result<(), Error> {
    verify(kernel).map_err(|why| {
        Error::new(ErrorKind::Unsupported, format!("kernel `{}` is not well formed: {why}", kernel.name))
    })?;
    let n = kernel.workgroup_size.iter().try_fold(1u32, |n, s| n.checked_mul(*s));
    match n {
        Some(1..=MAX_GROUP) => Ok(()),
        _ => Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "kernel `{}`: a work-group of {:?} must have 1 to {MAX_GROUP} invocations",
                kernel.name, kernel.workgroup_size
            ),
        )),
    }
}

/// Most invocations of a work-group.
const MAX_GROUP: u32 = 1 << 16;

/// What the body does with each binding.
pub(crate) fn uses(kernel: &Kernel) -> Vec<Use> {
    fn walk(kernel: &Kernel, region: &Region, often: bool, uses: &mut [Use]) {
        for inst in &region.insts {
            match inst {
                Inst::Op { op: Op::Load(Place { base: Base::Binding(i), .. }), .. } => uses[*i as usize].read = true,
                Inst::Store { place: Place { base: Base::Binding(i), .. }, value, .. } => {
                    let u = &mut uses[*i as usize];
                    u.written = true;
                    u.often |= often;
                    u.stored = u.stored.saturating_add(kernel.ty(*value).bytes());
                }
                Inst::Atomic { place: Place { base: Base::Binding(i), .. }, op, value, .. } => {
                    let u = &mut uses[*i as usize];
                    u.written |= *op != AtomicOp::Load;
                    u.atomic = u.atomic.max(kernel.ty(*value).bytes());
                }
                Inst::If { then, other, .. } => {
                    walk(kernel, then, often, uses);
                    walk(kernel, other, often, uses);
                }
                Inst::Loop { body, .. } => walk(kernel, body, true, uses),
                _ => {}
            }
        }
    }
    let mut uses = vec![Use::default(); kernel.bindings.len()];
    walk(kernel, &kernel.body, false, &mut uses);
    uses
}

/// Checks that a range lies in its grid.
///
/// # Errors
/// `TooLarge` where it does not.
pub(crate) fn range(grid: Grid, range: &GroupRange) -> Result<(), Error> {
    if (0..3).all(|a| range.start[a] >= range.end[a] || range.end[a] <= grid.groups[a]) {
        return Ok(());
    }
    let text = format!("work-groups {:?} to {:?} lie outside the grid of {:?}", range.start, range.end, grid.groups);
    Err(Error::new(ErrorKind::TooLarge, text))
}

/// Checks all buffers and adds their memories to `bounds`.
///
/// # Errors
/// `InvalidBuffer`: their number, a size, a missing write permission, a misaligned atomic.
pub(crate) fn bind(
    kernel: &Kernel,
    uses: &[Use],
    buffers: &[Buffer<'_>],
    bounds: &mut Few<Bound>,
) -> Result<(), Error> {
    if buffers.len() != kernel.bindings.len() {
        let names: Vec<&str> = kernel.bindings.iter().map(|b| b.name.as_str()).collect();
        return Err(invalid(format!(
            "kernel `{}` takes {} buffers ({}), {} given",
            kernel.name,
            names.len(),
            names.join(", "),
            buffers.len()
        )));
    }
    for ((binding, buffer), used) in kernel.bindings.iter().zip(buffers).zip(uses) {
        one(binding, *used, buffer)?;
        // An index is 32 bits: elements past 2^32 cannot be reached.
        bounds.push(Bound { ptr: buffer.ptr, runtime_len: binding.runtime_len(buffer.len) });
    }
    Ok(())
}

fn one(binding: &Binding, used: Use, buffer: &Buffer<'_>) -> Result<(), Error> {
    let name = &binding.name;
    let need = u64::from(binding.fixed_bytes) + u64::from(binding.runtime_stride.unwrap_or(0));
    if buffer.len < need {
        return Err(invalid(format!("`{name}` needs at least {need} bytes, its buffer has {}", buffer.len)));
    }
    if used.written && !buffer.writable {
        return Err(invalid(format!("`{name}` is written by the kernel, its buffer is read-only")));
    }
    let align = used.atomic;
    if align > 0 && !buffer.ptr.addr().is_multiple_of(align as usize) {
        return Err(invalid(format!(
            "`{name}` is used by atomics, its buffer must start at a multiple of {align} bytes"
        )));
    }
    Ok(())
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidBuffer, message)
}
