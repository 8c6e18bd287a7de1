//! From times to regrets: the oracle, baselines, crossovers and the summary. Pure.
//!
//! The oracle is the placement with the least median over the even runs; its time is the median of its odd runs. A perfect
//! choice measured against the least of many noisy medians would show a regret that is only noise.

use super::{
    kernels::Shape,
    measure::{Fixed, Measured, Sample},
    results::{Auto, Baseline, Cell, Crossover, Pair, Peaks, Position, Regret, Row, Summary, Timing, is_split},
    stats::{Random, geomean, interval, mad, median, quantile},
};
use evener::call::explain::Explanation;
use std::collections::BTreeMap;

/// Working sets up to which the rate of the cache counts, in bytes.
const IN_CACHE: u64 = 1 << 20;
/// Cells where the second device is within this factor of the best are contested.
const CONTESTED: f64 = 4.0;

/// A cell with what its figures were computed from.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The figures.
    pub cell: Cell,
    /// End-to-end times of each placement: those that choose the oracle, and those that time it.
    halves: BTreeMap<String, [Vec<f64>; 2]>,
    /// Times of the tenth to twelfth calls.
    run10: Vec<f64>,
}

/// Judges a cell. `home` is the device that has the arrays before each call.
pub fn judge(
    kernel: &str,
    shape: &Shape,
    home: Option<String>,
    measured: Measured,
    peaks: &BTreeMap<String, Peaks>,
) -> Judged {
    let halves: BTreeMap<String, [Vec<f64>; 2]> =
        measured.fixed.iter().map(|f| (f.name.clone(), split_runs(f))).collect();
    let oracle = best(halves.iter().map(|(name, h)| (name.as_str(), median(&h[0])))).unwrap_or_default().to_owned();
    let oracle_runs = halves.get(&oracle).map(|h| h[1].clone()).unwrap_or_default();
    let oracle_ns = median(&oracle_runs);
    let call = |n: usize| measured.histories.iter().filter_map(|h| h.get(n).copied()).collect::<Vec<f64>>();
    let run10: Vec<f64> = (9..12).flat_map(call).collect();
    let last = representative(&measured);
    let auto = Auto {
        cold_ns: median(&call(0)),
        run3_ns: median(&call(2)),
        run10_ns: median(&run10),
        predicted_ns: last.predicted_ns,
        histories: measured.histories.len(),
    };
    let over = |ns: f64| ns / oracle_ns - 1.0;
    let bounds = interval(1, |random| median(&random.resample(&run10)) / median(&random.resample(&oracle_runs)) - 1.0);
    let regret =
        Regret { cold: over(auto.cold_ns), run3: over(auto.run3_ns), run10: over(auto.run10_ns), interval: bounds };
    let placements: BTreeMap<String, Timing> =
        measured.fixed.iter().map(|f| (f.name.clone(), timing(&f.samples))).collect();
    let cell = Cell {
        kernel: kernel.into(),
        size: shape.size,
        items: shape.items,
        bytes: shape.bytes(),
        residency: if home.is_some() { "resident" } else { "host" },
        home,
        contested: contested(&measured.fixed[..measured.devices]),
        roofline: roofline(&measured, &placements, shape.bytes(), peaks),
        placements,
        oracle,
        oracle_ns,
        auto,
        regret,
        chose: last.chose.clone(),
        reason: last.reason.clone(),
        shares: last.placement.clone(),
        baseline: by_hand(&measured.by_hand, auto.run10_ns),
        whole: measured.whole.clone(),
        refused: measured.refused.iter().cloned().collect(),
        last,
    };
    Judged { cell, halves, run10 }
}

/// The same by hand, if it was measured.
fn by_hand(times: &[f64], auto_ns: f64) -> Option<Baseline> {
    let median_ns = median(times);
    let ratio = median_ns / auto_ns;
    let baseline = Baseline { with: "rayon", median_ns, mad_ns: mad(times), runs: times.len(), ratio };
    (!times.is_empty()).then_some(baseline)
}

/// The last report of a history that chose as most of them did.
fn representative(measured: &Measured) -> evener::Report {
    let votes = |chose: &str| measured.last.iter().filter(|r| r.chose == chose).count();
    measured.last.iter().max_by_key(|r| votes(&r.chose)).expect("a cell has a history").clone()
}

