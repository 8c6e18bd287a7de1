//! Random WGSL programs of all kinds of control flow.

use std::fmt::Write;

/// Local variables `v0`..; parameters start as functions of the lane and the call.
pub const VARIABLES: usize = 4;
/// Words of output of a lane.
pub const SLOTS: usize = 4;
pub const LANES: usize = 8;

#[derive(Clone, Debug)]
pub enum Statement {
    /// `v[to] = v[to] * 5 + v[from] + constant`
    Assign(usize, usize, u32),
    /// `out[slot] = out[slot] * 3 + v[from]`
    Emit(usize, usize),
    /// `if ((v[a] + constant) % n < m) { .. } else { .. }`
    If(usize, u32, Vec<Statement>, Vec<Statement>),
    /// `for (var k = 0; k < n; k++)`
    For(u32, Vec<Statement>),
    /// `loop { .. continuing { v[i] += 1; k++; break if k >= n; } }`
    Loop(u32, usize, Vec<Statement>),
    /// `switch v[a] % 4 { case 0 .. case 1, 3 .. default .. }`
    Switch(usize, Vec<Vec<Statement>>),
    /// `local[v[a] % 8] += v[b]; v[a] = local[v[b] % 8]`
    Local(usize, usize),
    Break,
    Continue,
    /// `return v[a];`
    Return(usize),
}

/// Random numbers: the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as u32) % n
    }

    fn variable(&mut self) -> usize {
        self.below(VARIABLES as u32) as usize
    }
}

/// What jumps are legal.
#[derive(Clone, Copy)]
struct Inside {
    breakable: bool,
    looping: bool,
}

fn block(r: &mut Random, depth: u32, inside: Inside) -> Vec<Statement> {
    let mut list: Vec<Statement> = (0..1 + r.below(4)).map(|_| statement(r, depth, inside)).collect();
    match r.below(8) {
        0 | 1 if inside.breakable => list.push(Statement::Break),
        2 | 3 if inside.looping => list.push(Statement::Continue),
        4 if depth > 0 => list.push(Statement::Return(r.variable())),
        _ => {}
    }
    list
}

fn statement(r: &mut Random, depth: u32, inside: Inside) -> Statement {
    let kind = if depth >= 4 { r.below(4) } else { r.below(11) };
    let in_loop = Inside { breakable: true, looping: true };
    match kind {
        0 | 1 => Statement::Assign(r.variable(), r.variable(), r.below(100)),
        2 => Statement::Emit(r.below(SLOTS as u32) as usize, r.variable()),
        3 => Statement::Local(r.variable(), r.variable()),
        4..=6 => {
            let (a, c) = (r.variable(), r.below(100));
            let other = if r.below(2) == 0 { Vec::new() } else { block(r, depth + 1, inside) };
            Statement::If(a, c, block(r, depth + 1, inside), other)
        }
        7 => Statement::For(1 + r.below(4), block(r, depth + 1, in_loop)),
        8 => Statement::Loop(1 + r.below(4), r.variable(), block(r, depth + 1, in_loop)),
        _ => {
            let inside = Inside { breakable: true, ..inside };
            Statement::Switch(r.variable(), (0..3).map(|_| block(r, depth + 1, inside)).collect())
        }
    }
}

/// WGSL text; `next` numbers loop counters.
fn print(list: &[Statement], text: &mut String, next: &mut u32) {
    for s in list {
        match s {
            Statement::Assign(to, from, c) => writeln!(text, "v{to} = v{to} * 5u + v{from} + {c}u;"),
            Statement::Emit(slot, from) => writeln!(text, "emit({slot}u, v{from});"),
            Statement::Local(a, b) => {
                writeln!(text, "local[v{a} % 8u] += v{b}; v{a} = local[v{b} % 8u];")
            }
            Statement::If(a, c, then, other) => {
                writeln!(text, "if ((v{a} + {c}u) % 7u < 4u) {{").ok();
                print(then, text, next);
                if !other.is_empty() {
                    writeln!(text, "}} else {{").ok();
                    print(other, text, next);
                }
                writeln!(text, "}}")
            }
            Statement::For(n, body) => {
                *next += 1;
                writeln!(text, "for (var k{next} = 0u; k{next} < {n}u; k{next}++) {{").ok();
                print(body, text, next);
                writeln!(text, "}}")
            }
            Statement::Loop(n, v, body) => {
                *next += 1;
                let k = *next;
                writeln!(text, "var k{k} = 0u; loop {{ {{").ok();
                print(body, text, next);
                writeln!(text, "}} continuing {{ v{v} += 1u; k{k}++; break if k{k} >= {n}u; }} }}")
            }
            Statement::Switch(a, arms) => {
                writeln!(text, "switch v{a} % 4u {{").ok();
                for (label, arm) in ["case 0u", "default", "case 1u, 3u"].iter().zip(arms) {
                    writeln!(text, "{label}: {{").ok();
                    print(arm, text, next);
                    writeln!(text, "}}").ok();
                }
                writeln!(text, "}}")
            }
            Statement::Break => writeln!(text, "break;"),
            Statement::Continue => writeln!(text, "continue;"),
            Statement::Return(a) => writeln!(text, "return v{a};"),
        }
        .ok();
    }
}

/// The whole program.
pub fn source(body: &[Statement]) -> String {
    let mut text = String::new();
    print(body, &mut text, &mut 0);
    format!(
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        var<private> lane: u32;
        fn emit(slot: u32, x: u32) {{
            let i = lane * {SLOTS}u + slot;
            if (i >= arrayLength(&out)) {{ return; }}
            out[i] = out[i] * 3u + x;
        }}
        fn program(seed: u32, last: ptr<function, u32>) -> u32 {{
            var v0 = seed; var v1 = seed * 7u + 1u; var v2 = seed / 3u; var v3 = *last;
            var local: array<u32, 8>;
            {text}
            *last = v1;
            return v3;
        }}
        @compute @workgroup_size({LANES})
        fn main(@builtin(local_invocation_index) index: u32) {{
            lane = index;
            var last = 3u;
            for (var call = 0u; call < 3u; call++) {{
                let x = program(index + call * 11u, &last);
                emit(call, x + last);
            }}
        }}"
    )
}

/// The statements of a program, by seed.
pub fn program(seed: u64) -> Vec<Statement> {
    let mut r = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    block(&mut r, 0, Inside { breakable: false, looping: false })
}
