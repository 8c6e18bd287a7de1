//! Plans of candidates made by hand.

use super::*;
use crate::cost::roofline::{Rate, tests::rates};
use evener_lanes::analysis::Features;

fn candidate(id: &str, speed: f64, bytes: f64) -> Candidate {
    let mut rates = rates();
    rates.float = Rate::assumed(1e9 * speed);
    let features = Features { float: 100.0, ..Features::default() };
    let work = Work { features, invocations: 1e6, working_set: 0.0, up_bytes: bytes, down_bytes: bytes };
    Candidate {
        id: id.into(),
        refusal: None,
        work,
        rates: rates.into(),
        learned: Estimate::EXACT,
        together: Estimate::EXACT,
        link: [1.0; 3],
        fetch: Cost::ZERO,
        fetch_latency: Cost::ZERO,
        shared_input: 0.0,
        steps: 1.0,
        one_time: Cost::ZERO,
        credit: Cost::ZERO,
        known: true,
    }
}

fn question<'a>(candidates: &'a [Candidate], split: &'a Split) -> Question<'a> {
    Question {
        together: Vec::new(),
        grid: Grid { groups: [1000, 1, 1] },
        split,
        candidates,
        adaptive: false,
        merge: Cost::ZERO,
        race: None,
        explore: Cost::ZERO,
        placement: Placement::Auto,
        strict: false,
    }
}

fn ask(candidates: &[Candidate], split: &Split, placement: Placement, strict: bool) -> Result<Plan> {
    plan(&Question { placement, strict, ..question(candidates, split) })
}

#[test]
fn a_split_pays_for_the_copies_that_are_merged() {
    let devices = [candidate("cpu", 1.0, 0.0), candidate("gpu:0", 1.0, 0.0)];
    let ask = |merge| plan(&Question { merge, ..question(&devices, &Split::Axis(0)) }).unwrap();
    let free = ask(Cost::ZERO);
    assert_eq!((free.assignments.len(), free.merge), (2, Cost::ZERO));
    let merge = free.predicted * 0.5;
    let dear = ask(merge);
    assert_eq!((dear.assignments.len(), dear.merge), (2, merge), "half as long again is still less than one device");
    assert!((dear.predicted.ns() / free.predicted.ns() - 1.5).abs() < 0.05, "{dear:?}");
    assert_eq!(ask(free.predicted * 1.5).assignments.len(), 1, "more than one device alone would take");
}

#[test]
fn two_equal_devices_share_the_work_in_halves() {
    let devices = [candidate("cpu", 1.0, 0.0), candidate("gpu:0", 1.0, 0.0)];
    let plan = ask(&devices, &Split::Axis(0), Placement::Auto, false).unwrap();
    assert_eq!(plan.assignments.len(), 2);
    let cpu = plan.assignments.iter().find(|a| a.device == 0).unwrap();
    assert!((cpu.range.count() as f64 - 500.0).abs() < 20.0, "{plan:?}");
    assert_eq!(cpu.range.end[0], 1000, "the CPU works at the back");
}

#[test]
fn three_devices_end_together() {
    let devices = [candidate("cpu", 1.0, 0.0), candidate("gpu:0", 2.0, 0.0), candidate("gpu:1", 5.0, 0.0)];
    let plan = ask(&devices, &Split::Axis(0), Placement::Auto, false).unwrap();
    let shares: Vec<f64> = plan.assignments.iter().map(|a| a.range.count() as f64 / 1000.0).collect();
    assert_eq!(plan.assignments.len(), 3);
    for (share, want) in shares.iter().zip([0.25, 0.625, 0.125]) {
        assert!((share - want).abs() < 0.03, "{shares:?}");
    }
}

#[test]
fn a_download_can_make_the_fast_device_wrong() {
    let devices = [candidate("cpu", 1.0, 0.0), candidate("gpu:0", 100.0, 1e9)];
    let plan = ask(&devices, &Split::Whole("why".into()), Placement::Auto, false).unwrap();
    assert_eq!(plan.assignments[0].device, 0, "{}", plan.reason);
    assert!(plan.reason.contains("must run whole: why"));
}