/// End-to-end times of the even and of the odd runs.
fn split_runs(fixed: &Fixed) -> [Vec<f64>; 2] {
    let half = |odd: usize| fixed.samples.iter().skip(odd).step_by(2).map(|s| s.end_to_end).collect();
    [half(0), half(1)]
}

fn best<'a>(medians: impl Iterator<Item = (&'a str, f64)>) -> Option<&'a str> {
    medians.min_by(|a, b| a.1.total_cmp(&b.1)).map(|b| b.0)
}

fn timing(samples: &[Sample]) -> Timing {
    let of = |part: fn(&Sample) -> f64| samples.iter().map(part).collect::<Vec<f64>>();
    let all = of(|s| s.end_to_end);
    Timing {
        median_ns: median(&all),
        mad_ns: mad(&all),
        runs: all.len(),
        upload_ns: median(&of(|s| s.upload)),
        run_ns: median(&of(|s| s.run)),
        download_ns: median(&of(|s| s.download)),
    }
}

fn contested(devices: &[Fixed]) -> bool {
    let mut times: Vec<f64> = devices.iter().map(|d| timing(&d.samples).median_ns).collect();
    times.sort_by(f64::total_cmp);
    matches!(times[..], [first, second, ..] if second <= CONTESTED * first)
}

/// Each device alone against its peaks.
fn roofline(
    measured: &Measured,
    placements: &BTreeMap<String, Timing>,
    working_set: u64,
    peaks: &BTreeMap<String, Peaks>,
) -> BTreeMap<String, Position> {
    let (flops, bytes) = measured.explanation.as_ref().map_or((0.0, working_set as f64), work);
    let position = |name: &str, timing: &Timing| {
        let peak = peaks.get(name)?;
        let per_s = |amount: f64| amount / timing.run_ns.max(1.0) * 1e9;
        let roof = if working_set <= IN_CACHE { peak.cache_bytes } else { peak.memory_bytes };
        let of_peak = (per_s(flops) / peak.flops.max(1.0)).max(per_s(bytes) / roof.max(1.0));
        let at_least = measured.explanation.as_ref().is_some_and(|e| e.features.data_dependent);
        Some(Position {
            flops: per_s(flops),
            bytes_per_s: per_s(bytes),
            intensity: flops / bytes.max(1.0),
            of_peak,
            at_least,
        })
    };
    let alone = placements.iter().filter(|(name, _)| !is_split(name));
    alone.filter_map(|(name, timing)| Some((name.clone(), position(name, timing)?))).collect()
}

/// Floating-point operations of a call, and bytes touched: a byte that is read and written counts twice.
fn work(explanation: &Explanation) -> (f64, f64) {
    let f = &explanation.features;
    let invocations = explanation.sizes.first().map_or(0, |s| s.invocations) as f64;
    let storage = explanation.bindings.iter().filter(|b| b.space == "storage");
    let bytes: u64 = storage.map(|b| b.read_bytes + b.written_bytes).sum();
    ((f.float + f.double + f.divide + f.transcendental) * invocations, bytes as f64)
}

/// Figures over cells.
pub fn row(regrets: &[f64]) -> Row {
    match regrets {
        [] => Row::default(),
        _ => Row {
            cells: regrets.len(),
            regret_geomean: geomean(regrets),
            regret_p95: quantile(regrets, 0.95),
            regret_max: quantile(regrets, 1.0),
        },
    }
}

fn pair(judged: &[Judged], regret: fn(&Regret) -> f64) -> Pair {
    let of = |cells: &dyn Fn(&&Judged) -> bool| -> Vec<f64> {
        judged.iter().filter(|j| cells(j)).map(|j| regret(&j.cell.regret)).collect()
    };
    Pair { all: row(&of(&|_| true)), contested: row(&of(&|j| j.cell.contested)) }
}

