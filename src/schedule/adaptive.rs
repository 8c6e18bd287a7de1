//! The plan of a call whose parts adapt while they run: devices by the choice under doubt, and what chunks are sized by.

use super::{
    choose::{self, Choice, Line, Weighing},
    chunks::Worker,
    plan::{self, Assignment, Candidate, Plan, Question, View, cut},
};
use crate::cost::{Cost, roofline::Prediction};
use evener_lanes::{Grid, GroupRange, analysis::Split};
use std::fmt;

/// A device's time as a line over its share; `None` where it cannot run the call.
fn line(candidate: &Candidate, whole: &Prediction, device: usize, view: View) -> Option<Line> {
    if candidate.refusal.is_some() || !whole.total().is_finite() {
        return None;
    }
    let copies = |p: &Prediction| p.upload.ns() + p.download.ns();
    let launch_ns = candidate.rates.launch_ns;
    let latency = |bytes: f64| if bytes > 0.0 { candidate.rates.link_ns } else { 0.0 };
    let up_latency_ns = latency(candidate.work.up_bytes) + candidate.fetch_latency.ns() * candidate.link[2];
    let latencies_ns = up_latency_ns + latency(candidate.work.down_bytes);
    let uploads = (whole.upload.ns() - up_latency_ns).max(0.0) * candidate.shared_input;
    let link_ns = (copies(whole) - latencies_ns - uploads).max(0.0);
    let kernel_ns = whole.run.ns() - launch_ns;
    let filling_ns = kernel_ns * (candidate.rates.parallel_invocations / candidate.work.invocations.max(1.0)).min(1.0);
    Some(Line {
        fixed_ns: launch_ns + copies(whole) - link_ns + candidate.once(view).ns(),
        chunk_ns: launch_ns + latencies_ns,
        filling_ns,
        link_ns,
        kernel_ns,
        spread: candidate.learned.spread,
        spread_together: candidate.together.spread,
        together: candidate.together.factor / candidate.learned.factor,
        in_place: device == 0,
    })
}

/// The plan of a call that the CPU (the first candidate) surely ends before any other device could have begun, at
/// `others_begin`: infinite where there is no other. `None` leaves the choice open.
pub fn tiny(cpu: &Candidate, others_begin: Cost, grid: Grid) -> Option<Plan> {
    // So many standard deviations are "surely".
    const SURELY: f64 = 2.0;
    if cpu.refusal.is_some() || cpu.one_time != Cost::ZERO && others_begin.is_finite() {
        return None;
    }
    let all = cpu.predict(1.0);
    let kernel_ns = all.run.ns() - cpu.rates.launch_ns;
    let late_ns = all.total().ns() + kernel_ns * ((SURELY * cpu.learned.spread).exp() - 1.0);
    let reason = match others_begin.is_finite() {
        false => "the CPU is the only device",
        true if late_ns < others_begin.ns() => "the CPU ends before another device could have started",
        true => return None,
    };
    Some(Plan {
        assignments: vec![Assignment { device: 0, range: GroupRange::all(grid) }],
        reason: reason.into(),
        predicted: all.total() + cpu.one_time,
        considered: vec![(cpu.id.clone(), all.total() + cpu.one_time)],
        groups: grid.groups,
        ..Plan::nothing("")
    })
}

