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

/// For each value, the values that it needs.
fn live_values(kernel: &Kernel) -> Vec<bool> {
    let mut needs: Vec<Vec<Value>> = vec![Vec::new(); kernel.values.len()];
    let mut roots = Vec::new();
    collect(&kernel.body, &[], &mut needs, &mut roots);
    let mut live = vec![false; kernel.values.len()];
    while let Some(v) = roots.pop() {
        if !std::mem::replace(&mut live[v.index()], true) {
            roots.append(&mut needs[v.index()]);
        }
    }
    live
}

/// Collects dependences; `guards` are the conditions that a region's effects run under.
fn collect(region: &Region, guards: &[Value], needs: &mut [Vec<Value>], roots: &mut Vec<Value>) {
    for inst in &region.insts {
        match inst {
            Inst::Op { dst, op, .. } => op.operands(|v| needs[dst.index()].push(v)),
            Inst::Store { place, value, .. } => {
                roots.extend(place.steps.iter().map(|s| s.index).chain([*value]).chain(guards.iter().copied()));
            }
            Inst::Atomic { place, value, compare, .. } => {
                roots.extend(place.steps.iter().map(|s| s.index).chain([*value]).chain(*compare));
                roots.extend(guards);
            }
            Inst::Barrier { .. } => roots.extend(guards),
            Inst::If { cond, then, other, phis, .. } => {
                phis.iter().for_each(|p| needs[p.dst.index()].extend([*cond, p.then, p.other]));
                let inner: Vec<Value> = guards.iter().copied().chain([*cond]).collect();
                collect(then, &inner, needs, roots);
                collect(other, &inner, needs, roots);
            }
            Inst::Loop { params, body, again, .. } => {
                roots.push(*again);
                roots.extend(guards);
                for p in params {
                    needs[p.dst.index()].extend([p.init, p.next]);
                    needs[p.result.index()].extend([p.init, p.next]);
                }
                collect(body, &[], needs, roots);
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
            Inst::Op { dst, .. } if !is_live(*dst) => continue,
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
                Inst::Op { dst, .. } => order.push(*dst),
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
    fn rename(region: &mut Region, map: &HashMap<Value, Value>) {
        for inst in &mut region.insts {
            inst.results_mut(|v| *v = map[v]);
            inst.regions_mut().for_each(|r| rename(r, map));
        }
    }
    let mut order = Vec::new();
    define(&kernel.body, &mut order);
    let map: HashMap<Value, Value> = order.iter().enumerate().map(|(i, v)| (*v, Value(i as u32))).collect();
    rename(&mut kernel.body, &map);
    // A dangling operand is kept out of range, for the verifier to name.
    substitute(&mut kernel.body, &mut |v| map.get(&v).copied().unwrap_or(Value(u32::MAX)));
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
