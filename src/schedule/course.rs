//! Where a function runs that makes several calls, one after the other.
//!
//! Each call placed by itself goes where it ends first, and leaves its results where the next one may be slow: what a
//! placement costs the calls after it is in no prediction of one call. So the calls of a function keep to one device, its
//! *course*. The first call of the first time leads: the others follow it, unless it was split. How long the whole function
//! took on a course is kept by its size and by where its data was; other courses that the first call promises not to be
//! much slower are looked at once, and from then on the fastest is taken. Pure but for its lock: no clock, no device.

use crate::cost::curve::{Belief, Curve, Taken, level_of};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Functions kept; a program that makes more starts anew.
const MAX_KEPT: usize = 1024;
/// One look at another course may cost so many times what the function takes: what one call promises says less of several.
const LOOK: f64 = 3.0;
/// Looks that were no measurement, such as the first use of a device, are repeated so often.
const MAX_LOOKS: u8 = 2;
/// Relative noise of the time of a function.
const NOISE: f64 = 0.15;
/// Nothing is known.
const UNKNOWN: Belief = Belief { mean: 0.0, variance: 400.0 };

/// Where the calls of a function run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Course {
    /// Each where it is expected to end first.
    Free,
    /// All on this device, 0 the CPU, as far as it can run them.
    On(usize),
}

/// A function as it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Names the function and the types of its elements.
    pub function: u64,
    /// Bytes of its data.
    pub size: u64,
    /// Where its data is: a bit for each place that has any of it in an array, none for slices.
    pub home: u64,
}

/// What is known of a function at a size.
#[derive(Debug, Default)]
struct Known {
    /// Logarithms of times over [`unit_ns`].
    took: BTreeMap<Course, Curve>,
    /// What the first call was predicted to take on each, in ns.
    promised: Vec<(Course, f64)>,
    looks: BTreeMap<Course, u8>,
}

impl Known {
    fn mean(&self, course: Course, size: f64) -> Option<f64> {
        self.took.get(&course).and_then(|c| c.own(size)).map(|b| b.mean)
    }

    /// The course of the least time.
    fn best(&self, size: f64) -> Option<(Course, f64)> {
        let all = self.took.keys().filter_map(|c| Some((*c, self.mean(*c, size)?)));
        all.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn promise(&self, course: Course) -> Option<f64> {
        let least = || self.promised.iter().map(|p| p.1).min_by(f64::total_cmp);
        match course {
            Course::Free => least(),
            Course::On(_) => self.promised.iter().find(|p| p.0 == course).map(|p| p.1),
        }
    }

    /// A course not yet measured that is worth a look: the one that promises most.
    fn tempting(&self, best: Course, size: f64) -> Option<Course> {
        let known_ns = self.promise(best)?;
        let unseen = |c: &Course| self.mean(*c, size).is_none() && self.looks.get(c).copied().unwrap_or(0) < MAX_LOOKS;
        let worth = self.promised.iter().filter(|(c, ns)| unseen(c) && *ns <= (1.0 + LOOK) * known_ns);
        worth.min_by(|a, b| a.1.total_cmp(&b.1)).map(|p| p.0)
    }
}

/// What functions took on their courses.
#[derive(Debug, Default)]
pub struct Courses {
    known: Mutex<HashMap<(Asked, i32), Known>>,
}

impl Courses {
    /// The course to take; `None` where the first call leads.
    pub fn choose(&self, asked: &Asked) -> Option<Course> {
        let (key, size) = (key(asked), asked.size as f64);
        let mut all = self.lock();
        let known = all.get_mut(&key)?;
        let (best, _) = known.best(size)?;
        let Some(other) = known.tempting(best, size) else { return Some(best) };
        *known.looks.entry(other).or_default() += 1;
        Some(other)
    }

    /// Takes in what the first call of a function was predicted to take on devices, in ns.
    pub fn promise(&self, asked: &Asked, promised: &[(Course, f64)]) {
        self.entry(asked, |known| known.promised = promised.to_vec());
    }

