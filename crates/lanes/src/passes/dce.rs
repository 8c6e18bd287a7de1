//! Removes what no effect depends on, then numbers values and memory variables in order of appearance.
//!
//! Stores, atomics, barriers and loops are effects: a loop is never removed, since it might not end. A value is live when
//! an effect or a live value reads it; a param of a loop is live when it is read inside or after it.

use crate::ir::{Base, Inst, Kernel, Op, Phi, Region, Value, Variable, substitute};
use std::collections::HashMap;

/// Removes dead values, params, phis, branches and memory variables; says how each binding is really used.
pub fn remove_dead(kernel: &mut Kernel) {
    let live = live_values(kernel);
    let mut body = std::mem::take(&mut kernel.body);
    let mut renamed = HashMap::new();
    sweep(&mut body, &live, &mut renamed);
    if !renamed.is_empty() {
        substitute(&mut body, &mut |mut v| {
            while let Some(&w) = renamed.get(&v) {
                v = w;
            }
            v
        });
    }
    kernel.body = body;
    renumber_values(kernel);
    compact_memory(kernel);
    record_access(kernel);
}

/// Which values an effect depends on.
fn live_values(kernel: &Kernel) -> Vec<bool> {
    let mut needs = Needs { first: vec![NONE; kernel.values.len()], edges: Vec::new(), roots: Vec::new() };
    needs.collect(&kernel.body, &mut Vec::new(), 0);
    let mut live = vec![false; kernel.values.len()];
    while let Some(v) = needs.roots.pop() {
        if std::mem::replace(&mut live[v.index()], true) {
            continue;
        }
        let mut at = needs.first[v.index()];
        while let Some(&(needed, next)) = needs.edges.get(at as usize) {
            needs.roots.push(needed);
            at = next;
        }
    }
    live
}

/// The end of a list.
const NONE: u32 = u32::MAX;

/// For each value, the values that it needs, and what effects need.
struct Needs {
    /// The first edge of each value.
    first: Vec<u32>,
    /// What is needed, and the next edge of the same value.
    edges: Vec<(Value, u32)>,
    roots: Vec<Value>,
}

impl Needs {
    fn add(&mut self, value: Value, needed: Value) {
        let next = std::mem::replace(&mut self.first[value.index()], self.edges.len() as u32);
        self.edges.push((needed, next));
    }

    /// Collects dependences; `guards`, from `from` on, are the conditions that the region's effects run under.
    fn collect(&mut self, region: &Region, guards: &mut Vec<Value>, from: usize) {
        for inst in &region.insts {
            match inst {
                Inst::Op { dst, op, .. } => op.operands(|v| self.add(*dst, v)),
                Inst::Store { place, value, .. } => {
                    self.roots.extend(place.steps.iter().map(|s| s.index).chain([*value]));
                    self.roots.extend(&guards[from..]);
                }
                Inst::Atomic { place, value, compare, .. } => {
                    self.roots.extend(place.steps.iter().map(|s| s.index).chain([*value]).chain(*compare));
                    self.roots.extend(&guards[from..]);
                }
                // Who takes part depends on the guards.
                Inst::Subgroup { dst, value, lane, .. } => {
                    let guards = guards[from..].iter().copied();
                    guards.chain([*value]).chain(*lane).for_each(|v| self.add(*dst, v));
                }
                Inst::Barrier { .. } => self.roots.extend(&guards[from..]),
                Inst::If { cond, then, other, phis, .. } => {
                    for p in phis {
                        [*cond, p.then, p.other].into_iter().for_each(|v| self.add(p.dst, v));
                    }
                    guards.push(*cond);
                    self.collect(then, guards, from);
                    self.collect(other, guards, from);
                    guards.pop();
                }
                Inst::Loop { params, body, again, .. } => {
                    self.roots.push(*again);
                    self.roots.extend(&guards[from..]);
                    for p in params {
                        for v in [p.init, p.next] {
                            self.add(p.dst, v);
                            self.add(p.result, v);
                        }
                    }
                    let inner = guards.len();
                    self.collect(body, guards, inner);
                }
            }
        }
    }
}

fn sweep(region: &mut Region, live: &[bool], renamed: &mut HashMap<Value, Value>) {
    let is_live = |v: Value| live[v.index()];
    let mut kept = Vec::with_capacity(region.insts.len());
    for mut inst in std::mem::take(&mut region.insts) {
        inst.regions_mut().for_each(|r| sweep(r, live, renamed));
        match &mut inst {
            Inst::Op { dst, .. } | Inst::Subgroup { dst, .. } if !is_live(*dst) => continue,
            Inst::Atomic { dst, .. } => *dst = dst.filter(|v| is_live(*v)),
            Inst::Loop { params, .. } => params.retain(|p| is_live(p.dst) || is_live(p.result)),
            Inst::If { cond, then, other, phis, span } => {
                phis.retain(|p| is_live(p.dst));
                if then.insts.is_empty() && other.insts.is_empty() {
                    let (cond, span) = (*cond, *span);
                    kept.extend(
                        phis.drain(..)
                            .filter_map(|p| as_select(cond, p, renamed).map(|op| (p.dst, op)))
                            .map(|(dst, op)| Inst::Op { dst, op, span }),
                    );
                    continue;
                }
            }
            _ => {}
        }
        kept.push(inst);
    }
    region.insts = kept;
}

