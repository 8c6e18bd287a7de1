//! The choice under doubt: which devices take part in a call.
//!
//! Each device is a line over its share of the call: a fixed time, and slopes for transfers and for the kernel. How far
//! the kernel's slope may be off is known as well, so the options (each device alone, and sets of devices together) are
//! compared not at the likeliest rates alone but over a grid of rates (Gauss-Hermite quadrature), by the mean of
//! their time over that of the best option there: the expected regret. Devices that adapt their parts while they run
//! lose little where the rates turn out different, and win the comparison exactly where doubt is large.

use super::{
    chunks::{Side, caution, divide},
    feedback::Together,
};

/// Sets of devices are masks: more devices than this are not weighed against each other.
pub const MAX_DEVICES: usize = 8;
/// Working together must promise this much: below it, noise decides.
const TOGETHER_GAIN: f64 = 1.03;
/// and so much more for each unit of doubt about a device: chunks that turn out too large are not all taken back.
const TOGETHER_DOUBT: f64 = 0.1;
/// Doubt (standard deviation of the logarithm) from which on a device is worth exploring.
const DOUBTFUL: f64 = 0.15;
/// A device promises something if it may be better by so many standard deviations.
const HOPE: f64 = 1.1;
/// What one look at another device may cost, as a part of a call, where the best one is known,
const LOOK: f64 = 1.0;
/// which is up to this doubt.
const KNOWN: f64 = 0.2;
/// Doubt up to which a rate counts as known.
const CERTAIN: f64 = 0.08;
/// The same of a device alone that is known beside others.
const DOUBTFUL_ALONE: f64 = 0.07;
/// Doubts count as so many times as large: rates are far off more often than a normal distribution says.
const TAILS: f64 = 1.3;
/// Nodes and weights of the quadrature: exact for polynomials up to the fifth degree.
const NODES: [(f64, f64); 3] = [(-1.732_050_8, 1.0 / 6.0), (0.0, 2.0 / 3.0), (1.732_050_8, 1.0 / 6.0)];

/// A device's time over its share `x` of the call: `fixed + x * link + max(filling, x * kernel)`, in ns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Launch, latencies, bytes needed whatever the share, one-time costs.
    pub fixed_ns: f64,
    /// Of `fixed_ns`, what each further chunk costs again.
    pub chunk_ns: f64,
    /// What a chunk's kernel takes at least: less does not fill the device.
    pub filling_ns: f64,
    /// Transfers of the whole call.
    pub link_ns: f64,
    /// The kernel of the whole call.
    pub kernel_ns: f64,
    /// Standard deviation of the logarithm of `filling_ns` and `kernel_ns`.
    pub spread: f64,
    /// The same while other devices work.
    pub spread_together: f64,
    /// Factor on the kernel while other devices work.
    pub together: f64,
    /// Works in place on the host's bytes: may run others' chunks once more.
    pub in_place: bool,
}

impl Line {
    /// The least time of any part where the kernel takes `off` times as long as likeliest.
    fn least(&self, off: f64) -> f64 {
        self.fixed_ns + self.filling_ns * off
    }

    fn slope(&self, off: f64, together: bool) -> f64 {
        let factor = if together { self.together } else { 1.0 };
        self.link_ns + self.kernel_ns * factor * off
    }
}

/// What was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The devices with their shares of the call, which sum to 1.
    pub shares: Vec<(usize, f64)>,
    /// A device that runs the whole call as well, on a copy: the result that is there first is taken.
    pub rival: Option<usize>,
    /// Expected time, in ns.
    pub expected_ns: f64,
    /// What of it is spent to learn about a device, in ns.
    pub explored_ns: f64,
    /// What learning about another device would cost, in ns; infinite where nothing promises to be better.
    pub tempting_ns: f64,
    /// Expected time of the best device alone, with its index.
    pub alone: (usize, f64),
    /// Expected time of the best set of several devices.
    pub together_ns: Option<f64>,
}

/// What the options are weighed on.
#[derive(Clone, Copy, Debug)]
pub struct Weighing<'a> {
    /// One per device; `None` where it cannot run the call.
    pub lines: &'a [Option<Line>],
    /// Whether the call may be cut.
    pub splittable: bool,
    /// Whether parts adapt while they run.
    pub adaptive: bool,
    /// What calls like it took on several devices.
    pub together: &'a [Together],
    /// What the device in place needs for copies, in ns, where it and another one may both run the whole call; `None` where
    /// they may not.
    pub race_ns: Option<f64>,
    /// What exploring may cost, in ns.
    pub budget_ns: f64,
}

