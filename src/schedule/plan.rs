//! The choice: the least predicted end among the CPU, each GPU, and the best split.
//!
//! [`plan`] is pure: no device call, no clock. It reads from top to bottom, and each rung leaves its reason.

use super::{adaptive, feedback::Together, placement::Placement};
use crate::{
    cost::{
        Cost,
        learn::Estimate,
        roofline::{self, Prediction, Rates, Work},
    },
    error::{Error, ErrorKind, Result},
};
use evener_lanes::{Grid, GroupRange, analysis::Split};
use std::sync::Arc;

/// A split must promise this much over the best single device: below it, prediction noise decides.
const SPLIT_GAIN: f64 = 1.05;
/// Shares of the CPU that are tried at a time, around the best so far.
const SHARES: u32 = 8;

/// A device as the plan sees it. The first is the CPU.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// `cpu`, `gpu:0`, ...
    pub id: Arc<str>,
    /// Why it cannot run the call, if it cannot.
    pub refusal: Option<String>,
    /// The whole call's work on it.
    pub work: Work,
    /// Its rates.
    pub rates: Arc<Rates>,
    /// What past calls teach of the kernel on it: a factor on the predicted time, launches and copies not counted.
    pub learned: Estimate,
    /// The same beside other devices at work.
    pub together: Estimate,
    /// What they teach of copies to it, back, and of fetching: factors on their predicted times.
    pub link: [f64; 3],
    /// Time to copy to the host, first, what only other devices have of the whole call's arrays, without any factor.
    pub fetch: Cost,
    /// Of a chunk that fetches anything, the latency.
    pub fetch_latency: Cost,
    /// The part of the input, 0 to 1, that is needed however small the share of the call is.
    pub shared_input: f64,
    /// Runs of the call, one after the other, of which the first alone needs the uploads and the last the downloads.
    pub steps: f64,
    /// What its first use in this process and the kernel's first run add.
    pub one_time: Cost,
    /// What earlier calls lost because it was not warm: so much of the one-time cost does not count in the choice.
    pub credit: Cost,
    /// Whether the rates were measured; a device out of question is shown with a prediction only then.
    pub known: bool,
}

impl Candidate {
    /// Predicted phases of a share of the call.
    pub fn predict(&self, share: f64) -> Prediction {
        let prior = self.prior(share);
        let launch = Cost::from_ns(self.rates.launch_ns);
        Prediction {
            upload: prior.upload * self.link[0] + self.fetching(share, 1.0) * self.link[2],
            run: (launch + Cost::from_ns(prior.run.ns() - launch.ns()) * self.learned.factor) * self.steps,
            download: prior.download * self.link[1],
        }
    }

    /// Fetching what so many chunks of a share need in all, without any factor.
    pub(super) fn fetching(&self, share: f64, chunks: f64) -> Cost {
        self.fetch * self.needed(share) + self.fetch_latency * chunks
    }

    /// What the whole call moves, as [`Learned::known`](crate::cost::learn::Learned::known) asks for it.
    pub fn moved(&self) -> [f64; 3] {
        [self.work.up_bytes, self.work.down_bytes, self.fetching(1.0, 1.0).ns()]
    }

    /// The part of the input that a share of the call needs.
    fn needed(&self, share: f64) -> f64 {
        self.shared_input + (1.0 - self.shared_input) * share
    }

    /// The same without what was learned: what observations are compared with. Its data count as lying in the caches that
    /// the whole call's do, so that parts add up.
    pub fn prior(&self, share: f64) -> Prediction {
        let work = Work {
            invocations: self.work.invocations * share,
            up_bytes: self.work.up_bytes * self.needed(share),
            down_bytes: self.work.down_bytes * share,
            ..self.work
        };
        roofline::predict(&work, &self.rates)
    }

