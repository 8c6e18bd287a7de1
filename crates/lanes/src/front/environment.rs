//! The SSA variables: what each is now, and a log to come back to an earlier state.

use crate::ir::Value;
use std::collections::BTreeMap;

/// The current values of the SSA variables, with a log to undo assignments.
#[derive(Default)]
pub(super) struct Environment {
    values: Vec<Value>,
    log: Vec<(usize, Value)>,
}

/// A state of the environment to come back to.
pub(super) struct Mark {
    variables: usize,
    log: usize,
}

impl Environment {
    pub fn add(&mut self, value: Value) -> usize {
        self.values.push(value);
        self.values.len() - 1
    }

    pub fn get(&self, variable: usize) -> Value {
        self.values[variable]
    }

    pub fn set(&mut self, variable: usize, value: Value) {
        let old = std::mem::replace(&mut self.values[variable], value);
        self.log.push((variable, old));
    }

    pub fn mark(&self) -> Mark {
        Mark { variables: self.values.len(), log: self.log.len() }
    }

    /// Undoes what happened since the mark; gives the values that the variables had got.
    pub fn rollback(&mut self, mark: Mark) -> BTreeMap<usize, Value> {
        let mut set = BTreeMap::new();
        for (variable, old) in self.log.drain(mark.log..).rev() {
            if variable < mark.variables {
                let new = std::mem::replace(&mut self.values[variable], old);
                set.entry(variable).or_insert(new);
            }
        }
        self.values.truncate(mark.variables);
        set
    }
}
