//! Turns short branches on varying conditions into straight code with selects (if-conversion).
//!
//! Where lanes part, both sides of a branch run anyway, and what the branch costs is its mask, a jump that is hard to
//! predict, and the merge. So if both sides hold only a few cheap operations, they are computed for all lanes and each
//! merged value is selected. Not converted: what has an effect, loops, loads (which cost memory traffic that the branch
//! may be there to avoid), and branches on uniform conditions, which skip one side altogether.

use crate::{
    analysis::uniformity::Uniformity,
    ir::{Base, Inst, Kernel, Op, Phi, Region, Space, Ty, Value, weight::weight},
};

/// Weight up to which both sides are computed.
const SHORT: u32 = 16;

/// Runs the pass, given which values are uniform.
pub fn convert_branches(kernel: &mut Kernel, uniformity: &Uniformity) {
    let mut body = std::mem::take(&mut kernel.body);
    let kernel_ref = &*kernel;
    Conversion { kernel: kernel_ref, uniformity }.region(&mut body);
    kernel.body = body;
}

struct Conversion<'a> {
    kernel: &'a Kernel,
    uniformity: &'a Uniformity,
}

impl Conversion<'_> {
    /// Inner branches first: what they become may be short enough for the outer one.
    fn region(&self, region: &mut Region) {
        let mut out = Vec::with_capacity(region.insts.len());
        for mut inst in std::mem::take(&mut region.insts) {
            inst.regions_mut().for_each(|r| self.region(r));
            match inst {
                Inst::If { cond, then, other, phis, span } if self.converts(cond, [&then, &other]) => {
                    out.extend(then.insts);
                    out.extend(other.insts);
                    let select = |p: Phi| Op::Select { cond, accept: p.then, reject: p.other };
                    out.extend(phis.into_iter().map(|p| Inst::Op { dst: p.dst, op: select(p), span }));
                }
                other => out.push(other),
            }
        }
        region.insts = out;
    }

    fn converts(&self, cond: Value, arms: [&Region; 2]) -> bool {
        let mut weights = arms.into_iter().flat_map(|r| &r.insts).map(|inst| self.weight(inst));
        let sum = weights.try_fold(0u32, |sum, weight| Some(sum.saturating_add(weight?)));
        sum.is_some_and(|w| w <= SHORT) && !self.uniformity.is_uniform(cond)
    }

    /// The weight of an instruction that may run in vain.
    fn weight(&self, inst: &Inst) -> Option<u32> {
        let Inst::Op { dst, op, .. } = inst else { return None };
        match op {
            Op::Load(place) => {
                let is_uniform = match place.base {
                    Base::Binding(i) => self.kernel.bindings[i as usize].space == Space::Uniform,
                    Base::Workgroup(_) | Base::Private(_) => false,
                };
                (is_uniform || place.steps.is_empty()).then_some(1)
            }
            op => Some(weight(op, self.ty(*dst))),
        }
    }

    fn ty(&self, value: Value) -> Ty {
        self.kernel.ty(value)
    }
}