/// A device's part in an option.
#[derive(Clone, Copy, Debug)]
struct Member {
    device: usize,
    /// Its share of the call at the likeliest rates, and what of it its first chunk is.
    share: f64,
    first: f64,
    /// Before its work: `fixed_ns`, and with the further chunks that doubt costs.
    fixed: f64,
    start: f64,
    /// Slopes, and the kernel's least time.
    link: f64,
    kernel: f64,
    least: f64,
    in_place: bool,
}

impl Member {
    fn slope(&self, off: f64) -> f64 {
        self.link + self.kernel * off
    }

    /// Time of a share of the call where the kernel takes `off` times as long as likeliest.
    fn time(&self, share: f64, off: f64) -> f64 {
        self.fixed + share * self.link + (share * self.kernel).max(self.least) * off
    }
}

/// An option with its expected time and regret.
#[derive(Clone, Copy, Debug)]
struct Weighed {
    set: u32,
    /// All of the set run the whole call.
    race: bool,
    /// Its part of the members: those that start early first.
    members: (usize, usize),
    expected_ns: f64,
    regret: f64,
    /// How much longer it is expected to take, by what it was seen to take, than its members' lines say.
    seen: f64,
}

impl Weighed {
    fn is_single(&self) -> bool {
        self.set.count_ones() == 1
    }

    /// Draws what is expected of it to what it was seen to take, the more the surer that is.
    fn correct(&mut self, seen: Option<&Together>, lines: &[Option<Line>]) {
        let Some(seen) = seen else { return };
        let spread = members(self.set).filter_map(|d| lines[d]).map(|l| l.spread_together).fold(0.0, f64::max);
        self.seen = seen.over(self.expected_ns, spread);
        self.expected_ns *= self.seen;
        self.regret *= self.seen;
    }
}

/// All options, with their members one after the other.
#[derive(Debug, Default)]
struct Options {
    all: Vec<Weighed>,
    members: Vec<Member>,
}

/// The option of least expected regret; `None` where no device can run the call.
pub fn choose(weighing: &Weighing<'_>) -> Option<Choice> {
    let lines = &weighing.lines[..weighing.lines.len().min(MAX_DEVICES)];
    let options = weigh(weighing, lines, in_time(lines));
    let least = |kind: &dyn Fn(&Weighed) -> bool| {
        options.all.iter().filter(|o| kind(o)).min_by(|a, b| a.regret.total_cmp(&b.regret)).copied()
    };
    let alone = least(&Weighed::is_single)?;
    let together = least(&|o| !o.is_single() && !o.race);
    let race = least(&|o| o.race);
    let mut best = alone;
    for other in [together, race].into_iter().flatten() {
        if other.regret * gain(&options, &other, lines) < best.regret {
            best = other;
        }
    }
    let mut explored_ns = 0.0;
    let mut tempting_ns = f64::INFINITY;
    if let Some((option, cost)) = explore(weighing, lines, &options, best) {
        // A call whose best devices are known was made before, and will be again: one look pays.
        let again = options.members_of(&best).iter().all(|m| lines[m.device].is_some_and(|l| l.spread < KNOWN));
        let look_ns = if again { LOOK * best.expected_ns } else { 0.0 };
        if cost <= weighing.budget_ns.max(look_ns) {
            (best, explored_ns) = (option, cost);
        } else {
            tempting_ns = cost;
        }
    }
    let (shares, rival) = if best.race {
        let expected = |d: &usize| lines[*d].map_or(f64::INFINITY, |l| l.fixed_ns + l.slope(1.0, true));
        let mut both: Vec<usize> = members(best.set).collect();
        both.sort_by(|a, b| expected(a).total_cmp(&expected(b)));
        (vec![(both[0], 1.0)], Some(both[1]))
    } else {
        let mut shares: Vec<(usize, f64)> = options.members_of(&best).iter().map(|m| (m.device, m.share)).collect();
        shares.sort_unstable_by_key(|s| s.0);
        (shares, None)
    };
    Some(Choice {
        shares,
        rival,
        expected_ns: best.expected_ns,
        explored_ns,
        tempting_ns,
        alone: (alone.set.trailing_zeros() as usize, alone.expected_ns),
        together_ns: together.map(|t| t.expected_ns),
    })
}

/// What an option of several devices must promise over a single one. A race has no chunks that could be too large.
fn gain(options: &Options, option: &Weighed, lines: &[Option<Line>]) -> f64 {
    let spreads = options.members_of(option).iter().filter_map(|m| lines[m.device]).map(|l| l.spread);
    TOGETHER_GAIN + if option.race { 0.0 } else { TOGETHER_DOUBT * spreads.fold(0.0, f64::max) }
}

