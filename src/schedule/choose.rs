//! The choice under doubt: which devices take part in a call.
//!
//! Each device is a line over its share of the call: a fixed time, and slopes for transfers and for the kernel. How far
//! the kernel's slope may be off is known as well, so the options (each device alone, and sets of devices together) are
//! compared not at the likeliest rates alone but over a grid of rates (Gauss-Hermite quadrature), by the mean of
//! their time over that of the best option there: the expected regret. Devices that adapt their parts while they run
//! lose little where the rates turn out different, and win the comparison exactly where doubt is large.

use super::chunks::{Side, caution, divide, end_together};

/// Sets of devices are masks: more devices than this are not weighed against each other.
pub const MAX_DEVICES: usize = 8;
/// Working together must promise this much: below it, noise decides.
const TOGETHER_GAIN: f64 = 1.02;
/// Doubt (standard deviation of the logarithm) from which on a device is worth exploring.
const DOUBTFUL: f64 = 0.15;
/// Doubt up to which a rate counts as known.
const CERTAIN: f64 = 0.08;
/// The same of a device alone that is known beside others.
const DOUBTFUL_ALONE: f64 = 0.07;
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
    /// Whether two devices may both run the whole call.
    pub races: bool,
    /// What exploring may cost, in ns.
    pub budget_ns: f64,
}

/// An option with its expected time and regret.
#[derive(Clone, Copy, Debug)]
struct Weighed {
    set: u32,
    /// All of the set run the whole call.
    race: bool,
    expected_ns: f64,
    regret: f64,
}

