//! What a decision takes: the plan of a call made anew and remembered, with what was learned looked up.
//!
//! `cargo bench --no-default-features --bench plan`. The simulator charges these figures to every call.

use criterion::{Criterion, criterion_group, criterion_main};
use evener::{
    cost::{Cost, learn::Learned},
    schedule::{
        placement::Placement,
        plan::{Question, plan},
        remember::Remembered,
        sim::{machine::Machine, player::Player, workload},
    },
};
use std::hint::black_box;

const MACHINES: [(&str, &str); 3] = [
    ("no gpu", include_str!("../profiles/no-gpu.json")),
    ("one gpu", include_str!("../profiles/desktop-card.json")),
    ("two gpus", include_str!("../profiles/workstation-two-cards.json")),
];

fn decisions(c: &mut Criterion) {
    let workloads = workload::standard(evener_shaders::ALL).expect("valid");
    let saxpy = workloads.iter().find(|w| w.name == "saxpy").expect("there");
    for (name, text) in MACHINES {
        let machine = Machine::parse(text).expect("valid");
        let player = Player::new(&Player::calibrate(&machine, 1).expect("calibrated"));
        for (size, size_name) in [(0, "tiny"), (6, "large")] {
            let case = saxpy.case(size).expect("a grid");
            let mut group = c.benchmark_group(format!("{name}, {size_name}"));
            group.bench_function("candidates", |b| b.iter(|| black_box(player.candidates(&case, None))));
            let candidates = player.candidates(&case, None);
            let question = Question {
                grid: case.grid,
                split: &case.split,
                candidates: &candidates,
                adaptive: true,
                merge: Cost::ZERO,
                races: true,
                explore: Cost::ZERO,
                placement: Placement::Auto,
                strict: false,
            };
            group.bench_function("plan", |b| b.iter(|| black_box(plan(black_box(&question)))));
            let remembered = Remembered::default();
            group.bench_function("remembered", |b| b.iter(|| black_box(remembered.plan(1, black_box(&question)))));
            group.finish();
        }
    }
    let learned = Learned::default();
    let key = evener::cost::learn::Key { kernel: 1, device: 1, invocations: 1e6 };
    c.bench_function("estimate", |b| b.iter(|| black_box(learned.estimate(black_box(key)))));
}

criterion_group!(benches, decisions);
criterion_main!(benches);
