//! Transforms along one axis of an array: by a library where all runs on the CPU, else Stockham's passes for powers of two
//! and Bluestein's chirps for the rest.

use super::{
    Direction,
    library::Library,
    roots::{chirp, chirp_spectrum, roots, rounded},
};
use crate::{
    linalg::{Real, call_size, kernel},
    passes::Passes,
};
use evener::{
    Array, Error, ErrorKind, Placement, Result, Runtime,
    call::args::{HostArg, IntoArg},
};
use evener_shaders::linalg as wgsl;

/// What is transformed, and where to.
pub(super) type Operands<'a> = [HostArg<'a>; 2];

/// Elements `[vectors][length][inner]`, transformed along the middle axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) vectors: usize,
    pub(super) inner: usize,
}

/// Transforms of one length.
#[derive(Debug)]
pub(super) struct Axis<T: Real> {
    pub(super) length: usize,
    method: Method<T>,
}

#[derive(Debug)]
enum Method<T: Real> {
    /// The CPU's library.
    Whole(Library<T>),
    /// Length 1: a copy, through a table that holds a 1.
    Copy(Array<[T; 2]>),
    Powers(Powers<T>),
    Chirps(Chirps<T>),
}

/// Passes of radix 2 and 4.
#[derive(Debug)]
struct Powers<T: Real> {
    length: usize,
    root: Array<[T; 2]>,
}

/// A transform of any length as a convolution of a power of two (L. Bluestein, IEEE Trans. Audio Electroacoustics 18(4),
/// 1970).
#[derive(Debug)]
struct Chirps<T: Real> {
    length: usize,
    chirp: Array<[T; 2]>,
    spectrum: Array<[T; 2]>,
    powers: Powers<T>,
}

impl<T: Real> Axis<T> {
    pub(super) fn new(rt: &Runtime, length: usize) -> Result<Self> {
        if length == 0 || length > 1 << 30 {
            let why = format!("a transform of {length} elements: it has at least 1 and at most 2^30");
            return Err(Error::new(ErrorKind::ItemCount, why));
        }
        let method = match length {
            _ if rt.devices().len() == 1 || rt.placement() == Placement::Cpu => {
                Method::Whole(Library::new(rt, length)?)
            }
            1 => Method::Copy(rt.array(&[[1.0, 0.0].map(T::from_f64)])?),
            _ if length.is_power_of_two() => Method::Powers(Powers::new(rt, length)?),
            _ => Method::Chirps(Chirps::new(rt, length)?),
        };
        Ok(Axis { length, method })
    }

    /// Transforms `src` into `dst`.
    pub(super) fn run(
        &self,
        passes: &mut Passes<'_>,
        at: Operands<'_>,
        extent: Extent,
        direction: Direction,
    ) -> Result<()> {
        match &self.method {
            Method::Whole(library) => library.run(passes, at, extent, direction),
            Method::Copy(one) => {
                let product = Product { table: one, count: 1, lengths: [1, 1], signs: [1.0, 1.0], extent };
                product.run(passes, at, direction.scale)
            }
            Method::Powers(powers) => powers.run(passes, at, extent, direction),
            Method::Chirps(chirps) => chirps.run(passes, at, extent, direction),
        }
    }
}

impl<T: Real> Powers<T> {
    fn new(rt: &Runtime, length: usize) -> Result<Self> {
        Ok(Powers { length, root: rt.array_from_vec(rounded(&roots(length, length))) })
    }

    fn run(&self, passes: &mut Passes<'_>, at: Operands<'_>, extent: Extent, direction: Direction) -> Result<()> {
        let (rt, [src, dst]) = (passes.runtime, at);
        let bits = self.length.trailing_zeros() as usize;
        let last = bits.div_ceil(2) - 1;
        let total = elements(extent, self.length)? as usize;
        let room = |needed: bool| rt.zeros::<[T; 2]>(if needed { total } else { 0 });
        let (mut one, mut two) = (room(last > 0)?, room(last > 1)?);
        let (mut src, mut dst) = (Some(src), Some(dst));
        let mut together = 1;
        for pass in 0..=last {
            let is_last = pass == last;
            let (into, out) = if pass % 2 == 0 { (&mut one, &two) } else { (&mut two, &one) };
            let from = src.take().unwrap_or_else(|| out.into_arg());
            let to = if is_last { dst.take() } else { None }.unwrap_or_else(|| into.into_arg());
            let radix = if pass == 0 && bits % 2 == 1 { 2 } else { 4 };
            let scale = if is_last { direction.scale } else { 1.0 };
            let direction = Direction { scale, ..direction };
            self.pass(passes, [from, to], extent, radix, together, direction)?;
            together *= radix;
        }
        Ok(())
    }

