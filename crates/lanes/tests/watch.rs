//! Runs that are given up: they return well, say how far they came, and write nothing outside of what they ran.

use evener_lanes::{Buffer, Engine, Grid, GroupRange, Level, Module, Program, Settings, run::Watch};

const SOURCE: &str = "
    @group(0) @binding(0) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u) {
        var v = id.x;
        for (var k = 0u; k < 500u; k++) { v = v * 3u + 1u; }
        y[id.x] = v | 1u;
    }";

fn program(engine: Engine) -> Program {
    let kernel = Module::parse(SOURCE).unwrap().lower("main").unwrap();
    Program::with(kernel, &Settings::default().engine(engine)).unwrap()
}

fn run(program: &Program, y: &mut [u32], watch: &Watch) {
    let grid = Grid { groups: [(y.len() / 64) as u32, 1, 1] };
    program.run_watched(&[Buffer::write(bytemuck::cast_slice_mut(y))], grid, GroupRange::all(grid), watch).unwrap();
}

#[test]
fn a_run_that_is_watched_to_its_end_is_complete() {
    for engine in [Engine::Auto, Engine::Interpreter(Level::Baseline)] {
        let (mut y, watch) = (vec![0; 1 << 14], Watch::default());
        run(&program(engine), &mut y, &watch);
        assert!(watch.is_complete() && !watch.is_stopped() && y.iter().all(|v| *v != 0));
    }
}

#[test]
fn a_run_told_to_stop_before_it_begins_does_next_to_nothing() {
    let (mut y, watch) = (vec![0; 1 << 20], Watch::default());
    let program = program(Engine::Interpreter(Level::Baseline));
    // What a batch takes is known from here on, so that the next run goes over the pool.
    run(&program, &mut y[..1 << 14], &Watch::default());
    watch.stop();
    y.fill(0);
    run(&program, &mut y, &watch);
    assert!(!watch.is_complete() && watch.part() < 0.5, "{}", watch.part());
    assert!(y.contains(&0));
}

#[test]
fn a_run_stopped_from_another_thread_has_ended_as_much_as_it_says() {
    let program = program(Engine::Interpreter(Level::Baseline));
    let (mut y, watch) = (vec![0; 1 << 22], Watch::default());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while watch.part() == 0.0 {
                std::thread::yield_now();
            }
            watch.stop();
        });
        run(&program, &mut y, &watch);
    });
    let written = y.iter().filter(|v| **v != 0).count() as f64 / y.len() as f64;
    // A batch may be cut off in its middle: what it wrote does not count.
    assert!(written >= watch.part() - 1e-9, "{written} of it written, {} said", watch.part());
}
