//! Stable radix sorts: on GPUs four bits a pass, from the lowest to the highest, between two arrays; on the CPU its own.
//!
//! Where the first pass would run, the whole is sorted: what the cost model says of it holds for the others.

use super::{host, number::Number, scan};
use crate::{
    data::{Input, Output},
    passes::Passes,
    reports::Done,
    sizes::{indexable, same_length},
};
use evener::{
    Result,
    call::{
        Call,
        args::{HostArg, IntoArg},
    },
    kernel::native::NativeChunk,
    prelude::*,
};
use evener_shaders::blocks as wgsl;
use rayon::prelude::*;

/// Keys of a tile.
const TILE: u32 = 64 * 15;

/// Bits of a digit, and how many digits there are of so many bits.
const BITS: u32 = 4;
const DIGITS: u32 = 1 << BITS;

/// From the least to the greatest, or the other way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The least first.
    #[default]
    Ascending,
    /// The greatest first. Equal keys keep their order here too.
    Descending,
}

impl Order {
    /// What turns a digit round.
    fn flip(self) -> u32 {
        if self == Order::Descending { DIGITS - 1 } else { 0 }
    }
}

pub(super) fn sort<T: Number>(rt: &Runtime, x: &mut impl Output<T>, order: Order) -> Result<Done<()>> {
    let mut passes = Passes::of(rt, "sort", T::NAME, &x.as_arg_mut());
    let count = indexable("x", x.count())?;
    if count > 1 {
        keys(&mut passes, x, count, order)?;
    }
    Ok(passes.done(()))
}

/// Sorts at least two keys.
fn keys<T: Number>(passes: &mut Passes<'_>, x: &mut impl Output<T>, count: u32, order: Order) -> Result<()> {
    if is_for_host::<T>(passes, x.as_arg_mut(), count, order)? {
        let mut spare = passes.runtime.zeros::<T>(count as usize)?;
        let kernel = passes.native(&[T::TYPE_WGSL, wgsl::SORT_SERIAL, wgsl::SERIAL_ALONE], |chunk| {
            let (count, flip) = settings(chunk)?;
            let (keys, spare) = (chunk.write::<T>("keys", 0..count)?, chunk.write::<T>("spare", 0..count)?);
            host::sort::sort(keys, spare, |key: T| key.key().into() ^ flip);
            Ok(())
        })?;
        let call = on_host::<T>(&kernel, count, order).arg("keys", x.as_arg_mut());
        return passes.run(call.arg("spare", &mut spare));
    }
    let keys = Column::new(passes.runtime, InPlace(x), count)?;
    run(passes, keys, None::<Column<InPlace<'_, &mut [u32]>, u32>>, count, order)
}

/// Whether the function's calls keep to the CPU, or where that is open, the first pass runs there alone.
fn is_for_host<T: Number>(passes: &mut Passes<'_>, keys: HostArg<'_>, count: u32, order: Order) -> Result<bool> {
    match (passes.kept_to(), passes.runtime.placement()) {
        _ if passes.runtime.devices().len() == 1 => return Ok(true),
        (Some(device), _) => return Ok(device == 0),
        (None, Placement::Cpu) => return Ok(true),
        (None, Placement::Gpu(_)) => return Ok(false),
        _ => {}
    }
    let tiles = count.div_ceil(TILE);
    let mut counts = passes.runtime.zeros::<u32>((tiles * DIGITS) as usize)?;
    let kernel = passes.kernel(&[T::TYPE_WGSL, wgsl::SORT_COUNTS])?;
    let call = started(&kernel, [count, tiles, 0, order.flip()]).arg("keys", keys).arg("counts", &mut counts);
    passes.run(call.groups([tiles, 1, 1]))?;
    Ok(passes.last().is_some_and(|report| report.chose == "cpu"))
}

fn on_host<K: Number>(kernel: &Kernel, count: u32, order: Order) -> Call<'_> {
    let call = kernel.call().set("settings.count", count).set("settings.flip", order.flip());
    call.set("settings.bits", 8 * size_of::<K>() as u32).on(Placement::Cpu).groups([1, 1, 1])
}

/// How many keys, and what turns their order round.
fn settings(chunk: &NativeChunk<'_>) -> Result<(usize, u64)> {
    let [count, flip] = chunk.uniform::<[u32; 2]>("settings")?;
    Ok((count as usize, if flip == 0 { 0 } else { u64::MAX }))
}

pub(super) fn sort_by_key<K: Number, V: Number>(
    rt: &Runtime,
    keys: &mut impl Output<K>,
    values: &mut impl Output<V>,
    order: Order,
) -> Result<Done<()>> {
    same_length("values", values.count(), "keys", keys.count())?;
    let element = format!("{} {}", K::NAME, V::NAME);
    let mut passes = Passes::of(rt, "sort by key", &element, &keys.as_arg_mut());
    let count = indexable("keys", keys.count())?;
    if count < 2 {
        return Ok(passes.done(()));
    }
    if is_for_host::<K>(&mut passes, keys.as_arg_mut(), count, order)? {
        pairs_on_host(&mut passes, keys, values, count, order)?;
        return Ok(passes.done(()));
    }
    let keys = Column::new(rt, InPlace(keys), count)?;
    let values = Column::new(rt, InPlace(values), count)?;
    run(&mut passes, keys, Some(values), count, order)?;
    Ok(passes.done(()))
}