    /// Predicted phases of a share of the call that moves exactly these bytes.
    fn predict_moving(&self, share: f64, moves: &Moves) -> Prediction {
        let moving = Candidate {
            work: Work { up_bytes: moves.up, down_bytes: moves.down, ..self.work },
            fetch: moves.fetch,
            fetch_latency: Cost::ZERO,
            ..self.clone()
        };
        let (own, other) = (self.predict(share), moving.predict(1.0));
        Prediction { upload: other.upload, download: other.download, ..own }
    }

    /// The whole call on this device.
    pub(super) fn alone(&self, view: View) -> Cost {
        if self.refusal.is_some() { Cost::INFINITE } else { self.predict(1.0).total() + self.once(view) }
    }

    pub(super) fn once(&self, view: View) -> Cost {
        match view {
            View::Warm => Cost::ZERO,
            View::Choice => Cost::from_ns(self.one_time.ns() - self.credit.ns()),
            View::Honest => self.one_time,
        }
    }
}

/// What of the one-time costs is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Nothing: as if all devices were warm.
    Warm,
    /// What earlier calls have not yet lost by avoiding it.
    Choice,
    /// All: what this call will really take.
    Honest,
}

/// What [`plan`] decides on.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The call's grid.
    pub grid: Grid,
    /// Whether it may be cut.
    pub split: &'a Split,
    /// The CPU first, then the GPUs.
    pub candidates: &'a [Candidate],
    /// Whether parts adapt while they run ([`Chunks`](super::chunks::Chunks)), so that doubt costs little.
    pub adaptive: bool,
    /// Making one device's copies of what atomics merge into, and combining them with the originals in the end. Zero where
    /// nothing merges.
    pub merge: Cost,
    /// Copying what the call writes, and back, where the CPU may run the whole call on copies beside another device, of
    /// which the first to end is taken; `None` where it may not.
    pub race: Option<Cost>,
    /// What calls like it took on several devices.
    pub together: Vec<Together>,
    /// What may be lost to learn about a device.
    pub explore: Cost,
    /// What the caller asks for.
    pub placement: Placement,
    /// Refuse rather than run elsewhere or whole.
    pub strict: bool,
}

/// Work-groups for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Index into the candidates.
    pub device: usize,
    /// Its part of the grid.
    pub range: GroupRange,
}

/// Where a call runs and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Disjoint parts that cover the grid; GPUs from the front, the CPU at the back.
    pub assignments: Vec<Assignment>,
    /// A device (by index) that runs the whole call as well, on a copy of what it writes: the result that is there first
    /// is taken. Only where parts adapt.
    pub rival: Option<usize>,
    /// For the user.
    pub reason: String,
    /// Predicted end.
    pub predicted: Cost,
    /// Of that, combining copies of what atomics merge into.
    pub merge: Cost,
    /// Every placement considered, with its predicted time.
    pub considered: Vec<(Arc<str>, Cost)>,
    /// What learning about another device would have cost; infinite where none promises to be better.
    pub tempting: Cost,
    /// Of the predicted time, what is spent to learn about a device.
    pub explored: Cost,
    /// Whether nothing was weighed: no other device could have begun in time.
    pub obvious: bool,
    /// What this call loses to avoid one-time costs, and the devices (by index) that would have won warm.
    pub lost: Option<(Cost, Vec<usize>)>,
    /// Work-groups of the call on each axis.
    pub groups: [u32; 3],
}

/// What one part of a call moves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moves {
    /// Bytes to its device.
    pub up: f64,
    /// Bytes back.
    pub down: f64,
    /// Time to copy to the host, before, what other devices have.
    pub fetch: Cost,
}

