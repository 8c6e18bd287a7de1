//! What calls lose against the oracle, by cause: where the largest regrets come from.

use super::{oracle::Oracle, player::Called};
use serde::Serialize;

/// What calls of a cell lose against the oracle, as parts of its time: the mean over histories.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Loss {
    /// All of it.
    pub regret: f64,
    /// Deciding.
    pub decision: f64,
    /// Other devices than the best set: what that set loses even with the best shares.
    pub placement: f64,
    /// The same where they were chosen to learn about one.
    pub exploring: f64,
    /// Running the whole call on several devices.
    pub racing: f64,
    /// All that is lost while it runs: shares, chunks, idle devices, stragglers. Less than nothing where parts that adapt
    /// end before the best static split does.
    pub running: f64,
    /// How often which devices had a part: a bit for each, and the part of the histories.
    pub devices: Vec<(u32, f64)>,
}

impl Loss {
    /// The mean of several, without the devices.
    pub fn mean<'a>(losses: impl ExactSizeIterator<Item = &'a Loss>) -> Loss {
        let part = (losses.len().max(1) as f64).recip();
        losses.fold(Loss::default(), |sum, l| Loss {
            regret: sum.regret + part * l.regret,
            decision: sum.decision + part * l.decision,
            placement: sum.placement + part * l.placement,
            exploring: sum.exploring + part * l.exploring,
            racing: sum.racing + part * l.racing,
            running: sum.running + part * l.running,
            devices: Vec::new(),
        })
    }

    /// Adds one of so many calls.
    pub fn add(&mut self, call: &Called, oracle: &Oracle, calls: f64) {
        let of_best = |ns: f64| ns / oracle.best_ns / calls;
        let best_of_set = oracle.of_sets.get(&call.devices).copied().unwrap_or(oracle.best_ns);
        self.regret += of_best(call.took_ns - oracle.best_ns);
        self.decision += of_best(call.decide_ns);
        if call.race {
            self.racing += of_best(call.took_ns - call.decide_ns - oracle.best_ns);
        } else {
            let place = if call.explored { &mut self.exploring } else { &mut self.placement };
            *place += of_best(best_of_set - oracle.best_ns);
            self.running += of_best(call.took_ns - call.decide_ns - best_of_set);
        }
        match self.devices.iter_mut().find(|d| d.0 == call.devices) {
            Some(d) => d.1 += calls.recip(),
            None => self.devices.push((call.devices, calls.recip())),
        }
    }
}

/// The loss of a cell in a condition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CellLoss {
    /// As in [`Study::conditions`](super::study::Study::conditions).
    pub condition: &'static str,
    /// Name of the machine.
    pub machine: String,
    /// Name of the kernel.
    pub kernel: String,
    /// Index of the size.
    pub size: u32,
    /// Whether the data are on the first GPU.
    pub resident: bool,
    /// Whether the choice is not obvious.
    pub contested: bool,
    /// Time of the oracle, in ns.
    pub best_ns: f64,
    /// Its devices with their shares.
    pub best: Vec<(usize, f64)>,
    /// What was lost.
    pub loss: Loss,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn causes_sum_to_the_regret() {
        let oracle = Oracle {
            best_ns: 100.0,
            best: vec![(0, 0.5), (1, 0.5)],
            alone_ns: vec![150.0, 200.0],
            half_ns: Some(100.0),
            static_ns: Vec::new(),
            of_sets: BTreeMap::from([(1, 150.0), (2, 200.0), (3, 100.0)]),
            contested: true,
        };
        let call = |devices, explored, race| Called {
            took_ns: 210.0,
            decide_ns: 5.0,
            devices,
            explored,
            race,
            ..Called::default()
        };
        let mut loss = Loss::default();
        for called in [call(1, false, false), call(2, true, false), call(3, false, true), call(3, false, false)] {
            loss.add(&called, &oracle, 4.0);
        }
        let causes = [loss.decision, loss.placement, loss.exploring, loss.racing, loss.running];
        assert!((causes.iter().sum::<f64>() - loss.regret).abs() < 1e-12 && (loss.regret - 1.1).abs() < 1e-12);
        let close = |got: f64, want: f64| assert!((got - want).abs() < 1e-12, "{loss:?}");
        close(loss.placement, 0.5 / 4.0);
        close(loss.exploring, 1.0 / 4.0);
        close(loss.racing, 1.05 / 4.0);
        assert_eq!(loss.devices, [(1, 0.25), (2, 0.25), (3, 0.5)]);
        let twice = Loss::mean([loss.clone(), loss.clone()].iter());
        close(twice.regret, loss.regret);
    }
}
