//! What was learned of a device, as the machine profile keeps it between processes.
//!
//! Kernels go by a fingerprint of their source, never by its text. What another process learned is believed a little less
//! than it was there: the machine may be in another state now.

use super::{Belief, Curve, Direction, Learned, Machine, Seen};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kernels kept for each device, those seen last.
const MAX_KERNELS: usize = 256;
/// Doubt about what another process learned (standard deviation of the logarithm).
const ELSEWHERE: f64 = 0.1;
/// No factor is further from one than e to this.
const MAX_LOG: f64 = 8.0;

/// Levels of a curve: log2 of the size, mean and variance of the factor's logarithm.
pub type Levels = Vec<(i32, f64, f64)>;

/// What was learned of a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// How much others at work slow it down: mean and variance of the factor's logarithm.
    pub together: Option<(f64, f64)>,
    /// Transfers up and down, over bytes.
    pub links: [Levels; 2],
    /// By the kernel's fingerprint in hexadecimal: alone, and beside other devices, over invocations.
    pub kernels: BTreeMap<String, [Levels; 2]>,
}

impl Saved {
    /// Takes over what `other` has and this one has not, as far as there is room.
    pub(crate) fn merge(&mut self, other: &Saved) {
        self.together = self.together.or(other.together);
        for (own, other) in self.links.iter_mut().zip(&other.links).filter(|(own, _)| own.is_empty()) {
            own.clone_from(other);
        }
        let missing: Vec<_> = other.kernels.iter().filter(|(k, _)| !self.kernels.contains_key(*k)).collect();
        let room = MAX_KERNELS.saturating_sub(self.kernels.len());
        self.kernels.extend(missing.into_iter().take(room).map(|(k, v)| (k.clone(), v.clone())));
    }

    /// Brings every value into bounds that no device leaves. The number of kernels is an error: such a file is not ours.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        if self.kernels.len() > MAX_KERNELS {
            return Err(format!("more than {MAX_KERNELS} kernels of a device"));
        }
        let levels = self.kernels.values_mut().flatten().chain(&mut self.links);
        levels.for_each(|levels| {
            levels.retain_mut(|(size, mean, variance)| (0..=64).contains(size) && plain(mean, variance))
        });
        self.together = self.together.filter(|(mean, variance)| plain(&mut { *mean }, &mut { *variance }));
        Ok(())
    }
}

/// Whether the numbers are numbers; brings them into bounds.
fn plain(mean: &mut f64, variance: &mut f64) -> bool {
    let numbers = mean.is_finite() && variance.is_finite();
    *mean = mean.clamp(-MAX_LOG, MAX_LOG);
    *variance = variance.clamp(1e-6, MAX_LOG);
    numbers
}

fn levels(curve: &Curve) -> Levels {
    curve.levels().map(|(k, belief)| (k, belief.mean, belief.variance)).collect()
}

fn curve(levels: &Levels) -> Curve {
    let belief =
        |&(k, mean, variance): &(i32, f64, f64)| (k, Belief { mean, variance: variance + ELSEWHERE * ELSEWHERE });
    Curve::from_levels(levels.iter().map(belief))
}