/// The plan, or the parts of an earlier call where they are expected to end no later: then the bytes stay where they are,
/// and boundaries move only where that pays for the bytes that move with them. `moves` are those of the parts it is given.
pub fn stick(
    question: &Question<'_>,
    plan: Plan,
    earlier: Vec<Assignment>,
    moves: impl Fn(&Assignment) -> Moves,
) -> Plan {
    let end = |parts: &[Assignment]| {
        let moves: Vec<Moves> = parts.iter().map(&moves).collect();
        end_of(question, parts, View::Choice, |k, share| {
            question.candidates[parts[k].device].predict_moving(share, &moves[k])
        })
    };
    let plan = Plan { merge: merging(question, &plan.assignments), ..plan };
    if plan.assignments == earlier {
        return Plan { predicted: end(&earlier), ..plan };
    }
    let (stays, moved) = (end(&earlier), end(&plan.assignments));
    if moved.ns() * SPLIT_GAIN < stays.ns() {
        return Plan { predicted: moved, ..plan };
    }
    let gain = stays.ns() / moved.ns().max(1.0);
    let reason = format!(
        "split as the call before it, where its arrays are: {}, moving there, would take {:.2} of the time",
        plan.reason,
        gain.recip()
    );
    Plan { merge: merging(question, &earlier), assignments: earlier, reason, predicted: stays, ..plan }
}

/// Decides where a call runs.
///
/// # Errors
/// `NoSuchDevice` where the placement names a device that is not there or cannot run the call; `NotSplittable`
/// for a strict split of a call that must run whole.
pub fn plan(question: &Question<'_>) -> Result<Plan> {
    if question.adaptive && question.placement == Placement::Auto {
        return Ok(adaptive::plan(question));
    }
    let singles = |view| question.candidates.iter().map(|c| c.alone(view)).collect::<Vec<Cost>>();
    let best_split = best_split(question, View::Choice).map(|(parts, cost)| {
        let factor = seen_over_expected(question, &parts, cost);
        (parts, cost * factor)
    });
    let (assignments, reason) = match question.placement {
        Placement::Cpu => whole(question, 0, "the CPU was asked for".into()),
        Placement::Gpu(number) => gpu_alone(question, number, &singles(View::Warm))?,
        Placement::Split(share) => fixed_split(question, share, &singles(View::Warm))?,
        Placement::Auto => auto(question, &singles(View::Choice), best_split.as_ref()),
    };
    let honest = question.candidates.iter().map(|c| (c.id.clone(), c.alone(View::Honest), c.known));
    let mut considered: Vec<_> = honest.filter(|(.., known)| *known).map(|(id, cost, _)| (id, cost)).collect();
    if let Some((split, _)) = best_split.as_ref().filter(|_| question.candidates.iter().all(|c| c.known)) {
        considered.push(("split".into(), predicted_end(question, split, View::Honest)));
    }
    let predicted = predicted_end(question, &assignments, View::Honest);
    let lost = if question.placement == Placement::Auto { avoided(question, &assignments) } else { None };
    let (tempting, explored) = (Cost::INFINITE, Cost::ZERO);
    let (groups, merge) = (question.grid.groups, merging(question, &assignments));
    let (rival, obvious) = (None, false);
    Ok(Plan { assignments, rival, reason, predicted, merge, considered, tempting, explored, obvious, lost, groups })
}

/// What a choice loses against the best one on warm devices, if one-time costs kept it from that.
fn avoided(question: &Question<'_>, chosen: &[Assignment]) -> Option<(Cost, Vec<usize>)> {
    if question.candidates.iter().all(|c| c.one_time == Cost::ZERO) {
        return None;
    }
    let singles = (0..question.candidates.len()).map(|d| (question.candidates[d].alone(View::Warm), vec![d]));
    let split = best_split(question, View::Warm)
        .map(|(parts, cost)| (cost, parts.iter().map(|a| a.device).collect::<Vec<usize>>()));
    let (best, devices) = singles.chain(split).min_by(|a, b| a.0.ns().total_cmp(&b.0.ns()))?;
    let lost = Cost::from_ns(predicted_end(question, chosen, View::Warm).ns() - best.ns());
    (lost > Cost::ZERO && lost.is_finite()).then_some((lost, devices))
}

impl Plan {
    /// The devices that have a part, a bit for each.
    pub fn devices(&self) -> u32 {
        devices_of(&self.assignments)
    }

