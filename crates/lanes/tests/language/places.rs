//! Errors name the line of the source and show it.

use super::support::*;
use evener_lanes::{Buffer, Error, ErrorKind, Grid, GroupRange, Program, Settings};

/// The errors of running `main` on one buffer of words by every engine.
fn failures(source: &str, words: usize) -> Vec<Error> {
    let kernel = compile(source).unwrap_or_else(|e| panic!("{e}"));
    let fails = |engine| {
        let program = Program::with(kernel.clone(), &Settings::default().engine(engine).fuel(20_000)).unwrap();
        let mut memory = vec![0u8; 4 * words];
        let grid = Grid { groups: [3, 1, 1] };
        program.run(&[Buffer::write(&mut memory)], grid, GroupRange::all(grid)).expect_err("it cannot end well")
    };
    engines().into_iter().map(fails).collect()
}

/// [`failures`], which are all the same.
fn fails(source: &str, words: usize) -> Error {
    let mut errors = failures(source, words).into_iter();
    let first = errors.next().expect("an engine");
    errors.for_each(|e| assert_eq!(e.to_string(), first.to_string()));
    first
}

#[track_caller]
fn shows(error: &Error, kind: ErrorKind, line: u32, text: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.location().map(|l| l.line), Some(line), "{error}");
    let shown = error.to_string();
    let mut lines = shown.lines().skip_while(|l| !l.starts_with(&format!("{line} │ ")));
    let (source, caret) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    assert!(source.contains(text) && caret.contains('^'), "{shown}");
    let column = caret.chars().position(|c| c == '^').expect("a caret");
    assert!(source.chars().skip(column).collect::<String>().starts_with(text), "{shown}");
}

#[test]
fn an_endless_loop_is_named() {
    let source = "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
        fn spin(n: u32) {
            for (var i = 0u; i < n; i++) { a[i] += 1u; }
            while a[0] != 1u { a[1] += 1u; }
        }
        @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) l: u32) {
            for (var k = 0u; k < 2u; k++) { spin(9u + l * 0u); }
        }";
    shows(&fails(source, 2), ErrorKind::OutOfFuel, 4, "while a[0] != 1u");
}

#[test]
fn of_nested_loops_the_endless_one_is_named() {
    for inner in ["k < 200u", "k < 200u + l"] {
        let source = format!(
            "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
             @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) l: u32) {{
                 loop {{
                     for (var k = 0u; {inner}; k++) {{ a[k] += 1u; }}
                     if (a[0] == 0xffffffffu) {{ break; }}
                 }}
             }}"
        );
        // The interpreter names the loop that made most iterations, machine code the one that ran out.
        for error in failures(&source.replace("200u", "20u"), 1) {
            match error.location().map(|l| l.line) {
                Some(4) => shows(&error, ErrorKind::OutOfFuel, 4, "for (var k"),
                _ => shows(&error, ErrorKind::OutOfFuel, 3, "loop {"),
            }
        }
    }
}

#[test]
fn a_barrier_reached_by_a_part_is_named() {
    let source = "var<workgroup> w: array<u32, 64>;
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) l: u32) {
            w[l] = l; workgroupBarrier();
            if (l < 40u) {
                a[l] = w[63u - l]; workgroupBarrier();
            }
        }";
    shows(&fails(source, 64), ErrorKind::NonUniformBarrier, 6, "workgroupBarrier()");
    let load = source.replace("a[l] = w[63u - l]; workgroupBarrier();", "a[l] = workgroupUniformLoad(&w[3]);");
    shows(&fails(&load, 64), ErrorKind::NonUniformBarrier, 6, "workgroupUniformLoad(&w[3])");
}

#[test]
fn what_is_unsupported_or_too_large_is_named() {
    let texture = "@group(0) @binding(0) var image: texture_2d<f32>;
        @group(0) @binding(1) var<storage, read_write> a: array<f32>;
        @compute @workgroup_size(1) fn main() { a[0] = textureLoad(image, vec2(0, 0), 0).x; }";
    let error = compile(texture).expect_err("a texture");
    shows(&error, ErrorKind::Unsupported, 1, "var image: texture_2d<f32>");
    let large = "fn f() {
            var big: array<u32, 10000000>;
            big[big[1]] = 1u;
        }
        @compute @workgroup_size(1) fn main() { f(); }";
    shows(&compile(large).expect_err("large"), ErrorKind::TooLarge, 2, "var big");
    let nested = format!("@compute @workgroup_size(1) fn main() {{\n{}\n}}", "(".repeat(10_000));
    shows(&compile(&nested).expect_err("deep"), ErrorKind::TooLarge, 2, "(");
}