fn pairs_on_host<K: Number, V: Number>(
    passes: &mut Passes<'_>,
    keys: &mut impl Output<K>,
    values: &mut impl Output<V>,
    count: u32,
    order: Order,
) -> Result<()> {
    // The body has no use for them; the WGSL does.
    let mut spare = passes.runtime.zeros::<K>(count as usize)?;
    let mut spare_values = passes.runtime.zeros::<V>(count as usize)?;
    let sources = [K::TYPE_WGSL, wgsl::SORT_SERIAL, &value_type::<V>(), wgsl::SERIAL_VALUES];
    let kernel = passes.native(&sources, |chunk| {
        let (count, flip) = settings(chunk)?;
        let (keys, values) = (chunk.write::<K>("keys", 0..count)?, chunk.write::<V>("values", 0..count)?);
        let mut pairs: Vec<(K, V)> = keys.par_iter().zip(&*values).map(|(k, v)| (*k, *v)).collect();
        let mut scratch = vec![(K::default(), V::default()); count];
        host::sort::sort(&mut pairs, &mut scratch, |(key, _): (K, V)| key.key().into() ^ flip);
        let places = keys.par_iter_mut().zip(values).zip(pairs);
        places.for_each(|((k, v), pair)| (*k, *v) = pair);
        Ok(())
    })?;
    let call = on_host::<K>(&kernel, count, order).arg("keys", keys.as_arg_mut()).arg("spare", &mut spare);
    passes.run(call.arg("values", values.as_arg_mut()).arg("spare_values", &mut spare_values))
}

/// `sorted` becomes `x` in ascending order.
pub(super) fn sorted<T: Number>(
    passes: &mut Passes<'_>,
    x: &impl Input<T>,
    sorted: &mut Array<T>,
    count: u32,
) -> Result<()> {
    x.copy_to(sorted)?;
    if count > 1 { keys(passes, &mut &mut *sorted, count, Order::Ascending) } else { Ok(()) }
}

fn value_type<V: Number>() -> String {
    format!("alias V = {};\n", V::NAME)
}

/// What the first pass reads and the last one writes.
trait Ends<T: Element> {
    fn source(&mut self) -> HostArg<'_>;
    fn end(&mut self) -> HostArg<'_>;
}

struct InPlace<'o, O>(&'o mut O);

impl<T: Element, O: Output<T>> Ends<T> for InPlace<'_, O> {
    fn source(&mut self) -> HostArg<'_> {
        self.0.as_arg_mut()
    }

    fn end(&mut self) -> HostArg<'_> {
        self.0.as_arg_mut()
    }
}

/// Keys or values on their way through the passes: from one end to the first array, then from array to array, then to
/// the other end.
struct Column<E, T: Element> {
    ends: E,
    arrays: [Array<T>; 2],
}

impl<E: Ends<T>, T: Number> Column<E, T> {
    fn new(rt: &Runtime, ends: E, count: u32) -> Result<Self> {
        Ok(Column { ends, arrays: [rt.zeros(count as usize)?, rt.zeros(count as usize)?] })
    }

    fn source(&mut self, pass: u32) -> HostArg<'_> {
        match pass {
            0 => self.ends.source(),
            _ => (&self.arrays[(pass as usize + 1) % 2]).into_arg(),
        }
    }

    /// What a pass reads and what it writes.
    fn both(&mut self, pass: u32, last: u32) -> (HostArg<'_>, HostArg<'_>) {
        let [a, b] = &mut self.arrays;
        match pass {
            0 => (self.ends.source(), a.into_arg()),
            _ if pass == last => ((&*a).into_arg(), self.ends.end()),
            _ if pass % 2 == 1 => ((&*a).into_arg(), b.into_arg()),
            _ => ((&*b).into_arg(), a.into_arg()),
        }
    }
}

fn run<K: Number, V: Number>(
    passes: &mut Passes<'_>,
    mut keys: Column<impl Ends<K>, K>,
    mut values: Option<Column<impl Ends<V>, V>>,
    count: u32,
    order: Order,
) -> Result<()> {
    // The number of passes is even, so that the last one reads the first array.
    let last = 8 * size_of::<K>() as u32 / BITS - 1;
    let tiles = count.div_ceil(TILE);
    let flip = order.flip();
    let mut counts = passes.runtime.zeros::<u32>((tiles * DIGITS) as usize)?;
    let mut offsets = passes.runtime.zeros::<u32>((tiles * DIGITS) as usize)?;
    let value_type = value_type::<V>();
    let counting = passes.kernel(&[K::TYPE_WGSL, wgsl::SORT_COUNTS])?;
    let moving = match values {
        Some(_) => passes.kernel(&[K::TYPE_WGSL, wgsl::SORT_TILES, &value_type, wgsl::SORT_VALUES])?,
        None => passes.kernel(&[K::TYPE_WGSL, wgsl::SORT_TILES, wgsl::SORT_ALONE])?,
    };
    for pass in 0..=last {
        let start = |kernel| started(kernel, [count, tiles, pass * BITS, flip]);
        let call = start(&counting).arg("keys", keys.source(pass)).arg("counts", &mut counts);
        passes.run(call.groups([tiles, 1, 1]))?;
        scan::tiles(passes, &&counts, &mut &mut offsets, false)?;
        let (read, written) = keys.both(pass, last);
        let call = start(&moving).arg("keys", read).arg("offsets", &offsets).arg("sorted", written);
        let call = match &mut values {
            Some(values) => {
                let (read, written) = values.both(pass, last);
                call.arg("values", read).arg("moved", written)
            }
            None => call,
        };
        passes.run(call.groups([tiles, 1, 1]))?;
    }
    Ok(())
}

fn started(kernel: &Kernel, [count, tiles, shift, flip]: [u32; 4]) -> Call<'_> {
    let call = kernel.call().set("settings.count", count).set("settings.tiles", tiles);
    call.set("settings.shift", shift).set("settings.flip", flip)
}