/// The only device that could begin before another, even a slow one, has done all; `None` where there are several.
pub fn obvious(lines: &[Option<Line>]) -> Option<usize> {
    let usable = in_time(&lines[..lines.len().min(MAX_DEVICES)]);
    (usable.count_ones() == 1).then_some(usable.trailing_zeros() as usize)
}

/// The devices (a set) that could begin before another, even a slow one, has done all.
fn in_time(lines: &[Option<Line>]) -> u32 {
    let (fast, slow) = (NODES[0].0, NODES[2].0);
    let ends = lines.iter().flatten().map(|l| l.fixed_ns + l.slope((slow * l.spread).exp(), false));
    let all_done = ends.fold(f64::INFINITY, f64::min);
    let begins = |l: &Line| l.least((fast * l.spread).exp()) < all_done;
    let usable = |d: &usize| lines[*d].as_ref().is_some_and(begins);
    (0..lines.len()).filter(usable).map(|d| 1 << d).sum()
}

impl Options {
    /// Each device alone; where the call may be cut, the first with each other, all others, and all; and where it may be,
    /// races of the one in place with each other.
    fn new(usable: u32, lines: &[Option<Line>], weighing: &Weighing<'_>) -> Self {
        let mut out = Options { all: Vec::with_capacity(8), members: Vec::with_capacity(16) };
        members(usable).for_each(|d| out.add(1 << d, false, lines));
        if usable.count_ones() < 2 {
            return out;
        }
        let first = usable & usable.wrapping_neg();
        if weighing.splittable {
            members(usable & !first).for_each(|d| out.add(first | 1 << d, false, lines));
            if usable.count_ones() > 2 {
                out.add(usable & !first, false, lines);
                out.add(usable, false, lines);
            }
        }
        let in_place = |d: &usize| lines[*d].is_some_and(|l| l.in_place);
        if let (Some(copies_ns), Some(own)) = (weighing.race_ns, members(usable).find(in_place)) {
            for other in members(usable).filter(|d| !in_place(d)) {
                let from = out.members.len();
                out.add(1 << own | 1 << other, true, lines);
                out.members[from..].iter_mut().filter(|m| m.in_place).for_each(|m| m.fixed += copies_ns);
            }
        }
        out
    }

    fn add(&mut self, set: u32, race: bool, lines: &[Option<Line>]) {
        let from = self.members.len();
        let several = set.count_ones() > 1;
        let member = |d: usize| lines[d].as_ref().map(|l| Member::of(d, l, several));
        self.members.extend(members(set).filter_map(member));
        let own = &mut self.members[from..];
        if several && !race {
            shares(own);
        }
        own.sort_unstable_by(|a, b| a.start.total_cmp(&b.start));
        self.all.push(Weighed {
            set,
            race,
            members: (from, self.members.len()),
            expected_ns: 0.0,
            regret: 0.0,
            seen: 1.0,
        });
    }

    fn members_of(&self, option: &Weighed) -> &[Member] {
        &self.members[option.members.0..option.members.1]
    }
}

impl Member {
    /// A device with all of the call.
    fn of(device: usize, line: &Line, several: bool) -> Self {
        // Doubt costs further chunks, half hidden behind work.
        let chunks = (line.spread_together / 0.214).min(2.8);
        Member {
            device,
            share: 1.0,
            first: 1.0,
            fixed: line.fixed_ns,
            start: line.fixed_ns + 0.5 * chunks * line.chunk_ns,
            link: line.link_ns,
            kernel: line.kernel_ns * if several { line.together } else { 1.0 },
            least: line.filling_ns,
            in_place: line.in_place,
        }
    }
}

fn members(set: u32) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(set), |s| Some(s & s.wrapping_sub(1)))
        .take(set.count_ones() as usize)
        .map(|s| s.trailing_zeros() as usize)
}

/// Gives devices the shares with which they end together at the likeliest rates; those that begin too late get none.
fn shares(members: &mut [Member]) {
    let mut sides = [Side { start: 0.0, link: 0.0, kernel: 1.0, least: 0.0 }; MAX_DEVICES];
    for (side, m) in sides.iter_mut().zip(members.iter()) {
        *side = Side { start: m.fixed, link: m.link, kernel: m.kernel.max(1e-9), least: m.least };
    }
    let parts = divide(&sides[..members.len()], 1.0).1;
    members.iter_mut().zip(parts).for_each(|(m, part)| m.share = part);
}