/// The scheduler over all cells.
pub fn summary(judged: &[Judged]) -> Summary {
    let run10 = pair(judged, |r| r.run10);
    let drawn = |random: &mut Random| {
        let regret = |j: &Judged| {
            let oracle = &j.halves[&j.cell.oracle][1];
            median(&random.resample(&j.run10)) / median(&random.resample(oracle)) - 1.0
        };
        geomean(&judged.iter().map(regret).collect::<Vec<_>>())
    };
    let mut wins = BTreeMap::new();
    for name in judged.iter().filter_map(|j| j.cell.fastest()).map(|f| f.0) {
        *wins.entry(name.to_owned()).or_insert(0) += 1;
    }
    let placed = |like: bool| {
        let cells = judged.iter().map(|j| &j.cell).filter(|cell| cell.is_placed_like_oracle() == like);
        row(&cells.map(|cell| cell.regret.run10).collect::<Vec<_>>())
    };
    Summary {
        same_placement: placed(true),
        other_placement: placed(false),
        all: run10.all,
        interval: if judged.is_empty() { [0.0; 2] } else { interval(2, drawn) },
        contested: run10.contested,
        cold: pair(judged, |r| r.cold),
        run3: pair(judged, |r| r.run3),
        wins,
    }
}

/// Geometric mean regrets of fixed choices, over all cells and over contested ones.
pub fn baselines(judged: &[Judged]) -> [BTreeMap<String, f64>; 2] {
    let mut regrets: BTreeMap<String, Vec<(f64, bool)>> = BTreeMap::new();
    let mut put = |name: &str, j: &Judged, placement: &str| {
        if let Some([_, timed]) = j.halves.get(placement) {
            let regret = median(timed) / j.cell.oracle_ns - 1.0;
            regrets.entry(name.into()).or_default().push((regret, j.cell.contested));
        }
    };
    for j in judged {
        j.halves.keys().filter(|name| !is_split(name)).for_each(|name| put(name, j, name));
        put("half", j, "split=0.5");
    }
    for group in groups(judged) {
        if let Some(name) = best_static(&group) {
            group.iter().for_each(|j| put("static", j, name));
        }
    }
    [false, true].map(|contested| {
        let chosen = |all: &[(f64, bool)]| all.iter().filter(|r| r.1 || !contested).map(|r| r.0).collect::<Vec<_>>();
        let filled = regrets.iter().map(|(name, all)| (name.clone(), chosen(all))).filter(|(_, all)| !all.is_empty());
        filled.map(|(name, all)| (name, geomean(&all))).collect()
    })
}

/// Cells of one kernel and residency, by size.
fn groups(judged: &[Judged]) -> Vec<Vec<&Judged>> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Judged>> = BTreeMap::new();
    for j in judged {
        groups.entry((&j.cell.kernel, j.cell.residency)).or_default().push(j);
    }
    let mut groups: Vec<Vec<&Judged>> = groups.into_values().collect();
    groups.iter_mut().for_each(|g| g.sort_by_key(|j| j.cell.size));
    groups
}

/// The placement that all cells of a kernel have and that is best over them, by the runs that choose.
fn best_static<'a>(group: &[&'a Judged]) -> Option<&'a str> {
    let first = group.first()?;
    let common = first.halves.keys().filter(|name| group.iter().all(|j| j.halves.contains_key(*name)));
    let cost = |name: &str| group.iter().map(|j| median(&j.halves[name][0]).ln()).sum::<f64>();
    best(common.map(|name| (name.as_str(), cost(name))))
}