    /// Nothing is to be done.
    pub(crate) fn nothing(reason: &str) -> Self {
        Plan {
            assignments: Vec::new(),
            rival: None,
            reason: reason.into(),
            predicted: Cost::ZERO,
            merge: Cost::ZERO,
            considered: Vec::new(),
            tempting: Cost::INFINITE,
            explored: Cost::ZERO,
            obvious: false,
            lost: None,
            groups: [0; 3],
        }
    }
}

/// The devices of parts, a bit for each.
fn devices_of(parts: &[Assignment]) -> u32 {
    parts.iter().filter(|a| a.device < 32).fold(0, |set, a| set | 1 << a.device)
}

pub(super) type Chosen = (Vec<Assignment>, String);

pub(super) fn whole(question: &Question<'_>, device: usize, reason: String) -> Chosen {
    (vec![Assignment { device, range: GroupRange::all(question.grid) }], reason)
}

fn gpu_alone(question: &Question<'_>, number: Option<usize>, singles: &[Cost]) -> Result<Chosen> {
    let no = |why: String| Err(Error::new(ErrorKind::NoSuchDevice, why));
    let gpus = 1..question.candidates.len();
    let device = match number {
        Some(k) => match Placement::Gpu(number).device().filter(|device| gpus.contains(device)) {
            Some(device) => device,
            None => return no(format!("gpu:{k} is not there: {}", gpus_there(question))),
        },
        None => match gpus.min_by(|a, b| singles[*a].ns().total_cmp(&singles[*b].ns())) {
            Some(device) => device,
            None => return no(format!("no GPU is there: {}", gpus_there(question))),
        },
    };
    let candidate = &question.candidates[device];
    match &candidate.refusal {
        Some(why) => no(format!("{} cannot run this call: {why}", candidate.id)),
        None => Ok(whole(question, device, format!("{} was asked for", candidate.id))),
    }
}

fn gpus_there(question: &Question<'_>) -> String {
    match question.candidates.len() {
        0 | 1 => "this runtime has only the CPU (software GPUs are used only when asked for)".into(),
        n => {
            let ids: Vec<&str> = question.candidates[1..n].iter().map(|c| &*c.id).collect();
            format!("there is {}", ids.join(", "))
        }
    }
}

/// `split=F`: the CPU's share is given; the GPUs that can run the call take the rest.
fn fixed_split(question: &Question<'_>, share: f64, singles: &[Cost]) -> Result<Chosen> {
    let mut gpus: Vec<usize> = usable_gpus(question).collect();
    if question.candidates.len() < 2 {
        let why = format!("split={share} needs a GPU: {}", gpus_there(question));
        return Err(Error::new(ErrorKind::NoSuchDevice, why));
    }
    if gpus.is_empty() {
        let c = &question.candidates[1];
        let why = format!("split={share}: {} cannot run this call: {}", c.id, c.refusal.as_deref().unwrap_or(""));
        return Err(Error::new(ErrorKind::NoSuchDevice, why));
    }
    // The caller fixes one boundary: the fastest GPU alone takes the other side of it.
    gpus.sort_by(|a, b| singles[*a].ns().total_cmp(&singles[*b].ns()));
    gpus.truncate(1);
    match question.split {
        Split::Axis(axis) => {
            let assignments = cut(question.grid, usize::from(*axis), share, &[(gpus[0], 1.0)]);
            Ok((assignments, format!("split={share} was asked for, cut on axis {}", axis_name(*axis))))
        }
        Split::Whole(why) if question.strict => {
            Err(Error::new(ErrorKind::NotSplittable, format!("split={share}: this call must run whole: {why}")))
        }
        Split::Whole(why) => {
            let device = (0..singles.len()).min_by(|a, b| singles[*a].ns().total_cmp(&singles[*b].ns())).unwrap_or(0);
            let id = &question.candidates[device].id;
            Ok(whole(question, device, format!("not split, whole on {id}: {why}")))
        }
    }
}