    /// Takes in what a function took, in ns.
    pub fn observe(&self, asked: &Asked, course: Course, took_ns: f64) {
        let log = (took_ns / unit_ns(asked)).ln();
        if log.is_finite() {
            self.entry(asked, |known| {
                let curve = known.took.entry(course).or_default();
                if curve.observe(asked.size as f64, log, NOISE * NOISE, UNKNOWN) == Taken::Changed {
                    // Another world: what the other courses take in it is not known.
                    known.took.retain(|c, _| *c == course);
                    known.looks.clear();
                }
            });
        }
    }

    fn entry(&self, asked: &Asked, change: impl FnOnce(&mut Known)) {
        let (key, mut all) = (key(asked), self.lock());
        if all.len() >= MAX_KEPT && !all.contains_key(&key) {
            all.clear();
        }
        change(all.entry(key).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Asked, i32), Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What times are kept relative to, so that they are near one: a ns for each byte, and what a few calls take at least.
fn unit_ns(asked: &Asked) -> f64 {
    const CALLS_NS: f64 = 1e5;
    asked.size as f64 + CALLS_NS
}

/// Sizes within a factor of two are alike.
fn key(asked: &Asked) -> (Asked, i32) {
    (Asked { size: 0, ..*asked }, level_of(asked.size as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SORT: Asked = Asked { function: 1, size: 1 << 20, home: 0 };
    const CPU: Course = Course::On(0);
    const GPU: Course = Course::On(1);

    /// Plays calls of a function whose first call always chooses `first`.
    fn play(
        courses: &Courses,
        calls: u32,
        first: Course,
        promised: [f64; 2],
        took: impl Fn(Course) -> f64,
    ) -> Vec<Course> {
        let one = |_| {
            let course = courses.choose(&SORT).unwrap_or_else(|| {
                courses.promise(&SORT, &[(CPU, promised[0]), (GPU, promised[1])]);
                first
            });
            courses.observe(&SORT, course, took(course));
            course
        };
        (0..calls).map(one).collect()
    }

    #[test]
    fn the_other_device_is_looked_at_once_and_the_faster_one_kept() {
        let took = |c| if c == CPU { 2e6 } else { 9e6 };
        let taken = play(&Courses::default(), 6, GPU, [2e5, 1e5], took);
        assert_eq!(taken, [GPU, CPU, CPU, CPU, CPU, CPU]);
        let taken = play(&Courses::default(), 5, CPU, [1e5, 2e5], took);
        assert_eq!(taken, [CPU, GPU, CPU, CPU, CPU]);
    }

    #[test]
    fn what_promises_to_be_far_slower_is_not_looked_at() {
        let taken = play(&Courses::default(), 4, CPU, [1e5, 1e6], |_| 1e6);
        assert_eq!(taken, [CPU; 4]);
    }

    #[test]
    fn calls_that_each_go_their_own_way_are_a_course_like_others() {
        let took = |c| if c == Course::Free { 1e6 } else { 2e6 };
        let taken = play(&Courses::default(), 5, Course::Free, [1e5, 1e5], took);
        assert_eq!(taken, [Course::Free, CPU, GPU, Course::Free, Course::Free]);
    }

    #[test]
    fn a_device_that_became_slow_is_left_after_two_calls() {
        let courses = Courses::default();
        let fast = |c| if c == CPU { 2e6 } else { 1e6 };
        assert_eq!(play(&courses, 10, GPU, [1e5, 1e5], fast)[9], GPU);
        let slow = |c| if c == CPU { 2e6 } else { 2e7 };
        let taken = play(&courses, 4, GPU, [1e5, 1e5], slow);
        assert_eq!(taken[2..], [CPU; 2], "{taken:?}");
    }

    #[test]
    fn looks_that_measure_nothing_end() {
        let courses = Courses::default();
        courses.promise(&SORT, &[(CPU, 1e5), (GPU, 1e5)]);
        courses.observe(&SORT, CPU, 1e6);
        let taken: Vec<_> = (0..4).map(|_| courses.choose(&SORT)).collect();
        assert_eq!(taken, [Some(GPU), Some(GPU), Some(CPU), Some(CPU)]);
        assert_eq!(courses.choose(&Asked { home: 2, ..SORT }), None, "data elsewhere is another matter");
        assert_eq!(courses.choose(&Asked { size: 1 << 22, ..SORT }), None);
    }
}