/// The option of least expected regret; `None` where no device can run the call.
pub fn choose(weighing: &Weighing<'_>) -> Option<Choice> {
    let lines = &weighing.lines[..weighing.lines.len().min(MAX_DEVICES)];
    let usable = in_time(lines);
    let options = weigh(weighing, lines, &usable);
    let least = |kind: &dyn Fn(&Weighed) -> bool| {
        options.iter().filter(|o| kind(o)).min_by(|a, b| a.regret.total_cmp(&b.regret)).copied()
    };
    let alone = least(&|o| o.set.count_ones() == 1)?;
    let together = least(&|o| o.set.count_ones() > 1 && !o.race);
    let race = least(&|o| o.race);
    let mut best = alone;
    for other in [together, race].into_iter().flatten() {
        if other.regret * TOGETHER_GAIN < best.regret {
            best = other;
        }
    }
    let mut explored_ns = 0.0;
    let mut tempting_ns = f64::INFINITY;
    if let Some((option, cost)) = explore(weighing, lines, &options, best) {
        if cost <= weighing.budget_ns {
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
        (shares(lines, best.set), None)
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

/// The devices that could begin before another, even a slow one, has done all.
fn in_time(lines: &[Option<Line>]) -> Vec<usize> {
    let (fast, slow) = (NODES[0].0, NODES[2].0);
    let ends = lines.iter().flatten().map(|l| l.fixed_ns + l.slope((slow * l.spread).exp(), false));
    let all_done = ends.fold(f64::INFINITY, f64::min);
    let begins = |l: &Line| l.least((fast * l.spread).exp()) < all_done;
    (0..lines.len()).filter(|d| lines[*d].as_ref().is_some_and(begins)).collect()
}

/// Each device alone; where the call may be cut, the CPU with each other, all others, and all; and where it may be,
/// races of two.
fn options(usable: &[usize], weighing: &Weighing<'_>) -> Vec<Weighed> {
    let option = |set, race| Weighed { set, race, expected_ns: 0.0, regret: 0.0 };
    let mut out: Vec<Weighed> = usable.iter().map(|d| option(1 << d, false)).collect();
    if usable.len() < 2 {
        return out;
    }
    if weighing.splittable {
        let all: u32 = usable.iter().map(|d| 1 << d).sum();
        let mut sets: Vec<u32> = usable.iter().skip(1).map(|d| 1 << usable[0] | 1 << d).collect();
        sets.extend([all & !(1 << usable[0]), all]);
        sets.retain(|s| s.count_ones() > 1);
        sets.sort_unstable();
        sets.dedup();
        out.extend(sets.into_iter().map(|set| option(set, false)));
    }
    if weighing.races {
        let pairs = usable.iter().flat_map(|a| usable.iter().filter(move |b| *b > a).map(move |b| 1 << a | 1 << b));
        out.extend(pairs.map(|set| option(set, true)));
    }
    out
}

fn members(set: u32) -> impl Iterator<Item = usize> {
    (0..MAX_DEVICES).filter(move |d| set & 1 << d != 0)
}

/// Shares with which the devices of a set end together at the likeliest rates; devices that begin too late get none.
fn shares(lines: &[Option<Line>], set: u32) -> Vec<(usize, f64)> {
    let several = set.count_ones() > 1;
    let side = |l: Line| Side {
        start: l.fixed_ns,
        link: l.link_ns,
        kernel: (l.slope(1.0, several) - l.link_ns).max(1e-9),
        least: l.filling_ns,
    };
    let own: Vec<(usize, Side)> = members(set).filter_map(|d| Some((d, side(lines[d]?)))).collect();
    let sides: Vec<Side> = own.iter().map(|(_, s)| *s).collect();
    let parts = divide(&sides, 1.0).1;
    own.iter().zip(parts).map(|((d, _), part)| (*d, part)).collect()
}

/// Expected time and regret of every option over the grid of rates.
fn weigh(weighing: &Weighing<'_>, lines: &[Option<Line>], usable: &[usize]) -> Vec<Weighed> {
    let mut options = options(usable, weighing);
    let plans: Vec<Vec<(usize, f64)>> = options.iter().map(|o| shares(lines, o.set)).collect();
    let mut times = vec![0.0; options.len()];
    each_point(lines, usable, &mut |off, weight| {
        for ((time, option), plan) in times.iter_mut().zip(&options).zip(&plans) {
            *time = time_of(lines, option, plan, off, weighing.adaptive);
        }
        let best = times.iter().copied().fold(f64::INFINITY, f64::min).max(1e-3);
        for (option, time) in options.iter_mut().zip(&times) {
            option.expected_ns += weight * time;
            option.regret += weight * time / best;
        }
    });
    options
}

/// Calls `visit` with how many times as long as likeliest every device's kernel takes, and the point's weight. Beyond two
/// devices one deviates at a time.
fn each_point(lines: &[Option<Line>], usable: &[usize], visit: &mut dyn FnMut(&[f64; MAX_DEVICES], f64)) {
    let spread = |d: usize| lines[d].map_or(0.0, |l| l.spread);
    let doubtful: Vec<usize> = usable.iter().copied().filter(|d| spread(*d) > CERTAIN).collect();
    let node = |d: usize, k: usize| ((spread(d) * NODES[k].0).exp(), NODES[k].1);
    let mut off = [1.0; MAX_DEVICES];
    if doubtful.len() > 2 {
        for d in &doubtful {
            for k in 0..NODES.len() {
                let (factor, weight) = node(*d, k);
                off[*d] = factor;
                visit(&off, weight / doubtful.len() as f64);
            }
            off[*d] = 1.0;
        }
        return;
    }
    let nodes: Vec<[(f64, f64); 3]> = doubtful.iter().map(|d| std::array::from_fn(|k| node(*d, k))).collect();
    for point in 0..3usize.pow(doubtful.len() as u32) {
        let (mut weight, mut rest) = (1.0, point);
        for (d, nodes) in doubtful.iter().zip(&nodes) {
            let (factor, w) = nodes[rest % 3];
            off[*d] = factor;
            weight *= w;
            rest /= 3;
        }
        visit(&off, weight);
    }
}

/// Time of an option where kernels take `off` times as long as likeliest.
fn time_of(
    lines: &[Option<Line>],
    option: &Weighed,
    plan: &[(usize, f64)],
    off: &[f64; MAX_DEVICES],
    adaptive: bool,
) -> f64 {
    let several = option.set.count_ones() > 1;
    if !several || option.race {
        let whole = |d: usize| lines[d].map_or(f64::INFINITY, |l| l.fixed_ns + l.slope(off[d], several));
        return members(option.set).map(whole).fold(f64::INFINITY, f64::min);
    }
    let part = |(d, share): &(usize, f64), factor: f64| match &lines[*d] {
        Some(l) if *share > 0.0 => {
            let kernel = l.slope(off[*d], true) - l.link_ns;
            let x = share * factor;
            l.fixed_ns + x * l.link_ns + (x * kernel).max(l.filling_ns * off[*d])
        }
        _ => 0.0,
    };
    if !adaptive {
        return plan.iter().map(|p| part(p, 1.0)).fold(0.0, f64::max);
    }
    let mut ideal = [(0.0, 0.0); MAX_DEVICES];
    let mut count = 0;
    let mut again = f64::INFINITY;
    for (d, _) in plan {
        let Some(l) = &lines[*d] else { continue };
        // Doubt costs further chunks, half hidden behind work.
        let chunks = (l.spread_together / 0.3).min(2.0);
        ideal[count] = (l.fixed_ns + 0.5 * chunks * l.chunk_ns, l.slope(off[*d], true));
        count += 1;
        if l.in_place {
            again = 1.1 * (l.fixed_ns + l.slope(off[*d], true));
        }
    }
    let unfilled = |(d, share): &(usize, f64)| {
        lines[*d].filter(|_| *share > 0.0).map_or(0.0, |l| l.least(off[*d]) + share * l.link_ns)
    };
    let end = plan.iter().map(unfilled).fold(end_together(&ideal[..count], 1.0), f64::max);
    // A first chunk given to a device that turns out slow is waited for, or run once more in place.
    let waits = |p: &(usize, f64)| {
        lines[p.0].as_ref().map_or(0.0, |l| if l.in_place { 0.0 } else { part(p, caution(l.spread_together)) })
    };
    let straggler = plan.iter().map(waits).fold(0.0, f64::max).min(again);
    end.max(straggler)
}

/// The option that teaches at the least loss about a device in doubt that may well be better.
fn explore(
    weighing: &Weighing<'_>,
    lines: &[Option<Line>],
    options: &[Weighed],
    best: Weighed,
) -> Option<(Weighed, f64)> {
    let promising = |o: &Weighed| {
        // A device known beside others only may be faster alone than they are together.
        let single = o.set.count_ones() == 1 && best.set.count_ones() > 1 && o.set & best.set != 0;
        let (fresh, doubtful) = if single { (o.set, DOUBTFUL_ALONE) } else { (o.set & !best.set, DOUBTFUL) };
        let news: Vec<usize> = members(fresh).filter(|d| lines[*d].is_some_and(|l| l.spread > doubtful)).collect();
        let mut off = [1.0; MAX_DEVICES];
        let faster = |d: usize| lines[d].map_or(1.0, |l| (-1.5 * l.spread).exp());
        news.iter().for_each(|d| off[*d] = faster(*d));
        !news.is_empty() && time_of(lines, o, &shares(lines, o.set), &off, weighing.adaptive) < 0.97 * best.expected_ns
    };
    options
        .iter()
        .filter(|o| promising(o))
        .map(|o| (*o, (o.expected_ns - best.expected_ns).max(0.0)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        choose(&Weighing { lines, splittable, adaptive: true, races: true, budget_ns }).unwrap()
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
        assert_eq!(ask(&slow(0.0), true, 0.0).shares.len(), 2, "any gain above 2 % is taken");
        let lines = [line(1e3, 1e6, 0.7, true), line(4e4, 1e6, 0.7, false)];
        assert_eq!(ask(&lines, true, 0.0).shares.len(), 2);
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
            choose(&Weighing { lines: &[None], splittable: true, adaptive: true, races: true, budget_ns: 0.0 })
                .is_none()
        );
    }
}