#[test]
fn a_call_that_must_run_whole_is_whole_on_the_faster_device_or_an_error_when_strict() {
    let devices = [candidate("cpu", 1.0, 0.0), candidate("gpu:0", 3.0, 0.0)];
    let whole = Split::Whole("`sum` is updated by atomics on floats".into());
    let plan = ask(&devices, &whole, Placement::Split(0.5), false).unwrap();
    assert_eq!(plan.assignments, [Assignment { device: 1, range: GroupRange::all(Grid { groups: [1000, 1, 1] }) }]);
    assert!(plan.reason.contains("atomics"));
    let error = ask(&devices, &whole, Placement::Split(0.5), true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSplittable);
}

#[test]
fn a_device_that_is_not_there_is_an_error() {
    let devices = [candidate("cpu", 1.0, 0.0)];
    let far = Placement::Gpu(Some(usize::MAX));
    for placement in [Placement::Gpu(None), Placement::Gpu(Some(0)), far, Placement::Split(0.5)] {
        let error = ask(&devices, &Split::Axis(0), placement, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSuchDevice);
    }
}

#[test]
fn a_device_that_refuses_the_call_gets_no_part_of_it() {
    let mut devices = [candidate("cpu", 1.0, 0.0), candidate("gpu:0", 100.0, 0.0)];
    devices[1].refusal = Some("no f64".into());
    let plan = ask(&devices, &Split::Axis(0), Placement::Auto, false).unwrap();
    assert_eq!(plan.assignments.len(), 1);
    assert_eq!(plan.assignments[0].device, 0);
}

#[test]
fn a_cold_device_waits_until_calls_have_lost_what_it_costs_to_warm_it() {
    let mut devices = [candidate("cpu", 1.0, 0.0), candidate("gpu:0", 10.0, 0.0)];
    devices[1].one_time = Cost::from_ns(1e9);
    let whole = Split::Whole("why".into());
    let cold = ask(&devices, &whole, Placement::Auto, false).unwrap();
    assert_eq!(cold.assignments[0].device, 0, "{}", cold.reason);
    let (lost, by) = cold.lost.unwrap();
    assert!(lost.ns() > 8e7 && by == [1], "{lost}");
    devices[1].credit = Cost::from_ns(1e9);
    let paid = ask(&devices, &whole, Placement::Auto, false).unwrap();
    assert_eq!(paid.assignments[0].device, 1);
    assert!(paid.predicted.ns() > 1e9, "the prediction is honest about the first run");
}

#[test]
fn a_boundary_moves_only_where_that_pays_for_the_bytes() {
    let devices = [candidate("cpu", 1.0, 0.0), candidate("gpu:0", 1.0, 0.0)];
    let mut faster = devices.clone();
    Arc::make_mut(&mut faster[1].rates).float = Rate::assumed(1e12);
    let split = Split::Axis(0);
    let grid = Grid { groups: [1000, 1, 1] };
    let earlier = cut(grid, 0, 0.52, &[(1, 1.0)]);
    // What a part has more than before must be uploaded: 1 MB a work-group.
    let moves = |part: &Assignment| {
        let before = earlier.iter().find(|a| a.device == part.device).map_or(0, |a| a.range.count());
        let more = part.range.count().saturating_sub(before);
        Moves { up: more as f64 * 1e6, ..Moves::default() }
    };
    let near = stick(&question(&devices, &split), plan(&question(&devices, &split)).unwrap(), earlier.clone(), moves);
    assert_eq!(near.assignments, earlier, "{}", near.reason);
    let free = |_: &Assignment| Moves::default();
    let far = stick(&question(&faster, &split), plan(&question(&faster, &split)).unwrap(), earlier.clone(), free);
    assert_ne!(far.assignments, earlier, "a much faster device is worth a move");
}

#[test]
fn every_cut_covers_the_grid_once() {
    for groups in [1, 2, 3, 64, 1001] {
        for share in [0.0, 0.1, 0.37, 0.5, 0.9, 1.0] {
            let grid = Grid { groups: [4, groups, 2] };
            let parts = cut(grid, 1, share, &[(1, 0.3), (2, 0.7)]);
            let count: u64 = parts.iter().map(|a| a.range.count()).sum();
            assert_eq!(count, u64::from(8 * groups), "{parts:?}");
        }
    }
}
