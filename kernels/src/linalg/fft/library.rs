//! Transforms on the CPU by the crate `rustfft`, whole vectors at a time.

use super::{
    Direction,
    axis::{Extent, Operands, elements},
    roots::{roots, rounded},
};
use crate::{linalg::Real, passes::Passes};
use bytemuck::Pod;
use evener::{Array, Error, ErrorKind, Kernel, KernelOptions, Placement, Result, Runtime, kernel::native::NativeChunk};
use evener_shaders::linalg as wgsl;
use num_complex::Complex;
use rayon::prelude::*;
use rustfft::{FftDirection, FftNum, FftPlanner};
use std::sync::Arc;

/// Elements that a task takes at least.
const PART: usize = 1 << 13;

/// Columns that are gathered at once: what a cache line of each row holds, of f32.
const COLUMNS: usize = 8;

/// Transforms of one length and direction.
pub trait Transform<T>: Send + Sync {
    /// Elements of room that a transform needs.
    fn room(&self) -> usize;

    /// Transforms each vector of `src` into `dst`.
    fn apart(&self, src: &[[T; 2]], dst: &mut [[T; 2]], room: &mut [[T; 2]]);

    /// Transforms each vector where it is.
    fn in_place(&self, data: &mut [[T; 2]], room: &mut [[T; 2]]);
}

struct Planned<T>(Arc<dyn rustfft::Fft<T>>);

impl<T: FftNum + Pod> Transform<T> for Planned<T> {
    fn room(&self) -> usize {
        self.0.get_immutable_scratch_len().max(self.0.get_inplace_scratch_len())
    }

    fn apart(&self, src: &[[T; 2]], dst: &mut [[T; 2]], room: &mut [[T; 2]]) {
        let [dst, room] = [dst, room].map(bytemuck::cast_slice_mut::<[T; 2], Complex<T>>);
        self.0.process_immutable_with_scratch(bytemuck::cast_slice(src), dst, room);
    }

    fn in_place(&self, data: &mut [[T; 2]], room: &mut [[T; 2]]) {
        let [data, room] = [data, room].map(bytemuck::cast_slice_mut::<[T; 2], Complex<T>>);
        self.0.process_with_scratch(data, room);
    }
}

/// Plans transforms of a length.
pub fn planned<T: FftNum + Pod>(length: usize, forward: bool) -> Arc<dyn Transform<T>> {
    let direction = if forward { FftDirection::Forward } else { FftDirection::Inverse };
    Arc::new(Planned(FftPlanner::<T>::new().plan_fft(length, direction)))
}

/// Transforms of one length, both ways.
#[derive(Debug)]
pub(super) struct Library<T: Real> {
    length: usize,
    kernel: Kernel,
    root: Array<[T; 2]>,
}

impl<T: Real> Library<T> {
    pub(super) fn new(rt: &Runtime, length: usize) -> Result<Self> {
        let [forward, backward] = [true, false].map(|forward| T::transform(length, forward));
        let body = move |chunk: &mut NativeChunk<'_>| {
            let [sign, scale] = chunk.uniform::<[T; 2]>("params")?;
            let transform = if sign > T::default() { &forward } else { &backward };
            run(chunk, &**transform, scale)
        };
        let source = [T::PRELUDE, wgsl::FFT_WHOLE];
        let kernel = rt.kernel_with_native(source, &KernelOptions::default(), body)?;
        Ok(Library { length, kernel, root: rt.array_from_vec(rounded(&roots(length, length))) })
    }

    pub(super) fn run(
        &self,
        passes: &mut Passes<'_>,
        [src, dst]: Operands<'_>,
        extent: Extent,
        direction: Direction,
    ) -> Result<()> {
        let count = elements(extent, self.length)?;
        let call = self.kernel.call().set("params.sign", T::from_f64(direction.sign));
        let call = call.set("params.scale", T::from_f64(direction.scale));
        let call = call.set("shape", [count, self.length as u32, extent.inner as u32]).arg("root", &self.root);
        passes.run(call.arg("src", src).arg("dst", dst).items(count).on(Placement::Cpu))
    }
}

/// The body: all vectors, as the calls run whole.
fn run<T: Real>(chunk: &mut NativeChunk<'_>, transform: &dyn Transform<T>, scale: T) -> Result<()> {
    let [count, length, inner] = chunk.uniform::<[u32; 3]>("shape")?.map(|n| n as usize);
    let [items, ..] = chunk.items();
    if items.start > 0 || items.end < count {
        let why = format!("transforms of {count} elements were cut to {items:?}: they run whole");
        return Err(Error::new(ErrorKind::KernelFault, why));
    }
    let src = chunk.read::<[T; 2]>("src", 0..count)?;
    let dst = chunk.write::<[T; 2]>("dst", 0..count)?;
    if inner == 1 {
        rows(transform, length, src, dst, scale);
        return Ok(());
    }
    let mut between = vec![[T::default(); 2]; length * inner];
    for (src, dst) in src.chunks_exact(length * inner).zip(dst.chunks_exact_mut(length * inner)) {
        columns(transform, [length, inner], src, &mut between);
        back(inner, length, &between, dst, scale);
    }
    Ok(())
}

/// Vectors one after the other.
fn rows<T: Real>(transform: &dyn Transform<T>, length: usize, src: &[[T; 2]], dst: &mut [[T; 2]], scale: T) {
    let part = (PART / length).max(1) * length;
    let room = || vec![[T::default(); 2]; transform.room()];
    src.par_chunks(part).zip(dst.par_chunks_mut(part)).for_each_init(room, |room, (src, dst)| {
        transform.apart(src, dst, room);
        if scale != T::from_f64(1.0) {
            dst.iter_mut().for_each(|z| *z = z.map(|x| x * scale));
        }
    });
}

/// Columns of a plane, into rows.
fn columns<T: Real>(transform: &dyn Transform<T>, [length, inner]: [usize; 2], src: &[[T; 2]], into: &mut [[T; 2]]) {
    let room = || vec![[T::default(); 2]; transform.room()];
    into.par_chunks_mut(COLUMNS * length).enumerate().for_each_init(room, |room, (block, into)| {
        let first = block * COLUMNS;
        let width = into.len() / length;
        for (j, row) in src.chunks_exact(inner).enumerate() {
            for (c, z) in row[first..first + width].iter().enumerate() {
                into[c * length + j] = *z;
            }
        }
        transform.in_place(into, room);
    });
}

/// Rows back into columns of `inner` side by side.
fn back<T: Real>(inner: usize, length: usize, rows: &[[T; 2]], dst: &mut [[T; 2]], scale: T) {
    dst.par_chunks_mut(COLUMNS * inner).enumerate().for_each(|(block, dst)| {
        let first = block * COLUMNS;
        let height = dst.len() / inner;
        for (c, row) in rows.chunks_exact(length).enumerate() {
            for (j, z) in row[first..first + height].iter().enumerate() {
                dst[j * inner + c] = z.map(|x| x * scale);
            }
        }
    });
}