/// Expected time and regret of every option over the grid of rates.
fn weigh(weighing: &Weighing<'_>, lines: &[Option<Line>], usable: u32) -> Options {
    let mut options = Options::new(usable, lines, weighing);
    for m in &mut options.members {
        m.first = m.share * lines[m.device].map_or(1.0, |l| caution(l.spread_together));
    }
    let mut times = vec![0.0; options.all.len()];
    each_point(lines, usable, &mut |off, weight| {
        let mut best = f64::INFINITY;
        for (time, option) in times.iter_mut().zip(&options.all) {
            *time = time_of(option, options.members_of(option), off, weighing.adaptive);
            best = best.min(*time);
        }
        let weight_of_best = weight / best.max(1e-3);
        for (option, time) in options.all.iter_mut().zip(&times) {
            option.expected_ns += weight * time;
            option.regret += weight_of_best * time;
        }
    });
    for option in &mut options.all {
        let seen = weighing.together.iter().find(|t| t.devices == option.set && !option.race);
        option.correct(seen, lines);
    }
    options
}

/// Calls `visit` with how many times as long as likeliest every device's kernel takes, and the point's weight. Beyond two
/// devices one deviates at a time.
fn each_point(lines: &[Option<Line>], usable: u32, visit: &mut dyn FnMut(&[f64; MAX_DEVICES], f64)) {
    let mut off = [1.0; MAX_DEVICES];
    let mut doubtful = [(0, [(1.0, 1.0); 3]); MAX_DEVICES];
    let mut count = 0;
    for d in members(usable) {
        let spread = lines[d].map_or(0.0, |l| l.spread);
        if spread > CERTAIN {
            let spread = TAILS * spread;
            let (low, high) = ((spread * NODES[0].0).exp(), (spread * NODES[2].0).exp());
            doubtful[count] = (d, [(low, NODES[0].1), (1.0, NODES[1].1), (high, NODES[2].1)]);
            count += 1;
        }
    }
    let doubtful = &doubtful[..count];
    if let [_, _, _, ..] = doubtful {
        visit(&off, NODES[1].1);
        for (d, [low, _, high]) in doubtful {
            for (factor, weight) in [low, high] {
                off[*d] = *factor;
                visit(&off, weight / count as f64);
            }
            off[*d] = 1.0;
        }
        return;
    }
    for point in 0..3usize.pow(count as u32) {
        let (mut weight, mut rest) = (1.0, point);
        for (d, nodes) in doubtful {
            let (factor, w) = nodes[rest % 3];
            off[*d] = factor;
            weight *= w;
            rest /= 3;
        }
        visit(&off, weight);
    }
}

/// Time of an option where kernels take `off` times as long as likeliest.
fn time_of(option: &Weighed, members: &[Member], off: &[f64; MAX_DEVICES], adaptive: bool) -> f64 {
    if option.is_single() || option.race {
        return members.iter().map(|m| m.fixed + m.slope(off[m.device])).fold(f64::INFINITY, f64::min);
    }
    let taking_part = || members.iter().filter(|m| m.share > 0.0);
    if !adaptive {
        return taking_part().map(|m| m.time(m.share, off[m.device])).fold(0.0, f64::max);
    }
    // All end together, as far as those that start late take part at all.
    let (mut end, mut rate, mut weighted) = (f64::INFINITY, 0.0, 0.0);
    for m in taking_part().take_while(|m| m.start.is_finite()) {
        if m.start >= end {
            break;
        }
        let own = m.slope(off[m.device]).max(1e-9).recip();
        rate += own;
        weighted += m.start * own;
        end = (1.0 + weighted) / rate;
    }
    let (mut straggler, mut again) = (0.0f64, f64::INFINITY);
    for m in members {
        let off = off[m.device];
        if m.in_place {
            again = 1.1 * (m.fixed + m.slope(off));
        }
        if m.share > 0.0 {
            end = end.max(m.fixed + m.least * off + m.share * m.link);
            // A first chunk given to a device that turns out slow is waited for, or run once more in place.
            let first = m.time(m.first, off);
            if m.in_place { end = end.max(first) } else { straggler = straggler.max(first) }
        }
    }
    end.max(straggler.min(again))
}