/// The choice where parts adapt while they run.
pub(super) fn plan(question: &Question<'_>) -> Plan {
    if let [cpu] = question.candidates
        && let Some(plan) = tiny(cpu, Cost::INFINITE, question.grid)
    {
        return plan;
    }
    let whole: Vec<Prediction> = question.candidates.iter().map(|c| c.predict(1.0)).collect();
    let lines = |view| -> Vec<Option<Line>> {
        let all = question.candidates.iter().zip(&whole).enumerate();
        all.map(|(d, (c, whole))| line(c, whole, d, view)).collect()
    };
    let all_warm = question.candidates.iter().all(|c| c.one_time == Cost::ZERO);
    let likely = lines(View::Choice);
    if all_warm && let Some(device) = choose::obvious(&likely) {
        return obvious(question, &whole, device);
    }
    let weigh = |lines: &[Option<Line>], budget_ns| {
        let splittable = matches!(question.split, Split::Axis(_));
        let race_ns = question.race.map(Cost::ns);
        let together = &question.together;
        choose::choose(&Weighing { lines, splittable, adaptive: true, together, race_ns, budget_ns })
    };
    let Some(choice) = weigh(&likely, question.explore.ns()) else {
        let (assignments, reason) = plan::whole(question, 0, "no device can run it".into());
        let (considered, predicted) = (Vec::new(), Cost::INFINITE);
        return Plan {
            assignments,
            rival: None,
            reason,
            predicted,
            considered,
            tempting: Cost::INFINITE,
            explored: Cost::ZERO,
            merge: Cost::ZERO,
            obvious: false,
            lost: None,
            groups: question.grid.groups,
        };
    };
    let warm = if all_warm { None } else { weigh(&lines(View::Warm), 0.0) };
    let lost = warm.map(|w| (Cost::from_ns(choice.expected_ns - w.expected_ns), w)).filter(|(l, _)| *l > Cost::ZERO);
    let alone = |(c, whole): (&Candidate, &Prediction)| match &c.refusal {
        Some(_) => Cost::INFINITE,
        None => whole.total() + c.one_time,
    };
    let singles = question.candidates.iter().zip(&whole).filter(|(c, _)| c.known);
    let mut considered: Vec<_> = singles.map(|s| (s.0.id.clone(), alone(s))).collect();
    considered.extend(choice.together_ns.map(|ns| ("split".into(), Cost::from_ns(ns))));
    let once = choice.shares.iter().map(|(d, _)| question.candidates[*d].one_time).sum::<Cost>();
    Plan {
        reason: explain(question, &choice),
        assignments: parts(question, &choice.shares),
        rival: choice.rival,
        predicted: Cost::from_ns(choice.expected_ns) + if all_warm { Cost::ZERO } else { once },
        considered,
        tempting: Cost::from_ns(choice.tempting_ns),
        explored: Cost::from_ns(choice.explored_ns),
        // What merges is cut once.
        merge: Cost::ZERO,
        obvious: false,
        lost: lost.map(|(cost, w)| (cost, w.shares.iter().map(|(d, _)| *d).collect())),
        groups: question.grid.groups,
    }
}

/// The plan of a call for which no other device could begin in time.
fn obvious(question: &Question<'_>, whole: &[Prediction], device: usize) -> Plan {
    let usable = question.candidates.iter().zip(whole).filter(|(c, _)| c.refusal.is_none() && c.known);
    let mut reason = String::with_capacity(64);
    reason.push_str(&question.candidates[device].id);
    reason.push_str(" ends before another device could have started");
    Plan {
        assignments: plan::whole(question, device, String::new()).0,
        reason,
        predicted: whole[device].total(),
        considered: usable.map(|(c, whole)| (c.id.clone(), whole.total())).collect(),
        obvious: true,
        groups: question.grid.groups,
        ..Plan::nothing("")
    }
}

/// The grid cut by shares.
fn parts(question: &Question<'_>, shares: &[(usize, f64)]) -> Vec<Assignment> {
    match (shares, question.split) {
        ([(device, _)], _) => plan::whole(question, *device, String::new()).0,
        (_, Split::Whole(_)) => plan::whole(question, 0, String::new()).0,
        (_, Split::Axis(axis)) => {
            let cpu: f64 = shares.iter().filter(|(d, _)| *d == 0).map(|(_, s)| s).sum();
            let rest = (1.0 - cpu).max(f64::MIN_POSITIVE);
            let gpus: Vec<(usize, f64)> = shares.iter().filter(|(d, _)| *d != 0).map(|(d, s)| (*d, s / rest)).collect();
            cut(question.grid, usize::from(*axis), cpu, &gpus)
        }
    }
}

