//! Kernels that were compiled before, by everything that decides what they become: sources, entry point,
//! overrides (the work-group size is in them; the CPU's features are those of the process).

use super::Compiled;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// Kernels kept although nothing else holds them.
const KEPT: usize = 64;

/// What decides what a kernel becomes. Values of overrides by their bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    sources: Vec<String>,
    entry: Option<String>,
    overrides: Vec<(String, u64)>,
}

impl Key {
    pub(super) fn new(sources: &[&str], entry: Option<&str>, overrides: &BTreeMap<String, f64>) -> Self {
        Key {
            sources: sources.iter().map(|s| (*s).to_string()).collect(),
            entry: entry.map(str::to_string),
            overrides: overrides.iter().map(|(name, value)| (name.clone(), value.to_bits())).collect(),
        }
    }
}

/// The kernels.
#[derive(Debug, Default)]
pub(super) struct Cache {
    known: Mutex<Option<HashMap<Key, Arc<Compiled>>>>,
}

impl Cache {
    pub(super) const fn new() -> Self {
        Cache { known: Mutex::new(None) }
    }

    /// The kernel of a key, compiled by `make` if it is new. Nothing is locked meanwhile: two threads may compile
    /// the same kernel, and the first to end is kept.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn get<E>(&self, key: Key, make: impl FnOnce() -> Result<Compiled, E>) -> Result<Arc<Compiled>, E> {
        let find = |key: &Key| {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.as_ref().and_then(|known| known.get(key)).cloned()
        };
        if let Some(kernel) = find(&key) {
            return Ok(kernel);
        }
        let kernel = Arc::new(make()?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        if known.len() >= KEPT {
            known.retain(|_, kernel| Arc::strong_count(kernel) > 1);
        }
        Ok(known.entry(key).or_insert(kernel).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Compiled;
    use std::{collections::BTreeMap, sync::Arc};

    #[test]
    fn a_kernel_is_compiled_once_for_each_source_entry_and_override() {
        let source = "override n: u32 = 4;
            @group(0) @binding(0) var<storage, read_write> cached: array<u32>;
            @compute @workgroup_size(n) fn main(@builtin(global_invocation_id) g: vec3u) { cached[g.x] = n; }";
        let compile = |n: Option<f64>| {
            let overrides: BTreeMap<String, f64> = n.into_iter().map(|n| ("n".to_string(), n)).collect();
            Compiled::new(&[source], None, &overrides).unwrap()
        };
        assert!(Arc::ptr_eq(&compile(None), &compile(None)));
        assert!(Arc::ptr_eq(&compile(Some(8.0)), &compile(Some(8.0))));
        assert!(!Arc::ptr_eq(&compile(None), &compile(Some(8.0))));
    }
}