/// Sizes where the fastest device changes.
pub fn crossovers(judged: &[Judged]) -> Vec<Crossover> {
    let mut out = Vec::new();
    for group in groups(judged) {
        for pair in group.windows(2) {
            let [low, high] = [&pair[0].cell, &pair[1].cell];
            let (Some((below, _)), Some((above, _))) = (low.fastest(), high.fastest()) else { continue };
            let ratio = |cell: &Cell| {
                Some((cell.placements.get(below)?.median_ns / cell.placements.get(above)?.median_ns).ln())
            };
            let (true, Some(from), Some(to)) = (below != above, ratio(low), ratio(high)) else { continue };
            // From below zero to above it: where the line between the two crosses, in logarithms.
            let at = if to > from { -from / (to - from) } else { 0.5 };
            let (a, b) = ((low.size as f64).ln(), (high.size as f64).ln());
            out.push(Crossover {
                kernel: low.kernel.clone(),
                residency: low.residency,
                below: below.into(),
                above: above.into(),
                size: (a + at * (b - a)).exp(),
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            data::{Data, Home},
            kernels::{self, Work},
        },
        *,
    };
    use evener::prelude::{Placement, Runtime};

    /// A cell of two devices and a split with these times; the scheduler always takes `auto`.
    fn cell(size: u64, times: [(&str, &[f64]); 3], auto: f64) -> Judged {
        let runtime = Runtime::builder().gpu(false).profile(None).build().unwrap();
        let spec = kernels::spec("saxpy").unwrap();
        let Work::Kernel(source) = spec.work else { panic!("a kernel") };
        let (kernel, shape) = (runtime.kernel(source).unwrap(), (spec.shape)(size));
        let mut data = Data::new(&runtime, shape.clone(), Home::Host).unwrap();
        let explanation = data.call(&kernel).explain().unwrap();
        let last = vec![data.call(&kernel).on(Placement::Cpu).run().unwrap()];
        let sample = |ns: &f64| Sample { end_to_end: *ns, run: *ns, ..Sample::default() };
        let fixed = times.map(|(name, times)| Fixed::new(name, times.iter().map(sample).collect()));
        let measured = Measured {
            fixed: fixed.into(),
            devices: 2,
            histories: vec![vec![auto; 12]; 2],
            by_hand: vec![3.0, 1.0, 2.0],
            last,
            explanation: Some(explanation),
            whole: None,
            refused: vec![],
        };
        judge("saxpy", &shape, None, measured, &BTreeMap::new())
    }

    #[test]
    fn the_oracle_is_chosen_on_even_runs_and_timed_on_odd_ones() {
        // By all runs the GPU would be best; by the even ones it is the CPU, whose odd runs are slow.
        let j =
            cell(1000, [("cpu", &[10.0, 40.0, 10.0, 40.0]), ("gpu:0", &[20.0; 4]), ("split=0.5", &[30.0; 4])], 60.0);
        assert_eq!((j.cell.oracle.as_str(), j.cell.oracle_ns), ("cpu", 40.0));
        assert_eq!(j.cell.regret.run10, 0.5);
        assert_eq!(j.cell.regret.interval, [0.5, 0.5]);
        assert!(j.cell.contested);
        let baseline = j.cell.baseline.unwrap();
        assert_eq!((baseline.median_ns, baseline.ratio), (2.0, 2.0 / 60.0));
    }

    #[test]
    fn baselines_and_crossover_follow_from_the_cells() {
        let small = cell(1000, [("cpu", &[10.0; 4]), ("gpu:0", &[80.0; 4]), ("split=0.5", &[50.0; 4])], 10.0);
        let large = cell(64_000, [("cpu", &[640.0; 4]), ("gpu:0", &[80.0; 4]), ("split=0.5", &[100.0; 4])], 88.0);
        assert!(!small.cell.contested && !large.cell.contested);
        let both = [large, small];
        let [all, contested] = baselines(&both);
        assert!(contested.is_empty());
        let over = |ratio: f64| ratio - 1.0;
        assert!((all["cpu"] - over(8f64.sqrt())).abs() < 1e-9);
        assert!((all["gpu:0"] - over(8f64.sqrt())).abs() < 1e-9);
        assert!((all["half"] - over((5.0 * 1.25f64).sqrt())).abs() < 1e-9);
        // Of the three, the split is the best over both sizes.
        assert_eq!(all["static"], all["half"]);
        let crossovers = crossovers(&both);
        assert_eq!((crossovers[0].below.as_str(), crossovers[0].above.as_str()), ("cpu", "gpu:0"));
        assert!((crossovers[0].size / 8000.0 - 1.0).abs() < 1e-9, "{crossovers:?}");
        let summary = summary(&both);
        assert_eq!(summary.same_placement.cells, 1, "the CPU is the oracle of the small one, and ran both");
        assert!((summary.other_placement.regret_geomean - 0.1).abs() < 1e-9, "{:?}", summary.other_placement);
        assert!((summary.all.regret_geomean - (1.1f64.sqrt() - 1.0)).abs() < 1e-9);
        assert_eq!(summary.wins, BTreeMap::from([("cpu".into(), 1), ("gpu:0".into(), 1)]));
    }

    #[test]
    fn nothing_measured_is_no_regret() {
        assert_eq!(summary(&[]).all, Row::default());
        assert!(baselines(&[]).iter().all(BTreeMap::is_empty) && crossovers(&[]).is_empty());
    }
}