fn auto(question: &Question<'_>, singles: &[Cost], best_split: Option<&(Vec<Assignment>, Cost)>) -> Chosen {
    let best = (0..singles.len()).min_by(|a, b| singles[*a].ns().total_cmp(&singles[*b].ns())).unwrap_or(0);
    let id = &question.candidates[best].id;
    if question.candidates.len() == 1 {
        return whole(question, 0, "the CPU is the only device".into());
    }
    match (best_split, question.split) {
        (Some((assignments, cost)), _) if cost.ns() * SPLIT_GAIN < singles[best].ns() => {
            let gain = singles[best].ns() / cost.ns();
            (assignments.clone(), format!("the split is predicted {gain:.2} times as fast as {id} alone"))
        }
        (_, split) => {
            let next = singles
                .iter()
                .enumerate()
                .filter(|(d, _)| *d != best)
                .map(|(_, c)| c.ns())
                .fold(f64::INFINITY, f64::min);
            let mut reason = match next / singles[best].ns().max(1.0) {
                ratio if ratio.is_finite() => format!("{id} is predicted {ratio:.1} times as fast as the next device"),
                _ => format!("only {id} can run it"),
            };
            match split {
                Split::Whole(why) => reason.push_str(&format!("; it must run whole: {why}")),
                Split::Axis(_) => reason.push_str("; a split would not pay"),
            }
            whole(question, best, reason)
        }
    }
}

fn usable_gpus<'a>(question: &'a Question<'_>) -> impl Iterator<Item = usize> + 'a {
    (1..question.candidates.len()).filter(|d| question.candidates[*d].refusal.is_none())
}

/// The best split over the CPU and the usable GPUs: the CPU's share is tried on a grid of values that narrows around the
/// best, the rest is shared among the GPUs so that they end together.
fn best_split(question: &Question<'_>, view: View) -> Option<(Vec<Assignment>, Cost)> {
    let Split::Axis(axis) = question.split else { return None };
    let gpus: Vec<usize> = usable_gpus(question).collect();
    if gpus.is_empty() {
        return None;
    }
    let mut best: Option<(f64, Vec<Assignment>, Cost)> = None;
    let (mut from, mut step) = (0.0, f64::from(SHARES).recip());
    for _ in 0..3 {
        for k in 0..=SHARES {
            let share = (from + f64::from(k) * step).clamp(0.0, 1.0);
            let assignments = cut(question.grid, usize::from(*axis), share, &balance(question, &gpus, 1.0 - share));
            let cost = predicted_end(question, &assignments, view);
            if assignments.len() > 1 && best.as_ref().is_none_or(|(.., least)| cost < *least) {
                best = Some((share, assignments, cost));
            }
        }
        from = best.as_ref().map_or(0.5, |(share, ..)| *share) - step;
        step *= 2.0 / f64::from(SHARES);
    }
    best.map(|(_, assignments, cost)| (assignments, cost))
}

/// Parts of `rest` for each GPU so that all end at the same time, by bisection on that time. Weights sum to 1.
fn balance(question: &Question<'_>, gpus: &[usize], rest: f64) -> Vec<(usize, f64)> {
    if gpus.len() == 1 {
        return vec![(gpus[0], 1.0)];
    }
    // Time as fixed + share * slope, from two points of the prediction.
    let lines: Vec<(f64, f64)> = gpus
        .iter()
        .map(|d| {
            let (half, full) =
                (question.candidates[*d].predict(0.5).total().ns(), question.candidates[*d].predict(1.0).total().ns());
            let slope = (2.0 * (full - half)).max(1.0);
            ((full - slope).max(0.0), slope)
        })
        .collect();
    let shares = |end: f64| lines.iter().map(|(fixed, slope)| ((end - fixed) / slope).max(0.0)).collect::<Vec<_>>();
    let (mut low, mut high) = (0.0, lines.iter().map(|(f, s)| f + s).fold(0.0, f64::max));
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if shares(middle).iter().sum::<f64>() < rest { low = middle } else { high = middle }
    }
    let shares = shares(high);
    let sum: f64 = shares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    gpus.iter().zip(shares).map(|(d, s)| (*d, s / sum)).collect()
}