/// A ratio with two digits after the point. The general formatting of floats takes as long as the rest of a small decision.
fn ratio(value: f64) -> impl fmt::Display {
    let hundredths = (100.0 * value).round().clamp(0.0, 1e15) as u64;
    fmt::from_fn(move |f| write!(f, "{}.{:02}", hundredths / 100, hundredths % 100))
}

fn explain(question: &Question<'_>, choice: &Choice) -> String {
    let id = |d: usize| &*question.candidates[d].id;
    let (best, alone_ns) = choice.alone;
    let mut reason = match (choice.shares.as_slice(), choice.together_ns) {
        ([(device, _)], _) if choice.rival.is_some_and(|r| r != *device) => {
            let rival = choice.rival.map_or("", id);
            format!("{} and {rival} both run it, since it is not known which is faster", id(*device))
        }
        ([(device, _)], _) if choice.explored_ns > 0.0 => format!("{} runs it, to learn how fast it is", id(*device)),
        (shares, _) if shares.len() > 1 && choice.explored_ns > 0.0 => "split, to learn how fast each is".into(),
        ([(device, _)], Some(ns)) => {
            let gain = ratio(ns / choice.expected_ns.max(1.0));
            format!("{} alone is expected {gain} times as fast as a split", id(*device))
        }
        ([(device, _)], None) => format!("{} is expected to end first", id(*device)),
        _ => {
            let gain = ratio(alone_ns / choice.expected_ns.max(1.0));
            format!("the split is expected {gain} times as fast as {} alone", id(best))
        }
    };
    if let (Split::Whole(why), true) = (question.split, question.candidates.len() > 1) {
        reason.push_str(&format!("; it must run whole: {why}"));
    }
    reason
}

/// Who takes part in a call that is handed out in chunks, and how it is cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Crew {
    /// The axis of the cut.
    pub axis: usize,
    /// Devices with what is predicted of them.
    pub workers: Vec<(usize, Worker)>,
    /// Whether two devices both run the whole call: it need not be one that may be cut.
    pub race: bool,
}

/// The crew of a plan with several parts, or of a race.
pub fn crew(question: &Question<'_>, plan: &Plan) -> Option<Crew> {
    let axis = match (question.split, plan.rival) {
        (Split::Axis(axis), _) => usize::from(*axis).min(2),
        (Split::Whole(_), Some(_)) => 0,
        (Split::Whole(_), None) => return None,
    };
    let slices = u64::from(question.grid.groups[axis]);
    let all = plan.assignments.iter().map(|a| a.device);
    match (plan.rival, plan.assignments.as_slice()) {
        (Some(rival), [_]) => {
            let workers = workers(question, all.chain([rival]), slices);
            Some(Crew { axis, workers, race: true })
        }
        (_, [_, _, ..]) => Some(Crew { axis, workers: workers(question, all, slices), race: false }),
        _ => None,
    }
}

/// What the chunks of a co-executed call are sized by: one worker for each device, work counted in slices of the split axis.
fn workers(question: &Question<'_>, devices: impl Iterator<Item = usize>, slices: u64) -> Vec<(usize, Worker)> {
    // Where trip counts depend on data, slices differ.
    const UNEVEN: [f64; 2] = [0.05, 0.15];
    let worker = |device: usize| {
        let candidate = &question.candidates[device];
        let line = line(candidate, &candidate.predict(1.0), device, View::Honest)?;
        let slices = slices.max(1) as f64;
        let worker = Worker {
            chunk_ns: line.chunk_ns,
            launch_ns: candidate.rates.launch_ns,
            filling_ns: line.filling_ns,
            first_ns: (line.fixed_ns - line.chunk_ns).max(0.0),
            link_ns: line.link_ns / slices,
            slice_ns: line.kernel_ns * line.together / slices,
            spread: line.spread_together,
            uneven: UNEVEN[usize::from(candidate.work.features.data_dependent)],
            in_place: line.in_place,
        };
        Some((device, worker))
    };
    devices.filter_map(worker).collect()
}