impl Learned {
    /// What was learned of a device; `None` where nothing was.
    pub fn save(&self, device: usize) -> Option<Saved> {
        let state = self.lock();
        let mut seen: Vec<(u64, &Seen)> =
            state.kernels.iter().filter(|((_, d), _)| *d == device).map(|((k, _), s)| (*k, s)).collect();
        seen.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.last));
        seen.truncate(MAX_KERNELS);
        let link = |direction| state.links.get(&(device, direction)).map(levels).unwrap_or_default();
        let links = [link(Direction::Up), link(Direction::Down)];
        let kernel = |(k, seen): (u64, &Seen)| (format!("{k:016x}"), [levels(&seen.alone), levels(&seen.together)]);
        let together = state.machine.get(&device).map(|m| (m.together.mean, m.together.variance));
        let saved = Saved { together, links, kernels: seen.into_iter().map(kernel).collect() };
        (saved != Saved::default()).then_some(saved)
    }

    /// Takes in what an earlier process learned of a device. What this one knows already stays.
    pub fn restore(&self, device: usize, saved: &Saved) {
        let mut state = self.lock();
        let mut machine = state.machine.get(&device).copied().unwrap_or_default();
        if let (Some((mean, variance)), false) = (saved.together, state.machine.contains_key(&device)) {
            machine.together = Belief { mean, variance };
        }
        for (name, [alone, together]) in &saved.kernels {
            let Ok(kernel) = u64::from_str_radix(name, 16) else { continue };
            if state.kernels.contains_key(&(kernel, device)) {
                continue;
            }
            let seen = Seen { alone: curve(alone), together: curve(together), last: 0 };
            if let Some(belief) = seen.overall() {
                Machine::replace(&mut machine, None, belief.mean);
                state.kernels.insert((kernel, device), seen);
            }
        }
        state.machine.insert(device, machine);
        for (direction, saved) in [Direction::Up, Direction::Down].into_iter().zip(&saved.links) {
            if !saved.is_empty() {
                state.links.entry((device, direction)).or_insert_with(|| curve(saved));
            }
        }
    }

    /// Forgets a device, whose rates were measured anew: what was learned were corrections of the old ones.
    pub fn forget(&self, device: usize) {
        let mut state = self.lock();
        state.kernels.retain(|(_, d), _| *d != device);
        state.links.retain(|(d, _), _| *d != device);
        state.together.retain(|(_, set), _| set >> device.min(31) & 1 == 0);
        state.machine.remove(&device);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Key, Observation},
        *,
    };

    fn taught() -> Learned {
        let learned = Learned::default();
        for kernel in 0..300 {
            let key = Key { kernel, device: 1, invocations: 1e6 };
            for together in [false, true] {
                let took_ns = 1e3 + 1e6 * (2.0 + kernel as f64 / 100.0);
                learned.observe(key, Observation { prior_ns: 1e6, launch_ns: 1e3, took_ns, together, ended: true });
            }
        }
        learned.observe_link(1, Direction::Up, 1e6, 1e5, 2e5, true);
        learned
    }

    #[test]
    fn another_process_knows_it_again_and_doubts_it_a_little() {
        let old = taught();
        let mut saved = old.save(1).unwrap();
        let text = serde_json::to_string(&saved).unwrap();
        assert_eq!(serde_json::from_str::<Saved>(&text).unwrap(), saved);
        saved.check().unwrap();
        let new = Learned::default();
        new.restore(1, &saved);
        let key = Key { kernel: 299, device: 1, invocations: 1e6 };
        for (old, new) in old.estimate(key).into_iter().zip(new.estimate(key)) {
            assert!((new.factor / old.factor - 1.0).abs() < 0.05, "{old:?}, {new:?}");
            assert!(new.spread > old.spread && new.spread < 0.2, "{old:?}, {new:?}");
        }
        assert!((new.link(1, Direction::Up, 1e6) / old.link(1, Direction::Up, 1e6) - 1.0).abs() < 0.1);
        let never = Key { kernel: 1000, ..key };
        assert!((new.estimate(never)[0].factor / old.estimate(never)[0].factor - 1.0).abs() < 0.2);
    }

    #[test]
    fn the_kernels_seen_last_are_kept() {
        let saved = taught().save(1).unwrap();
        assert_eq!(saved.kernels.len(), MAX_KERNELS);
        assert!(saved.kernels.contains_key(&format!("{:016x}", 299)));
        assert!(!saved.kernels.contains_key(&format!("{:016x}", 0)));
        assert_eq!(taught().save(0), None);
    }

    #[test]
    fn what_this_process_knows_stays() {
        let (saved, learned) = (taught().save(1).unwrap(), Learned::default());
        let key = Key { kernel: 299, device: 1, invocations: 1e6 };
        learned.observe(key, Observation { prior_ns: 1e6, launch_ns: 0.0, took_ns: 1e7, together: false, ended: true });
        let before = learned.save(1).unwrap().kernels[&format!("{:016x}", 299)].clone();
        learned.restore(1, &saved);
        assert_eq!(learned.save(1).unwrap().kernels[&format!("{:016x}", 299)], before);
    }

    #[test]
    fn strange_values_are_bounded_and_too_many_kernels_refused() {
        let strange = vec![(3, 1e300, -1.0), (900, 0.0, 0.1), (4, 0.5, f64::NAN), (5, 0.5, 0.1)];
        let mut saved = Saved { together: Some((f64::INFINITY, 1.0)), links: [strange, vec![]], ..Saved::default() };
        saved.check().unwrap();
        assert_eq!(saved.links[0], [(3, MAX_LOG, 1e-6), (5, 0.5, 0.1)]);
        assert_eq!(saved.together, None);
        saved.kernels = (0..300).map(|k| (format!("{k:x}"), Default::default())).collect();
        assert!(saved.check().is_err());
    }

    #[test]
    fn a_device_measured_anew_is_forgotten() {
        let learned = taught();
        learned.forget(1);
        assert_eq!(learned.save(1), None);
    }
}
