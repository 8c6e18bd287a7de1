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
