//! A set of bytes as sorted, disjoint runs: what of an array is valid somewhere.

use std::ops::Range;

/// Sorted runs, none empty, none touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intervals {
    runs: Vec<Range<u64>>,
}

impl Intervals {
    /// `0..bytes`.
    pub(crate) fn whole(bytes: u64) -> Self {
        let mut set = Intervals::default();
        set.insert(0..bytes);
        set
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The runs, in order.
    pub(crate) fn runs(&self) -> &[Range<u64>] {
        &self.runs
    }

    /// Adds a run.
    pub(crate) fn insert(&mut self, run: Range<u64>) {
        if run.is_empty() {
            return;
        }
        let from = self.runs.partition_point(|r| r.end < run.start);
        let to = self.runs.partition_point(|r| r.start <= run.end);
        let joined = match self.runs.get(from..to) {
            Some([first, ..]) => first.start.min(run.start)..self.runs[to - 1].end.max(run.end),
            _ => run,
        };
        self.runs.splice(from..to, [joined]);
    }

    /// Takes a run out.
    pub(crate) fn remove(&mut self, run: Range<u64>) {
        let from = self.runs.partition_point(|r| r.end <= run.start);
        let to = self.runs.partition_point(|r| r.start < run.end);
        if run.is_empty() || from >= to {
            return;
        }
        let (left, right) = (self.runs[from].start..run.start, run.end..self.runs[to - 1].end);
        self.runs.splice(from..to, [left, right].into_iter().filter(|r| r.start < r.end));
    }

    /// The parts of a run that are in the set, in order.
    pub(crate) fn within(&self, run: &Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let (start, end) = (run.start, run.end);
        let from = self.runs.partition_point(|r| r.end <= start);
        let inside = self.runs[from..].iter().take_while(move |r| r.start < end);
        inside.map(move |r| r.start.max(start)..r.end.min(end)).filter(|r| r.start < r.end)
    }

    /// The parts of a run that are not in the set, in order.
    pub(crate) fn missing(&self, run: &Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = run.start;
        for inside in self.within(run) {
            if at < inside.start {
                gaps.push(at..inside.start);
            }
            at = inside.end;
        }
        if at < run.end {
            gaps.push(at..run.end);
        }
        gaps
    }

    /// The parts of runs that are in the set, and those that are not.
    pub(crate) fn divide(&self, runs: &[Range<u64>]) -> [Vec<Range<u64>>; 2] {
        [runs.iter().flat_map(|r| self.within(r)).collect(), runs.iter().flat_map(|r| self.missing(r)).collect()]
    }

    /// Whether all of a run is in the set.
    pub(crate) fn contains(&self, run: &Range<u64>) -> bool {
        let at = self.runs.partition_point(|r| r.end < run.end);
        run.is_empty() || self.runs.get(at).is_some_and(|r| r.start <= run.start && run.end <= r.end)
    }
}

impl FromIterator<Range<u64>> for Intervals {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(runs: I) -> Self {
        let mut set = Intervals::default();
        runs.into_iter().for_each(|run| set.insert(run));
        set
    }
}

/// Bytes of disjoint runs.
pub(crate) fn bytes(runs: &[Range<u64>]) -> u64 {
    runs.iter().map(|r| r.end - r.start).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: u64 = 40;

    fn listed(set: &[bool]) -> Vec<u64> {
        (0..SIZE).filter(|b| set[*b as usize]).collect()
    }

    fn of_runs(runs: impl IntoIterator<Item = Range<u64>>) -> Vec<u64> {
        runs.into_iter().flatten().collect()
    }

    proptest! {
        #[test]
        fn a_set_of_runs_is_the_set_of_its_bytes(
            steps in prop::collection::vec((any::<bool>(), 0..SIZE, 0..SIZE), 0..30),
            probe in (0..SIZE, 0..SIZE),
        ) {
            let mut set = Intervals::default();
            let mut model = vec![false; SIZE as usize];
            for (add, a, b) in steps {
                let run = a.min(b)..a.max(b);
                model[run.start as usize..run.end as usize].fill(add);
                if add { set.insert(run) } else { set.remove(run) }
                prop_assert_eq!(of_runs(set.runs().to_vec()), listed(&model));
                prop_assert!(set.runs().windows(2).all(|w| w[0].end < w[1].start));
                prop_assert!(set.runs().iter().all(|r| r.start < r.end));
            }
            let probe = probe.0.min(probe.1)..probe.0.max(probe.1);
            let inside: Vec<u64> = probe.clone().filter(|b| model[*b as usize]).collect();
            let outside: Vec<u64> = probe.clone().filter(|b| !model[*b as usize]).collect();
            prop_assert_eq!(of_runs(set.within(&probe)), inside);
            prop_assert_eq!(set.contains(&probe), outside.is_empty());
            prop_assert_eq!(of_runs(set.missing(&probe)), outside);
            prop_assert_eq!(bytes(set.runs()), listed(&model).len() as u64);
            prop_assert_eq!(set.runs().iter().cloned().collect::<Intervals>(), set.clone());
        }
    }
}
