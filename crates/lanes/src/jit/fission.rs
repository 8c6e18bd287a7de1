//! Loop fission: a loop that carries more vectors than there are registers becomes several loops, each of which carries
//! some of them. What they share (loads, counters) is done in each, which costs less than keeping sums in memory.
//!
//! A product of matrices in tiles is the case: an invocation keeps 4 by 4 or 8 by 8 sums, more than a CPU's registers
//! hold for all lanes. Only loops without effects are divided, and each value is computed by the same operations as
//! before, so results keep their bits.

use super::{
    class::{Class, Classes},
    pressure::{self, Carried},
    shape::Shape,
    x64::Isa,
};
use crate::{
    ir::{Inst, Kernel, Op, Param, Region, Value, verify::verify},
    passes::copies::Names,
};
use naga::Span;
use std::collections::HashMap;

/// Operations that a vector costs which does not fit the registers of a loop: it is loaded, stored and waited for.
const SPILL: usize = 3;

/// Operations of a loop that is looked at.
const MOST_OPERATIONS: usize = 1000;

/// Runs the pass, for blocks of one part.
pub(super) fn divide_loops(kernel: &mut Kernel, isa: Isa, shape: &Shape) {
    let classes = Classes::new(kernel, shape, true);
    let mut body = std::mem::take(&mut kernel.body);
    let (registers, mask) = pressure::registers(isa);
    Fission { kernel, classes, registers, mask }.region(&mut body);
    kernel.body = body;
    debug_assert_eq!(verify(kernel), Ok(()));
}

struct Fission<'k> {
    kernel: &'k mut Kernel,
    classes: Classes,
    /// Vectors that a loop may hold.
    registers: usize,
    /// Vectors that an execution mask takes.
    mask: usize,
}

/// A loop without loops, branches and effects.
struct Plain<'a> {
    params: &'a [Param],
    body: &'a Region,
    again: Value,
    span: Span,
    /// Which instruction of the body, or which param after those, a value is.
    places: HashMap<Value, usize>,
}

/// What of a loop is needed for some of its params: which instructions of the body, then which params.
#[derive(Clone, PartialEq, Eq)]
struct Part(Vec<bool>);

impl Part {
    fn add(&mut self, other: &Part) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }
}

impl<'a> Plain<'a> {
    fn of(inst: &'a Inst) -> Option<Self> {
        let Inst::Loop { params, body, again, span } = inst else { return None };
        let plain = body.insts.len() <= MOST_OPERATIONS && body.insts.iter().all(|i| matches!(i, Inst::Op { .. }));
        plain.then(|| Plain { params, body, again: *again, span: *span, places: HashMap::new() })
    }

    fn find_places(&mut self) {
        let defined = self.body.insts.iter().filter_map(|inst| match inst {
            Inst::Op { dst, .. } => Some(*dst),
            _ => None,
        });
        self.places = defined.chain(self.params.iter().map(|p| p.dst)).zip(0..).collect();
    }

    fn whole(&self) -> Part {
        Part(vec![true; self.body.insts.len() + self.params.len()])
    }

    /// What a value needs, in this iteration and those before.
    fn needs(&self, value: Value) -> Part {
        let operations = self.body.insts.len();
        let mut part = Part(vec![false; operations + self.params.len()]);
        let mut open = vec![value];
        while let Some(v) = open.pop() {
            let Some(&at) = self.places.get(&v) else { continue };
            if std::mem::replace(&mut part.0[at], true) {
                continue;
            }
            match self.params.get(at.wrapping_sub(operations)) {
                Some(param) => open.push(param.next),
                None => self.body.insts[at].operands(|v| open.push(v)),
            }
        }
        part
    }

    fn has_param(&self, part: &Part, param: usize) -> bool {
        part.0[self.body.insts.len() + param]
    }

    fn params_of(&self, part: &Part) -> Vec<Param> {
        self.params.iter().enumerate().filter(|(i, _)| self.has_param(part, *i)).map(|(_, p)| *p).collect()
    }

    fn part(&self, part: &Part) -> Inst {
        Inst::Loop { params: self.params_of(part), body: self.body_of(part), again: self.again, span: self.span }
    }

    fn body_of(&self, part: &Part) -> Region {
        let insts = self.body.insts.iter().zip(&part.0).filter(|(_, has)| **has);
        Region { insts: insts.map(|(inst, _)| inst.clone()).collect() }
    }
}