/// The option that teaches at the least loss about a device in doubt that may well be better.
fn explore(
    weighing: &Weighing<'_>,
    lines: &[Option<Line>],
    options: &Options,
    best: Weighed,
) -> Option<(Weighed, f64)> {
    let promising = |o: &Weighed| {
        // A device known beside others only may be faster alone than they are together.
        let single = o.is_single() && !best.is_single() && o.set & best.set != 0;
        let (fresh, doubtful) = if single { (o.set, DOUBTFUL_ALONE) } else { (o.set & !best.set, DOUBTFUL) };
        let news = members(fresh).filter(|d| lines[*d].is_some_and(|l| l.spread > doubtful));
        let mut off = [1.0; MAX_DEVICES];
        let faster = |d: usize| lines[d].map_or(1.0, |l| (-HOPE * l.spread).exp());
        let news = news.map(|d| off[d] = faster(d)).count();
        news > 0 && o.seen * time_of(o, options.members_of(o), &off, weighing.adaptive) < 0.97 * best.expected_ns
    };
    options
        .all
        .iter()
        .map(|o| (*o, (o.expected_ns - best.expected_ns).max(0.0)))
        .filter(|(o, _)| promising(o))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::learn::Belief;

    fn line(fixed_ns: f64, kernel_ns: f64, spread: f64, in_place: bool) -> Option<Line> {
        Some(Line {
            fixed_ns,
            chunk_ns: fixed_ns,
            filling_ns: 0.0,
            link_ns: 0.0,
            kernel_ns,
            spread,
            spread_together: spread,
            together: 1.0,
            in_place,
        })
    }

    fn ask(lines: &[Option<Line>], splittable: bool, budget_ns: f64) -> Choice {
        choose(&Weighing { lines, splittable, adaptive: true, together: &[], race_ns: Some(0.0), budget_ns }).unwrap()
    }

    #[test]
    fn equal_devices_share_in_halves() {
        let choice = ask(&[line(0.0, 1e6, 0.0, true), line(0.0, 1e6, 0.0, false)], true, 0.0);
        assert_eq!(choice.shares, [(0, 0.5), (1, 0.5)]);
        assert!((choice.expected_ns - 5e5).abs() < 1.0);
    }

    #[test]
    fn a_launch_longer_than_the_call_is_not_paid() {
        let choice = ask(&[line(1e3, 1e4, 0.0, true), line(1e5, 1e2, 0.0, false)], true, 0.0);
        assert_eq!(choice.shares, [(0, 1.0)]);
    }

    #[test]
    fn doubt_brings_devices_together_that_knowledge_would_not() {
        let slow = |spread| [line(1e4, 1e8, spread, true), line(1e4, 4e6, spread, false)];
        assert_eq!(ask(&slow(0.0), true, 0.0).shares.len(), 2, "any gain above 3 % is taken");
        let lines = [line(1e3, 1e6, 0.7, true), line(4e4, 1e6, 0.7, false)];
        assert_eq!(ask(&lines, true, 0.0).shares.len(), 2);
    }

    #[test]
    fn what_nobody_knows_is_raced_for_unless_copies_are_dear() {
        let lines = [line(1e3, 1e6, 0.7, true), line(4e4, 1e6, 0.7, false)];
        let ask = |race_ns| {
            choose(&Weighing {
                lines: &lines,
                splittable: false,
                adaptive: true,
                together: &[],
                race_ns,
                budget_ns: 0.0,
            })
        };
        let cheap = ask(Some(1e3)).unwrap();
        assert_eq!((cheap.shares.len(), cheap.rival.is_some()), (1, true));
        assert_eq!(ask(Some(5e6)).unwrap().rival, None);
    }

    #[test]
    fn a_split_seen_to_take_longer_than_predicted_is_left() {
        let lines = [line(1e3, 1e6, 0.05, true), line(1e4, 1e6, 0.05, false)];
        let ask = |log_ns: Belief| {
            let together = [Together { devices: 0b11, log_ns }];
            let weighing = Weighing {
                lines: &lines,
                splittable: true,
                adaptive: true,
                together: &together,
                race_ns: None,
                budget_ns: 0.0,
            };
            choose(&weighing).unwrap().shares.len()
        };
        let took = |ns: f64, variance| Belief { mean: ns.ln(), variance };
        assert_eq!(ask(took(3e6, 0.005)), 1);
        assert_eq!(ask(took(5e5, 0.005)), 2);
        assert_eq!(ask(took(3e6, 4.0)), 2, "once, with rates in doubt, says little");
    }

    #[test]
    fn exploring_needs_a_budget() {
        let lines = [line(1e3, 1e6, 0.0, true), line(1e4, 1.3e6, 0.8, false)];
        assert_eq!(ask(&lines, false, 0.0).shares[0].0, 0);
        let rich = ask(&lines, false, 1e7);
        assert_eq!(rich.shares[0].0, 1);
        assert!(rich.explored_ns > 0.0);
    }

    #[test]
    fn nothing_is_chosen_where_nothing_can_run() {
        assert!(
            choose(&Weighing {
                lines: &[None],
                splittable: true,
                adaptive: true,
                together: &[],
                race_ns: Some(0.0),
                budget_ns: 0.0
            })
            .is_none()
        );
    }
}
