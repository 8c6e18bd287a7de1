//! What a decision takes, with what was learned looked up: made anew, and remembered.
//!
//! `cargo bench --no-default-features --bench plan`. The simulator charges these figures to every call.

use criterion::{Criterion, criterion_group, criterion_main};
use evener::schedule::sim::{machine::Machine, player::Player, workload};
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
            group.bench_function("anew", |b| b.iter(|| black_box(player.decide_anew(black_box(&case), None))));
            group.bench_function("remembered", |b| b.iter(|| black_box(player.decide(black_box(&case), None))));
            group.finish();
        }
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
