//! Stable radix sorts: four bits a pass, from the lowest to the highest, between two arrays.

use super::{
    Done,
    data::{Input, Output},
    number::Number,
    passes::{Passes, indexable},
    scan,
};
use evener::{
    Result,
    call::{
        Call,
        args::{HostArg, IntoArg},
    },
    prelude::*,
};
use evener_shaders::blocks as wgsl;

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

pub(super) fn sort<T: Number>(rt: &Runtime, x: &mut impl Output<T>, order: Order) -> Result<Done<()>> {
    let mut passes = Passes::new(rt);
    let count = indexable("x", x.count())?;
    if count > 1 {
        let keys = Column::new(rt, InPlace(x), count)?;
        run(&mut passes, keys, None::<Column<InPlace<'_, &mut [u32]>, u32>>, count, order)?;
    }
    Ok(passes.done(()))
}

pub(super) fn sort_by_key<K: Number, V: Number>(
    rt: &Runtime,
    keys: &mut impl Output<K>,
    values: &mut impl Output<V>,
    order: Order,
) -> Result<Done<()>> {
    crate::same_length("values", values.count(), "keys", keys.count())?;
    let mut passes = Passes::new(rt);
    let count = indexable("keys", keys.count())?;
    if count > 1 {
        let keys = Column::new(rt, InPlace(keys), count)?;
        let values = Column::new(rt, InPlace(values), count)?;
        run(&mut passes, keys, Some(values), count, order)?;
    }
    Ok(passes.done(()))
}

/// `sorted` becomes `x` in ascending order.
pub(super) fn sorted<T: Number>(
    passes: &mut Passes<'_>,
    x: &impl Input<T>,
    sorted: &mut impl Output<T>,
    count: u32,
) -> Result<()> {
    let keys = Column::new(passes.runtime, Between(x, sorted), count)?;
    run(passes, keys, None::<Column<InPlace<'_, &mut [u32]>, u32>>, count, Order::Ascending)
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

struct Between<'x, I, O>(&'x I, &'x mut O);

impl<T: Element, I: Input<T>, O: Output<T>> Ends<T> for Between<'_, I, O> {
    fn source(&mut self) -> HostArg<'_> {
        self.0.as_arg()
    }

    fn end(&mut self) -> HostArg<'_> {
        self.1.as_arg_mut()
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
    let flip = if order == Order::Descending { DIGITS - 1 } else { 0 };
    let mut counts = passes.runtime.zeros::<u32>((tiles * DIGITS) as usize)?;
    let mut offsets = passes.runtime.zeros::<u32>((tiles * DIGITS) as usize)?;
    let value_type = format!("alias V = {};\n", V::NAME);
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