/// A phi of branches without instructions.
fn as_select(cond: Value, phi: Phi, renamed: &mut HashMap<Value, Value>) -> Option<Op> {
    if phi.then == phi.other {
        renamed.insert(phi.dst, phi.then);
        return None;
    }
    Some(Op::Select { cond, accept: phi.then, reject: phi.other })
}

/// Numbers values in order of definition.
fn renumber_values(kernel: &mut Kernel) {
    fn define(region: &Region, order: &mut Vec<Value>) {
        for inst in &region.insts {
            match inst {
                Inst::Op { dst, .. } | Inst::Subgroup { dst, .. } => order.push(*dst),
                Inst::Atomic { dst, .. } => order.extend(*dst),
                Inst::Store { .. } | Inst::Barrier { .. } => {}
                Inst::If { then, other, phis, .. } => {
                    define(then, order);
                    define(other, order);
                    order.extend(phis.iter().map(|p| p.dst));
                }
                Inst::Loop { params, body, .. } => {
                    order.extend(params.iter().map(|p| p.dst));
                    define(body, order);
                    order.extend(params.iter().map(|p| p.result));
                }
            }
        }
    }
    fn rename(region: &mut Region, name: &dyn Fn(Value) -> Value) {
        for inst in &mut region.insts {
            inst.results_mut(|v| *v = name(*v));
            inst.operands_mut(|v| *v = name(*v));
            inst.regions_mut().for_each(|r| rename(r, name));
        }
    }
    let mut order = Vec::with_capacity(kernel.values.len());
    define(&kernel.body, &mut order);
    // A dangling operand is kept out of range, for the verifier to name.
    let mut names = vec![Value(u32::MAX); kernel.values.len()];
    order.iter().zip(0..).for_each(|(v, i)| names[v.index()] = Value(i));
    rename(&mut kernel.body, &|v| names.get(v.index()).copied().unwrap_or(Value(u32::MAX)));
    kernel.values = order.iter().map(|v| kernel.values[v.index()]).collect();
}

/// Drops work-group and private variables that nothing reaches.
fn compact_memory(kernel: &mut Kernel) {
    let mut used = [vec![false; kernel.workgroup.len()], vec![false; kernel.private.len()]];
    each_place(&mut kernel.body, &mut |_, base| match *base {
        Base::Workgroup(i) => used[0][i as usize] = true,
        Base::Private(i) => used[1][i as usize] = true,
        Base::Binding(_) => {}
    });
    let workgroup = keep(&mut kernel.workgroup, &used[0]);
    let private = keep(&mut kernel.private, &used[1]);
    each_place(&mut kernel.body, &mut |_, base| match base {
        Base::Workgroup(i) => *i = workgroup[*i as usize],
        Base::Private(i) => *i = private[*i as usize],
        Base::Binding(_) => {}
    });
}

/// Keeps the used variables; the new index of each old one.
fn keep(variables: &mut Vec<Variable>, used: &[bool]) -> Vec<u32> {
    let mut next = 0;
    let map = used.iter().map(|&u| {
        next += u32::from(u);
        next.saturating_sub(1)
    });
    let map = map.collect();
    let mut flags = used.iter();
    variables.retain(|_| flags.next().copied().unwrap_or(false));
    map
}

#[derive(Clone, Copy, PartialEq)]
enum Use {
    Load,
    Store,
    Atomic,
}

fn each_place(region: &mut Region, f: &mut dyn FnMut(Use, &mut Base)) {
    for inst in &mut region.insts {
        let how = match inst {
            Inst::Store { .. } => Use::Store,
            Inst::Atomic { .. } => Use::Atomic,
            _ => Use::Load,
        };
        if let Some(place) = inst.place_mut() {
            f(how, &mut place.base);
        }
        inst.regions_mut().for_each(|r| each_place(r, f));
    }
}

fn record_access(kernel: &mut Kernel) {
    let bindings = &mut kernel.bindings;
    bindings.iter_mut().for_each(|b| b.access = Default::default());
    each_place(&mut kernel.body, &mut |how, base| {
        if let Base::Binding(i) = *base {
            let access = &mut bindings[i as usize].access;
            match how {
                Use::Load => access.read = true,
                Use::Store => access.write = true,
                Use::Atomic => access.atomic = true,
            }
        }
    });
}
