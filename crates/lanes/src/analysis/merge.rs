//! Atomics whose results nobody uses: several devices may each update a copy of their own, which starts at the
//! identity of the operation, and the copies are combined with the original once.
//!
//! Decided per region of a binding: all its accesses are atomics of one operation and type.

use super::{
    Analysis, MergeRegion, Strided,
    domain::Domain,
    image::{Runs, apart, read_set},
    sites::{Site, SiteKind, Update},
};
use crate::ir::{AtomicOp, BinaryOp};

/// Bytes of a binding that merge, while they are collected.
struct Region {
    binding: u32,
    update: Update,
    pieces: Vec<Runs>,
}

impl Analysis {
    /// The regions of each binding (its index comes first) that merge, or why some atomic does not.
    pub(super) fn merge_regions(&self, sites: &[Site], domain: &Domain) -> Result<Vec<(u32, MergeRegion)>, String> {
        let mut regions: Vec<Region> = Vec::new();
        for site in sites {
            let Some(update) = site.update else { continue };
            self.merges(site.binding, update)?;
            let same = |r: &&mut Region| r.binding == site.binding && r.update.same_merge(update);
            let region = match regions.iter_mut().find(same) {
                Some(region) => region,
                None => {
                    regions.push(Region { binding: site.binding, update, pieces: Vec::new() });
                    regions.last_mut().expect("pushed")
                }
            };
            site.bytes_over(domain, &site.ranges, true, &mut region.pieces);
        }
        let mut out: Vec<(u32, MergeRegion)> = Vec::new();
        for region in regions {
            let name = self.name(region.binding);
            let bytes = read_set(region.pieces);
            let (binding, own) = (region.binding, region.update);
            let element = u64::from(own.ty.bytes());
            let whole = |s: &Strided| {
                let strides = s.levels.iter().map(|l| l.0);
                strides.chain([s.start, s.run]).all(|x| x.is_multiple_of(element))
            };
            if !bytes.iter().all(whole) {
                return Err(format!("the set of elements of `{name}` that is updated is too irregular"));
            }
            let meets = |others: &[Strided]| bytes.iter().any(|a| others.iter().any(|b| !apart(&a.into(), &b.into())));
            if let Some((_, other)) = out.iter().find(|(b, r)| *b == binding && meets(&r.bytes)) {
                let (a, b) = (merge_name(other.op), merge_name(own.merge()));
                return Err(format!("`{name}` is updated by {a} and {b}, which do not merge"));
            }
            for site in sites.iter().filter(|s| s.binding == binding && s.update.is_none()) {
                let mut touched = Vec::new();
                site.bytes_over(domain, &site.ranges, true, &mut touched);
                if meets(&read_set(touched)) {
                    let what = if site.kind == SiteKind::Read { "read" } else { "written" };
                    return Err(format!("`{name}` is updated by {} and also {what}", merge_name(own.merge())));
                }
            }
            out.push((binding, MergeRegion { op: own.merge(), ty: own.ty, bytes }));
        }
        Ok(out)
    }

    /// Why an update does not merge, if so.
    fn merges(&self, binding: u32, update: Update) -> Result<(), String> {
        let name = self.name(binding);
        let op = match update.op {
            AtomicOp::Load => "atomicLoad",
            AtomicOp::Store => "atomicStore",
            AtomicOp::Exchange => "atomicExchange",
            AtomicOp::CompareExchange => "atomicCompareExchangeWeak",
            _ if update.used => {
                return Err(format!("the result of an atomic on `{name}` is used, and it depends on the order"));
            }
            _ if update.ty.is_float() => {
                return Err(format!("`{name}` is updated by atomics on floats, whose bits depend on the order"));
            }
            _ => return Ok(()),
        };
        Err(format!("`{name}` is updated by {op}, which depends on the order"))
    }
}

impl Update {
    /// The operation that combines two copies.
    fn merge(self) -> BinaryOp {
        match self.op {
            AtomicOp::Min => BinaryOp::Min,
            AtomicOp::Max => BinaryOp::Max,
            AtomicOp::And => BinaryOp::And,
            AtomicOp::Or => BinaryOp::Or,
            AtomicOp::Xor => BinaryOp::Xor,
            // What was subtracted from zero is added.
            _ => BinaryOp::Add,
        }
    }

    fn same_merge(self, other: Update) -> bool {
        self.merge() == other.merge() && self.ty == other.ty
    }
}

fn merge_name(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Min => "atomicMin",
        BinaryOp::Max => "atomicMax",
        BinaryOp::And => "atomicAnd",
        BinaryOp::Or => "atomicOr",
        BinaryOp::Xor => "atomicXor",
        _ => "atomicAdd",
    }
}

impl From<&Strided> for Runs {
    fn from(set: &Strided) -> Runs {
        Runs {
            start: set.start.into(),
            run: set.run.into(),
            levels: set.levels.iter().map(|l| (l.0.into(), l.1.into())).collect(),
        }
    }
}