impl Fission<'_> {
    fn region(&mut self, region: &mut Region) {
        let mut out = Vec::with_capacity(region.insts.len());
        for mut inst in std::mem::take(&mut region.insts) {
            inst.regions_mut().for_each(|r| self.region(r));
            match Plain::of(&inst).and_then(|mut l| self.parts(&mut l)) {
                Some(loops) => self.rename(loops, &mut out),
                None => out.push(inst),
            }
        }
        region.insts = out;
    }

    /// Adds the loops that one became. All but the first get new names, but for the results that only they have.
    fn rename(&mut self, loops: Vec<Inst>, out: &mut Vec<Inst>) {
        let mut known: Vec<Value> = Vec::new();
        for inst in loops {
            let Inst::Loop { params: before, .. } = &inst else { continue };
            let results: Vec<Value> = before.iter().map(|p| p.result).collect();
            let mut copy = Names::default().copy_inst(inst, &mut self.kernel.values);
            if let Inst::Loop { params, .. } = &mut copy {
                let new = params.iter_mut().zip(&results).filter(|(_, result)| !known.contains(result));
                new.for_each(|(p, result)| p.result = *result);
            }
            known.extend(results);
            out.push(copy);
        }
    }

    /// The loops into which one is divided, if that makes it faster.
    fn parts(&self, l: &mut Plain<'_>) -> Option<Vec<Inst>> {
        let need = self.pressure(l, None);
        if need <= self.registers || self.classes.of(l.again) == Class::Varying {
            return None;
        }
        l.find_places();
        let control = l.needs(l.again);
        let groups = self.groups(l);
        let parts = (2..=groups.len()).find_map(|count| {
            let bounds = (0..count).map(|i| groups.len() * i / count..groups.len() * (i + 1) / count);
            let parts = bounds.map(|own| {
                let mut part = control.clone();
                groups[own].iter().for_each(|g| part.add(g));
                part
            });
            let parts: Vec<Part> = parts.collect();
            parts.iter().all(|part| self.pressure(l, Some(part)) <= self.registers).then_some(parts)
        })?;
        let divided: usize = parts.iter().map(|part| self.vectors(l, part)).sum();
        let spilled = SPILL * (need - self.registers);
        // What no part carries would be lost.
        let all = (0..l.params.len()).all(|i| parts.iter().any(|part| l.has_param(part, i)));
        (all && divided < self.vectors(l, &l.whole()) + spilled).then(|| parts.iter().map(|p| l.part(p)).collect())
    }

    /// What each param needs that is carried in a vector, together where they need each other.
    fn groups(&self, l: &Plain<'_>) -> Vec<Part> {
        let carried: Vec<usize> = (0..l.params.len()).filter(|&i| self.is_vector(l.params[i].dst)).collect();
        let mut groups: Vec<Part> = Vec::new();
        for &param in &carried {
            let mut group = l.needs(l.params[param].dst);
            let meets = |g: &Part| carried.iter().any(|&i| l.has_param(g, i) && l.has_param(&group, i));
            let (with, without): (Vec<Part>, Vec<Part>) = groups.into_iter().partition(meets);
            groups = without;
            with.iter().for_each(|g| group.add(g));
            groups.push(group);
        }
        groups
    }

    fn is_vector(&self, v: Value) -> bool {
        self.classes.of(v) == Class::Varying
    }

    /// Operations on vectors, and loads, in a part of a loop.
    fn vectors(&self, l: &Plain<'_>, part: &Part) -> usize {
        let costs = |inst: &Inst| match inst {
            Inst::Op { dst, op, .. } => self.is_vector(*dst) || matches!(op, Op::Load(_)),
            _ => true,
        };
        l.body.insts.iter().zip(&part.0).filter(|(inst, has)| **has && costs(inst)).count()
    }

    /// Vectors that live at once in a part of a loop, or in all of it.
    fn pressure(&self, l: &Plain<'_>, part: Option<&Part>) -> usize {
        let of = |params: &[Param], body: &Region| {
            pressure::of_loop(self.kernel, &self.classes, (params, body, l.again), self.mask, Carried::Once)
        };
        match part {
            Some(part) => of(&l.params_of(part), &l.body_of(part)),
            None => of(l.params, l.body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{analysis::uniformity::BatchShape, front::Module, passes};

    /// A product with `rows` by `cols` sums an invocation, its columns 16 apart.
    fn product(rows: u32, cols: u32, ty: &str) -> Kernel {
        let sums = || (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c)));
        let each = |line: &dyn Fn(u32, u32) -> String| sums().map(|(r, c)| line(r, c)).collect::<String>();
        let source = format!(
            "@group(0) @binding(0) var<storage, read> a: array<{ty}>;
            @group(0) @binding(1) var<storage, read_write> b: array<{ty}>;
            var<workgroup> tile: array<{ty}, 4096>;
            @compute @workgroup_size(16, 16) fn main(@builtin(local_invocation_id) l: vec3<u32>) {{
                for (var i = 0u; i < 4096u; i += 256u) {{ tile[i + l.y * 16u + l.x] = a[i + l.y * 16u + l.x]; }}
                workgroupBarrier();
                {} for (var k = 0u; k < 64u; k++) {{ {} }} {}
            }}",
            each(&|r, c| format!("var s{r}_{c} = {ty}();")),
            each(&|r, c| format!(
                "s{r}_{c} += tile[(l.y * {rows}u + {r}u) * 16u + k] * tile[k * 64u + l.x + {c}u * 16u];"
            )),
            each(&|r, c| format!("b[(l.y * {rows}u + {r}u) * 256u + l.x + {c}u * 16u] = s{r}_{c};")),
        );
        let kernel = Module::parse(&source).unwrap().lower("main").unwrap();
        passes::optimize(kernel, true)
    }

    /// Loops before and after the pass.
    fn loops(mut kernel: Kernel, isa: Isa) -> [usize; 2] {
        fn count(region: &Region) -> usize {
            let here = |inst: &Inst| usize::from(matches!(inst, Inst::Loop { .. }));
            region.insts.iter().map(|inst| here(inst) + inst.regions().map(count).sum::<usize>()).sum()
        }
        let lanes = if isa == Isa::Avx512 { 16 } else { 8 };
        let shape = Shape { batch: BatchShape::Group, lanes, parts: 1, size: kernel.workgroup_size, whole: false };
        let before = count(&kernel.body);
        divide_loops(&mut kernel, isa, &shape);
        [before, count(&kernel.body)]
    }

    #[test]
    fn only_loops_that_carry_more_than_the_registers_are_divided() {
        assert_eq!(loops(product(2, 4, "f32"), Isa::Avx2), [1, 1]);
        assert_eq!(loops(product(4, 4, "f32"), Isa::Avx2), [1, 2]);
        assert_eq!(loops(product(4, 4, "f32"), Isa::Avx512), [1, 1]);
        assert_eq!(loops(product(8, 8, "f32"), Isa::Avx512), [1, 4]);
        assert_eq!(loops(product(4, 4, "f64"), Isa::Avx2), [1, 6]);
    }
}