    /// One pass; `together` elements have been put together before it.
    fn pass(
        &self,
        passes: &mut Passes<'_>,
        [src, dst]: Operands<'_>,
        extent: Extent,
        radix: usize,
        together: usize,
        direction: Direction,
    ) -> Result<()> {
        let butterflies = elements(extent, self.length)? / radix as u32;
        let part = (self.length * extent.inner / radix) as u32;
        let (source, name) = if radix == 2 { (wgsl::FFT_RADIX2, "p.half") } else { (wgsl::FFT_RADIX4, "p.quarter") };
        let kernel = kernel::<T>(passes.runtime, source)?;
        let call = kernel.call().set("p.butterflies", butterflies).set(name, part);
        let call = call.set("p.block", (together * extent.inner) as u32).set("p.inner", extent.inner as u32);
        let call = call.set("p.step", (self.length / (radix * together)) as u32);
        let call = call.set("p.sign", T::from_f64(direction.sign)).set("p.scale", T::from_f64(direction.scale));
        passes.run(call.arg("root", &self.root).arg("src", src).arg("dst", dst).items(butterflies))
    }
}

impl<T: Real> Chirps<T> {
    fn new(rt: &Runtime, length: usize) -> Result<Self> {
        let long = (2 * length - 1).next_power_of_two();
        let chirp = chirp(length);
        let spectrum = chirp_spectrum(&chirp, long);
        Ok(Chirps {
            length,
            chirp: rt.array_from_vec(rounded(&chirp)),
            spectrum: rt.array_from_vec(rounded(&spectrum)),
            powers: Powers::new(rt, long)?,
        })
    }

    fn run(&self, passes: &mut Passes<'_>, at: Operands<'_>, extent: Extent, direction: Direction) -> Result<()> {
        let (rt, [src, dst]) = (passes.runtime, at);
        let (short, long) = (self.length, self.powers.length);
        let total = elements(extent, long)? as usize;
        let (mut one, mut two) = (rt.zeros::<[T; 2]>(total)?, rt.zeros::<[T; 2]>(total)?);
        // Backward is forward between two conjugates.
        let sign = direction.sign;
        let chirp = &self.chirp;
        let spread = Product { table: chirp, count: short, lengths: [short, long], signs: [sign, 1.0], extent };
        spread.run(passes, [src, (&mut one).into_arg()], 1.0)?;
        self.powers.run(passes, [(&one).into_arg(), (&mut two).into_arg()], extent, Direction::FORWARD)?;
        let filter = Product { table: &self.spectrum, count: long, lengths: [long, long], signs: [1.0, 1.0], extent };
        filter.run(passes, [(&two).into_arg(), (&mut one).into_arg()], 1.0)?;
        let back = Direction { sign: -1.0, scale: 1.0 };
        self.powers.run(passes, [(&one).into_arg(), (&mut two).into_arg()], extent, back)?;
        let gather = Product { table: chirp, count: short, lengths: [long, short], signs: [1.0, sign], extent };
        gather.run(passes, [(&two).into_arg(), dst], direction.scale)
    }
}

/// Products of vectors with a table.
struct Product<'a, T: Real> {
    table: &'a Array<[T; 2]>,
    /// Elements of a vector that are not zero afterwards.
    count: usize,
    /// Of a vector before and after.
    lengths: [usize; 2],
    /// Of the imaginary part before and after.
    signs: [f64; 2],
    extent: Extent,
}

impl<T: Real> Product<'_, T> {
    fn run(&self, passes: &mut Passes<'_>, [src, dst]: Operands<'_>, scale: f64) -> Result<()> {
        let [src_length, dst_length] = self.lengths.map(|n| n as u32);
        let elements = elements(self.extent, self.lengths[1])?;
        let [before, after] = self.signs.map(T::from_f64);
        let kernel = kernel::<T>(passes.runtime, wgsl::FFT_MULTIPLY)?;
        let call = kernel.call().set("p.elements", elements).set("p.inner", self.extent.inner as u32);
        let call = call.set("p.count", self.count as u32).set("p.src_length", src_length);
        let call = call.set("p.dst_length", dst_length).set("p.sign_before", before).set("p.sign_after", after);
        let call = call.set("p.scale", T::from_f64(scale)).arg("table", self.table);
        passes.run(call.arg("src", src).arg("dst", dst).items(elements))
    }
}

/// Elements of all vectors of a length, as WGSL counts them.
pub(super) fn elements(extent: Extent, length: usize) -> Result<u32> {
    let elements = extent.vectors.saturating_mul(extent.inner).saturating_mul(length);
    Ok(call_size(elements)?.unwrap_or(0))
}
