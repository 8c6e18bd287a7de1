//! The size of a call: items or work-groups, on three axes.

use crate::{
    array::View,
    error::{Error, ErrorKind, Result},
    kernel::Compiled,
};
use evener_lanes::Grid;

/// Invocations wanted on each axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Items(pub [u64; 3]);

macro_rules! items_from {
    ($($t:ty),*) => {$(
        impl From<$t> for Items {
            fn from(n: $t) -> Self {
                Items([n as u64, 1, 1])
            }
        }
        impl From<[$t; 1]> for Items {
            fn from([n]: [$t; 1]) -> Self {
                Items([n as u64, 1, 1])
            }
        }
        impl From<[$t; 2]> for Items {
            fn from([n, m]: [$t; 2]) -> Self {
                Items([n as u64, m as u64, 1])
            }
        }
        impl From<[$t; 3]> for Items {
            fn from([n, m, l]: [$t; 3]) -> Self {
                Items([n as u64, m as u64, l as u64])
            }
        }
    )*};
}
items_from!(u32, u64, usize);

/// `items(100)` with an unsuffixed literal is an i32: a negative number counts as none.
impl From<i32> for Items {
    fn from(n: i32) -> Self {
        Items([n.max(0) as u64, 1, 1])
    }
}

impl From<[i32; 2]> for Items {
    fn from(n: [i32; 2]) -> Self {
        Items([n[0].max(0) as u64, n[1].max(0) as u64, 1])
    }
}

impl From<[i32; 3]> for Items {
    fn from(n: [i32; 3]) -> Self {
        Items(n.map(|n| n.max(0) as u64))
    }
}

#[derive(Clone, Debug)]
pub(super) enum Size<'a> {
    Unset,
    Items(Items),
    /// Items on x as an element of an array says.
    Counted(View<'a, u32>),
    Groups([u32; 3]),
}

impl Size<'_> {
    /// The grid: never empty, never more than 2^32 invocations on an axis.
    pub(super) fn grid(&self, kernel: &Compiled) -> Result<Grid> {
        let no = |why: String| Err(Error::new(ErrorKind::ItemCount, why));
        let size = kernel.reflection.workgroup_size;
        let groups: [u64; 3] = match self {
            Size::Unset => return no("the size of the call is missing: give .items(n) or .groups([x, y, z])".into()),
            Size::Items(Items(items)) => std::array::from_fn(|a| items[a].div_ceil(u64::from(size[a]))),
            Size::Counted(count) => [u64::from(count.read()?[0]).div_ceil(u64::from(size[0])), 1, 1],
            Size::Groups(groups) => groups.map(u64::from),
        };
        for axis in 0..3 {
            let name = ["x", "y", "z"][axis];
            if groups[axis] == 0 {
                return no(format!("zero items on axis {name}: a call has at least 1 on each axis"));
            }
            if groups[axis].checked_mul(u64::from(size[axis])).is_none_or(|invocations| invocations > 1 << 32) {
                return no(format!(
                    "{} work-groups of {} on axis {name} are more than 2^32 invocations: WGSL counts them in a u32; \
                     use a second axis or several calls",
                    groups[axis], size[axis]
                ));
            }
        }
        // 2^32 invocations in groups of one are 2^32 work-groups: one more than a u32 counts.
        match groups.map(|g| u32::try_from(g).ok()) {
            [Some(x), Some(y), Some(z)] if u128::from(x) * u128::from(y) * u128::from(z) < 1 << 63 => {
                Ok(Grid { groups: [x, y, z] })
            }
            _ => no(format!("{groups:?} work-groups are too many: at most 2^32 - 1 on an axis and 2^63 in all")),
        }
    }
}