/// Cuts the grid on `axis`: GPUs from the front by their weights, the CPU the last `cpu_share`. Empty parts are left out.
pub fn cut(grid: Grid, axis: usize, cpu_share: f64, gpus: &[(usize, f64)]) -> Vec<Assignment> {
    let groups = f64::from(grid.groups[axis]);
    let mut rest = GroupRange::all(grid);
    let mut assignments = Vec::new();
    let mut done = 0.0;
    for (device, weight) in gpus {
        done += weight * (1.0 - cpu_share);
        let (front, back) = rest.split_at(axis, (groups * done).round() as u32);
        assignments.push(Assignment { device: *device, range: front });
        rest = back;
    }
    assignments.push(Assignment { device: 0, range: rest });
    assignments.retain(|a| !a.range.is_empty());
    assignments
}

/// How much longer parts on several devices are expected to take, by what such calls took, than their predictions say.
fn seen_over_expected(question: &Question<'_>, parts: &[Assignment], cost: Cost) -> f64 {
    let set = devices_of(parts);
    let spreads = parts.iter().map(|a| question.candidates[a.device].together.spread);
    let seen = question.together.iter().find(|t| t.devices == set);
    seen.map_or(1.0, |t| t.over(cost.ns(), spreads.fold(0.0, f64::max)))
}

/// Whether parts cover a grid and differ on one axis only.
pub(crate) fn is_cut_on(parts: &[Assignment], grid: Grid, axis: usize) -> bool {
    let whole = GroupRange::all(grid);
    let across = |a: &Assignment| (0..3).all(|k| k == axis || (a.range.start[k], a.range.end[k]) == (0, whole.end[k]));
    parts.iter().all(across) && parts.iter().map(|a| a.range.count()).sum::<u64>() == whole.count()
}

/// Predicted end of a set of assignments. Uploads to all devices come first, one after the other (no device may write
/// host bytes that are still being read); then all run.
fn predicted_end(question: &Question<'_>, assignments: &[Assignment], view: View) -> Cost {
    end_of(question, assignments, view, |k, share| question.candidates[assignments[k].device].predict(share))
}

/// The same with a prediction for each assignment, by its number and share.
fn end_of(
    question: &Question<'_>,
    assignments: &[Assignment],
    view: View,
    predict: impl Fn(usize, f64) -> Prediction,
) -> Cost {
    let total = GroupRange::all(question.grid).count() as f64;
    let shares = assignments.iter().map(|a| a.range.count() as f64 / total).enumerate();
    let predictions: Vec<Prediction> = shares.map(|(k, share)| predict(k, share)).collect();
    let mut uploaded = Cost::ZERO;
    let mut end = Cost::ZERO;
    for (a, p) in assignments.iter().zip(&predictions) {
        let candidate = &question.candidates[a.device];
        if candidate.refusal.is_some() {
            return Cost::INFINITE;
        }
        uploaded = uploaded + p.upload + candidate.once(view);
        let slowed = if assignments.len() > 1 { candidate.together.factor / candidate.learned.factor } else { 1.0 };
        end = end.max(uploaded + p.run * slowed + p.download);
    }
    end + merging(question, assignments)
}

/// What merging the parts of a split adds: the CPU updates the originals, every other part has copies.
fn merging(question: &Question<'_>, assignments: &[Assignment]) -> Cost {
    let copies = assignments.iter().filter(|a| a.device != 0 && assignments.len() > 1).count();
    question.merge * copies as f64
}

fn axis_name(axis: u8) -> &'static str {
    ["x", "y", "z"][usize::from(axis).min(2)]
}

#[cfg(test)]
mod tests;
