//! Where the bytes of an array are valid: on the host, on each device.
//!
//! Pure bookkeeping. Every byte is valid somewhere, unless a device was lost with the only copy.

use super::intervals::Intervals;
use std::ops::Range;

/// The host's place; device `k` of a runtime (1 or more) is place `k`.
pub(crate) const HOST: usize = 0;

/// Devices with runs that they have.
pub(crate) type Sources = Vec<(usize, Vec<Range<u64>>)>;

/// Valid bytes by place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Residency {
    places: Vec<Intervals>,
}

impl Residency {
    /// All of `bytes` valid on the host alone.
    pub(crate) fn on_host(bytes: u64, places: usize) -> Self {
        let mut residency = Residency { places: vec![Intervals::default(); places.max(1)] };
        residency.places[HOST] = Intervals::whole(bytes);
        residency
    }

    /// What is valid at a place.
    pub(crate) fn valid(&self, place: usize) -> &Intervals {
        &self.places[place]
    }

    /// Whether all of `runs` is valid at a place.
    pub(crate) fn has(&self, place: usize, runs: &[Range<u64>]) -> bool {
        runs.iter().all(|run| self.places[place].contains(run))
    }

    /// Runs at all places.
    pub(crate) fn runs(&self) -> usize {
        self.places.iter().map(|valid| valid.runs().len()).sum()
    }

    /// The parts of `runs` that are not valid at a place.
    pub(crate) fn missing(&self, place: usize, runs: &[Range<u64>]) -> Vec<Range<u64>> {
        runs.iter().flat_map(|run| self.places[place].missing(run)).collect()
    }

    /// Which devices have `runs` that the host lacks: (device, its parts), each byte once. `Err` is a run that is valid
    /// nowhere.
    pub(crate) fn sources(&self, runs: &[Range<u64>]) -> Result<Sources, Range<u64>> {
        let mut wanted = self.missing(HOST, runs);
        let mut sources = Vec::new();
        for (place, valid) in self.places.iter().enumerate().skip(HOST + 1) {
            let here: Vec<Range<u64>> = wanted.iter().flat_map(|run| valid.within(run)).collect();
            if !here.is_empty() {
                wanted = wanted.iter().flat_map(|run| valid.missing(run)).collect();
                sources.push((place, here));
            }
        }
        match wanted.into_iter().next() {
            Some(lost) => Err(lost),
            None => Ok(sources),
        }
    }

    /// A copy of valid bytes arrived at a place.
    pub(crate) fn copied(&mut self, place: usize, runs: &[Range<u64>]) {
        runs.iter().for_each(|run| self.places[place].insert(run.clone()));
    }

    /// New values were written at a place: valid there alone.
    pub(crate) fn written(&mut self, place: usize, run: Range<u64>) {
        for (k, valid) in self.places.iter_mut().enumerate() {
            if k == place { valid.insert(run.clone()) } else { valid.remove(run.clone()) }
        }
    }

    /// What a place holds of a run is no longer known.
    pub(crate) fn forget(&mut self, place: usize, run: Range<u64>) {
        self.places[place].remove(run);
    }

    /// A place holds nothing any more.
    pub(crate) fn clear(&mut self, place: usize) {
        self.places[place] = Intervals::default();
    }

    /// What a place has of a run and the host lacks: it must be copied before the place gives it up.
    pub(crate) fn dirty(&self, place: usize, run: &Range<u64>) -> Vec<Range<u64>> {
        self.places[place].within(run).flat_map(|run| self.places[HOST].missing(&run)).collect()
    }

    /// Whether any device has valid bytes.
    pub(crate) fn is_on_devices(&self) -> bool {
        self.places.iter().skip(HOST + 1).any(|valid| !valid.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: u64 = 24;
    const PLACES: usize = 3;

    /// By byte: the places where it is valid.
    type Model = Vec<[bool; PLACES]>;

    fn check(residency: &Residency, model: &Model) -> Result<(), TestCaseError> {
        for place in 0..PLACES {
            let want: Vec<u64> = (0..).zip(model).filter(|(_, valid)| valid[place]).map(|(b, _)| b).collect();
            let got: Vec<u64> = residency.valid(place).runs().iter().cloned().flatten().collect();
            prop_assert_eq!(got, want);
        }
        let all = std::slice::from_ref(&(0..SIZE));
        match residency.sources(all) {
            Err(run) => prop_assert!(run.into_iter().all(|b| !model[b as usize].contains(&true))),
            Ok(sources) => {
                let mut seen = vec![0; SIZE as usize];
                for (place, runs) in &sources {
                    for byte in runs.iter().cloned().flatten() {
                        prop_assert!(model[byte as usize][*place] && !model[byte as usize][HOST]);
                        seen[byte as usize] += 1;
                    }
                }
                prop_assert!((0..SIZE as usize).all(|b| seen[b] == i32::from(!model[b][HOST])));
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn residency_is_its_bytes_by_place(
            steps in prop::collection::vec((0..4, 0..PLACES, 0..SIZE, 0..SIZE), 0..40),
        ) {
            let mut residency = Residency::on_host(SIZE, PLACES);
            let mut model: Model = vec![[true, false, false]; SIZE as usize];
            for (step, place, a, b) in steps {
                let run = a.min(b)..a.max(b);
                let part = &mut model[run.start as usize..run.end as usize];
                match step {
                    0 => {
                        residency.copied(place, std::slice::from_ref(&run));
                        part.iter_mut().for_each(|byte| byte[place] = true);
                    }
                    1 => {
                        residency.written(place, run);
                        part.iter_mut().for_each(|byte| *byte = std::array::from_fn(|k| k == place));
                    }
                    2 => {
                        residency.forget(place, run);
                        part.iter_mut().for_each(|byte| byte[place] = false);
                    }
                    _ => {
                        residency.clear(place);
                        model.iter_mut().for_each(|byte| byte[place] = false);
                    }
                }
                check(&residency, &model)?;
                let dirty: Vec<u64> = residency.dirty(1, &(0..SIZE)).into_iter().flatten().collect();
                let want: Vec<u64> = (0..SIZE).filter(|b| model[*b as usize][1] && !model[*b as usize][HOST]).collect();
                prop_assert_eq!(dirty, want);
            }
        }
    }
}
