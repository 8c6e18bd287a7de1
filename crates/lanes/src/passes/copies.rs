//! Copies of straight code under new names.

use crate::ir::{Inst, Kernel, Region, Ty, Value};
use std::collections::HashMap;

/// A new value.
pub(super) fn fresh(types: &mut Vec<Ty>, ty: Ty) -> Value {
    types.push(ty);
    Value(types.len() as u32 - 1)
}

/// What values are called in a copy; those not in it keep their names.
#[derive(Clone, Default)]
pub(crate) struct Names {
    names: HashMap<Value, Value>,
}

impl Names {
    pub fn get(&self, value: Value) -> Value {
        self.names.get(&value).copied().unwrap_or(value)
    }

    pub fn set(&mut self, value: Value, name: Value) {
        self.names.insert(value, name);
    }

    /// Copies instructions; what they define gets new names, which are added.
    pub fn copy(&mut self, insts: &[Inst], types: &mut Vec<Ty>) -> Vec<Inst> {
        insts.iter().map(|inst| self.copy_inst(inst.clone(), types)).collect()
    }

    /// Copies one instruction.
    pub fn copy_inst(&mut self, mut inst: Inst, types: &mut Vec<Ty>) -> Inst {
        if let Inst::Loop { params, .. } = &mut inst {
            for p in params {
                self.define(&mut p.dst, types);
            }
        }
        for region in inst.regions_mut() {
            region.insts = std::mem::take(&mut region.insts).into_iter().map(|i| self.copy_inst(i, types)).collect();
        }
        inst.operands_mut(|v| *v = self.get(*v));
        match &mut inst {
            Inst::Loop { params, .. } => params.iter_mut().for_each(|p| self.define(&mut p.result, types)),
            inst => inst.results_mut(|v| self.define(v, types)),
        }
        inst
    }

    fn define(&mut self, value: &mut Value, types: &mut Vec<Ty>) {
        let name = fresh(types, types[value.index()]);
        self.set(*value, name);
        *value = name;
    }
}

/// How often each value is read.
pub(super) fn count_uses(kernel: &mut Kernel) -> Vec<u32> {
    fn count(region: &mut Region, uses: &mut [u32]) {
        for inst in &mut region.insts {
            inst.operands_mut(|v| uses[v.index()] += 1);
            inst.regions_mut().for_each(|r| count(r, uses));
        }
    }
    let mut uses = vec![0; kernel.values.len()];
    count(&mut kernel.body, &mut uses);
    uses
}
