//! Kernels that were compiled before, by everything that decides what they become: sources, entry point,
//! overrides (the work-group size is in them; the CPU's features are those of the process).

use super::Compiled;
use crate::hash::Quick;
use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

/// Kernels kept although nothing else holds them.
const KEPT: usize = 64;

/// What decides what a kernel becomes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) sources: &'a [&'a str],
    pub(crate) entry: Option<&'a str>,
    pub(crate) overrides: &'a BTreeMap<String, f64>,
    /// Whether it has a body of its own for the CPU.
    pub(crate) native: bool,
}

impl Asked<'_> {
    /// A number of what is seen at a glance. A library asks for a kernel each time that it makes a call of it, and to read
    /// all of the text takes as long as a short call: what looks alike is compared.
    fn glance(&self) -> u64 {
        /// Words of a text.
        const WORDS: usize = 8;
        let mut look = Quick(u64::from(self.native));
        for source in self.sources {
            look.write_usize(source.len());
            let words = source.as_bytes().chunks_exact(8);
            words.step_by((source.len() / 8 / WORDS).max(1)).for_each(|word| look.write(word));
        }
        self.entry.iter().for_each(|entry| look.write(entry.as_bytes()));
        self.overrides.values().for_each(|value| look.write_u64(value.to_bits()));
        look.finish()
    }
}

/// The same, kept. Values of overrides by their bits.
#[derive(Clone, Debug)]
struct Key {
    sources: Vec<String>,
    entry: Option<String>,
    overrides: Vec<(String, u64)>,
    native: bool,
}

impl Key {
    fn new(asked: &Asked<'_>) -> Self {
        Key {
            sources: asked.sources.iter().map(|s| (*s).to_string()).collect(),
            entry: asked.entry.map(str::to_string),
            overrides: asked.overrides.iter().map(|(name, value)| (name.clone(), value.to_bits())).collect(),
            native: asked.native,
        }
    }

    fn is_of(&self, asked: &Asked<'_>) -> bool {
        let overrides = asked.overrides.iter().map(|(name, value)| (name, value.to_bits()));
        self.native == asked.native
            && self.entry.as_deref() == asked.entry
            && self.overrides.iter().map(|(name, bits)| (name, *bits)).eq(overrides)
            && self.sources == asked.sources
    }
}

/// Kernels that look alike.
type Alike = Vec<(Key, Arc<Compiled>)>;

/// Kernels by what they were made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// By [`Asked::glance`].
    kernels: HashMap<u64, Alike, BuildHasherDefault<Quick>>,
    count: usize,
}

impl Known {
    pub(crate) fn find(&self, asked: &Asked<'_>) -> Option<&Arc<Compiled>> {
        self.kernels.get(&asked.glance())?.iter().find(|(key, _)| key.is_of(asked)).map(|(_, kernel)| kernel)
    }

    /// Adds a kernel, unless there is one already. The one that is there.
    pub(crate) fn add(&mut self, asked: &Asked<'_>, kernel: Arc<Compiled>) -> Arc<Compiled> {
        if let Some(kernel) = self.find(asked) {
            return kernel.clone();
        }
        self.kernels.entry(asked.glance()).or_default().push((Key::new(asked), kernel.clone()));
        self.count += 1;
        kernel
    }

    /// Drops those that nobody else has.
    fn drop_unused(&mut self) {
        self.kernels.retain(|_, alike| {
            alike.retain(|(_, kernel)| Arc::strong_count(kernel) > 1);
            !alike.is_empty()
        });
        self.count = self.kernels.values().map(Vec::len).sum();
    }
}

/// The kernels of a process.
#[derive(Debug, Default)]
pub(super) struct Cache {
    known: Mutex<Option<Known>>,
}

impl Cache {
    pub(super) const fn new() -> Self {
        Cache { known: Mutex::new(None) }
    }

    /// The kernel that is asked for, compiled by `make` if it is new. Nothing is locked meanwhile: two threads may compile
    /// the same kernel, and the first to end is kept.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn get<E>(
        &self,
        asked: &Asked<'_>,
        make: impl FnOnce() -> Result<Compiled, E>,
    ) -> Result<Arc<Compiled>, E> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = lock().as_ref().and_then(|known| known.find(asked)) {
            return Ok(kernel.clone());
        }
        let kernel = Arc::new(make()?);
        let mut known = lock();
        let known = known.get_or_insert_default();
        if known.count >= KEPT {
            known.drop_unused();
        }
        Ok(known.add(asked, kernel))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Compiled;
    use std::{collections::BTreeMap, sync::Arc};

    #[test]
    fn kernels_that_look_alike_are_told_apart() {
        // One letter far from the words that are looked at.
        let source = |c: char| {
            let name = format!("{}{c}{}", "a".repeat(997), "a".repeat(1000));
            format!(
                "@group(0) @binding(0) var<storage, read_write> {name}: array<u32>;
                @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) g: vec3u) {{ {name}[g.x] = 1u; }}"
            )
        };
        let compile = |c| Compiled::new(&[&source(c)], None, &BTreeMap::new()).unwrap();
        assert!(Arc::ptr_eq(&compile('a'), &compile('a')));
        assert_ne!(compile('a').bindings()[0].name, compile('b').bindings()[0].name);
    }

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
