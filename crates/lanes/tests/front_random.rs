//! Random structured programs: the lowered kernel, run on the plain evaluator, against a direct interpretation.

mod lockstep;
mod random_flow;

use evener_lanes::Module;
use random_flow::{LANES, SLOTS, Statement, VARIABLES, program, source};

enum Flow {
    Next,
    Break,
    Continue,
    Return(u32),
}

struct Lane {
    v: [u32; VARIABLES],
    local: [u32; 8],
    out: [u32; SLOTS],
}

impl Lane {
    fn emit(&mut self, slot: usize, x: u32) {
        self.out[slot] = self.out[slot].wrapping_mul(3).wrapping_add(x);
    }

    fn run(&mut self, list: &[Statement]) -> Flow {
        for s in list {
            match self.step(s) {
                Flow::Next => {}
                jump => return jump,
            }
        }
        Flow::Next
    }

    fn step(&mut self, s: &Statement) -> Flow {
        match s {
            Statement::Assign(to, from, c) => {
                self.v[*to] = self.v[*to].wrapping_mul(5).wrapping_add(self.v[*from]).wrapping_add(*c);
            }
            Statement::Emit(slot, from) => self.emit(*slot, self.v[*from]),
            Statement::Local(a, b) => {
                let i = (self.v[*a] % 8) as usize;
                self.local[i] = self.local[i].wrapping_add(self.v[*b]);
                self.v[*a] = self.local[(self.v[*b] % 8) as usize];
            }
            Statement::If(a, c, then, other) => {
                return self.run(if self.v[*a].wrapping_add(*c) % 7 < 4 { then } else { other });
            }
            Statement::For(n, body) => {
                for _ in 0..*n {
                    match self.run(body) {
                        Flow::Break => break,
                        Flow::Return(x) => return Flow::Return(x),
                        Flow::Next | Flow::Continue => {}
                    }
                }
            }
            Statement::Loop(n, v, body) => {
                for _ in 0..*n {
                    match self.run(body) {
                        Flow::Break => break,
                        Flow::Return(x) => return Flow::Return(x),
                        Flow::Next | Flow::Continue => self.v[*v] = self.v[*v].wrapping_add(1),
                    }
                }
            }
            Statement::Switch(a, arms) => {
                let arm = [0, 2, 1, 2][(self.v[*a] % 4) as usize];
                return match self.run(&arms[arm]) {
                    Flow::Break => Flow::Next,
                    other => other,
                };
            }
            Statement::Break => return Flow::Break,
            Statement::Continue => return Flow::Continue,
            Statement::Return(a) => return Flow::Return(self.v[*a]),
        }
        Flow::Next
    }
}

/// What the program writes for one lane.
fn expected(body: &[Statement], lane: u32) -> [u32; SLOTS] {
    let mut out = [0; SLOTS];
    let mut last = 3;
    for call in 0..3u32 {
        let seed = lane + call * 11;
        let v = [seed, seed.wrapping_mul(7).wrapping_add(1), seed / 3, last];
        let mut state = Lane { v, local: [0; 8], out };
        let x = match state.run(body) {
            Flow::Return(x) => x,
            _ => {
                last = state.v[1];
                state.v[3]
            }
        };
        state.emit(call as usize, x.wrapping_add(last));
        out = state.out;
    }
    out
}

#[test]
fn random_control_flow_is_lowered_faithfully() {
    let mut lowered = 0;
    for seed in 0..200u64 {
        let body = program(seed);
        let source = source(&body);
        let module = Module::parse(&source).unwrap_or_else(|e| panic!("{e}\n{source}"));
        let kernel = module.lower("main").unwrap_or_else(|e| panic!("{e}\n{source}"));
        let mut buffers = vec![vec![0; LANES * SLOTS * 4]];
        lockstep::run(&kernel, &mut buffers, [1; 3]).unwrap_or_else(|e| panic!("{e}\n{source}\n{kernel}"));
        let found: Vec<u32> =
            buffers[0].chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().expect("4 bytes"))).collect();
        let wanted: Vec<u32> = (0..LANES as u32).flat_map(|lane| expected(&body, lane)).collect();
        assert_eq!(found, wanted, "seed {seed}\n{source}\n{kernel}");
        lowered += 1;
    }
    assert_eq!(lowered, 200);
}
