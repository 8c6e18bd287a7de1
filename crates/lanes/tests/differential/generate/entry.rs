//! The entry point: the grid, the own index, the body.

use super::{
    Generator,
    paths::{Root, Space},
};
use crate::ast::{Block, Function, Scalar, Stmt, Ty};

/// Work-group sizes: odd ones, and those that people use.
const SIZES: [[u32; 3]; 16] = [
    [1, 1, 1],
    [2, 1, 1],
    [7, 1, 1],
    [16, 1, 1],
    [17, 1, 1],
    [31, 1, 1],
    [32, 1, 1],
    [64, 1, 1],
    [64, 1, 1],
    [100, 1, 1],
    [256, 1, 1],
    [3, 5, 1],
    [8, 8, 1],
    [1, 9, 1],
    [4, 4, 4],
    [5, 1, 3],
];

impl Generator {
    /// Draws the work-group size and the grid.
    pub(super) fn grid(&mut self) {
        loop {
            self.size = *self.rng.pick(&SIZES);
            if self.size.iter().product::<u32>() <= self.options.invocations {
                break;
            }
        }
        if self.rng.chance(6) {
            self.size = [1; 3];
            return;
        }
        let few = if self.size.iter().product::<u32>() > 64 { 2 } else { 3 };
        self.program.groups = match self.rng.below(4) {
            0..=1 => [self.rng.range(1, few), 1, 1],
            2 => [self.rng.range(1, 2), self.rng.range(1, 2), 1],
            _ => [1, 1, self.rng.range(1, 2)],
        };
    }

    /// An expression that differs in all invocations of the grid.
    fn own_index(&mut self) -> String {
        let [x, y, _] = self.size;
        let [gx, gy, _] = self.program.groups;
        let (w, h) = (x * gx, y * gy);
        let lanes: u32 = self.size.iter().product();
        let total = self.invocations();
        let is_line = self.size[1..] == [1, 1] && self.program.groups[1..] == [1, 1];
        match self.rng.below(6) {
            0..=2 if is_line => "gid.x".into(),
            3 if is_line => format!("{}u - gid.x", total - 1),
            4 if is_line => format!("wid.x * {x}u + lid.x"),
            0..=1 => format!("gid.x + {w}u * (gid.y + {h}u * gid.z)"),
            2 => format!("gid.x + nwg.x * {x}u * (gid.y + nwg.y * {y}u * gid.z)"),
            3 => format!("gid.z + {}u * (gid.y + {h}u * gid.x)", self.size[2] * self.program.groups[2]),
            4 => format!("lidx + {lanes}u * (wid.x + {gx}u * (wid.y + {gy}u * wid.z))"),
            _ => format!("(gid.z * {h}u + gid.y) * {w}u + gid.x"),
        }
    }

    pub(super) fn entry(&mut self) {
        let [x, y, z] = self.size;
        let head = format!(
            "@compute @workgroup_size({x}, {y}, {z})\nfn main(@builtin(global_invocation_id) gid: vec3<u32>, \
             @builtin(local_invocation_id) lid: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>, \
             @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lidx: u32)"
        );
        let three = Ty::Vector(3, Scalar::U32);
        for (name, uniform) in [("gid", false), ("lid", false), ("wid", true), ("nwg", true)] {
            let mut root = Root::new(name, three.clone(), Space::Value);
            root.uniform = uniform;
            self.scope.push(root);
        }
        let one = Ty::Scalar(Scalar::U32);
        let own = self.own_index();
        let mut body = vec![
            Stmt::new(format!("let own = {own};"), vec![]).pinned(),
            Stmt::new("let group_seed = wid.x * 5u + wid.y * 3u + wid.z + nwg.x;", vec![]).pinned(),
        ];
        self.scope.push(Root::new("lidx", one.clone(), Space::Value));
        self.scope.push(Root::new("own", one.clone(), Space::Value));
        self.scope.push(Root::new("group_seed", one, Space::Value).uniform());
        self.scope.extend(self.own_roots.clone());
        self.statements = self.statements.max(6);
        if self.cooperative {
            self.open_shared();
            self.cooperate(&mut body, 2);
        } else {
            self.guarded(&mut body);
        }
        self.statements = u32::MAX;
        let outside = (0..self.scope.len()).rev().find(|i| self.scope[*i].space == Space::Buffer).map_or(0, |i| i + 1);
        for _ in 0..self.rng.range(2, 6) {
            self.refill();
            let kept = if self.rng.chance(80) { self.keep(outside) } else { self.assign() };
            body.extend(kept);
        }
        for root in self.scope.clone().iter().filter(|r| r.space == Space::Private) {
            body.extend(self.keep_root(root, outside));
        }
        self.program.functions.push(Function { head, body });
    }

    /// A body without barriers: a guard around it, an early return, or neither.
    fn guarded(&mut self, body: &mut Block) {
        self.may_return = true;
        let limit = self.rng.range(1, self.invocations());
        let guard = self.rng.below(5);
        if guard == 0 {
            body.push(Stmt::new(format!("if (own >= {limit}u) {{ return; }}"), vec![]));
        }
        let n = self.statements;
        if guard == 1 {
            let block = self.diverged(|s| s.block(n));
            body.push(Stmt::with(format!("if (own < {limit}u) @"), vec![], vec![block]));
        } else {
            self.diverged(|s| s.fill(body, n));
        }
        self.may_return = false;
    }

    /// A body with barriers, all in control flow that the group takes together.
    fn cooperate(&mut self, body: &mut Block, depth: u32) {
        for _ in 0..self.rng.range(2, 6) {
            self.refill();
            match self.rng.below(10) {
                0..=3 => {
                    let n = self.rng.range(1, 4);
                    self.fill(body, n);
                }
                4..=6 => self.barrier(body),
                7 => body.extend(self.leader()),
                8 if self.rng.chance(50) => {
                    let load = self.uniform_load();
                    body.extend(load);
                }
                _ if depth > 0 => self.together(body, depth - 1),
                _ => self.barrier(body),
            }
        }
    }

    /// An `if` or a loop that the whole group takes, with barriers inside and after it.
    fn together(&mut self, body: &mut Block, depth: u32) {
        self.only_uniform = true;
        let condition = self.condition();
        let bound = self.non_const(&Ty::Scalar(Scalar::U32));
        self.only_uniform = false;
        let trips = self.trips().filter(|_| self.rng.chance(50));
        let stmt = match trips {
            Some(trips) => {
                let name = self.name("k");
                let block = self.body(trips, |s| {
                    s.scoped(|s| {
                        s.scope.push(Root::new(name.clone(), Ty::Scalar(Scalar::U32), Space::Value).uniform());
                        let mut block = Block::new();
                        s.barrier(&mut block);
                        s.cooperate(&mut block, depth);
                        block
                    })
                });
                let (end, kids) = match self.rng.chance(50) {
                    true => (format!("{trips}u"), vec![]),
                    false => (format!("($ % {}u)", trips + 1), vec![bound]),
                };
                Stmt::with(format!("for (var {name} = 0u; {name} < {end}; {name}++) @"), kids, vec![block])
            }
            None => {
                let block = self.scoped(|s| {
                    let mut block = Block::new();
                    s.cooperate(&mut block, depth);
                    block
                });
                Stmt::with("if $ @", vec![condition], vec![block])
            }
        };
        body.push(stmt.pinned());
        self.barrier(body);
    }
}
