//! Lays a function out for the allocator.

use super::mir::{Function, Node};
use regalloc2::{Block, Operand, OperandKind, VReg};

/// A register that no block has named yet.
const NOWHERE: u32 = u32::MAX;
/// A register that several blocks name.
const EVERYWHERE: u32 = u32::MAX - 1;

/// How far the search that orders blocks has come with one.
#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    /// What it leads to is being visited.
    Open,
    Done,
}

impl Function {
    /// Lays the instructions of all blocks out in one list, without blocks that nothing leads to and
    /// instructions that nothing needs.
    pub(super) fn seal(&mut self) {
        self.order();
        self.drop_dead();
        let numbers = self.renumber();
        let renamed = |v: VReg| VReg::new(numbers[v.vreg()] as usize, v.class());
        for (node, list) in self.nodes.iter_mut().zip(std::mem::take(&mut self.lists)) {
            node.params.iter_mut().chain(&mut node.args).for_each(|v| *v = renamed(*v));
            node.first = self.kinds.len() as u32;
            for (kind, operands) in list {
                self.kinds.push(kind);
                self.starts.push(self.operands.len() as u32);
                let operands = at(&self.loose, &operands).iter();
                self.operands
                    .extend(operands.map(|o| Operand::new(renamed(o.vreg()), o.constraint(), o.kind(), o.pos())));
            }
            node.end = self.kinds.len() as u32;
        }
        self.starts.push(self.operands.len() as u32);
    }

    /// Puts blocks into an order in which each comes after all that lead to it, but for jumps back to the head of a loop,
    /// and loops are in one piece: the allocator takes a jump back for the end of a loop, and what lives from the first
    /// block to the last one of a piece has one range. Drops blocks that nothing leads to.
    fn order(&mut self) {
        let mut number: Vec<Option<usize>> = vec![None; self.nodes.len()];
        for (n, b) in self.reverse_postorder().into_iter().enumerate() {
            number[b] = Some(n);
        }
        let rename = |b: &Block| number[b.index()].map(Block::new);
        let count = number.iter().flatten().count();
        let mut nodes: Vec<Node> = vec![Node::default(); count];
        let mut lists = vec![Vec::new(); count];
        let old = std::mem::take(&mut self.nodes).into_iter().zip(std::mem::take(&mut self.lists));
        for ((mut node, list), n) in old.zip(&number) {
            if let Some(n) = n {
                node.succs = node.succs.iter().filter_map(rename).collect();
                node.preds = node.preds.iter().filter_map(rename).collect();
                nodes[*n] = node;
                lists[*n] = list;
            }
        }
        (self.nodes, self.lists) = (nodes, lists);
        self.lay_out();
    }

    /// The blocks that the first one leads to, in reverse postorder.
    fn reverse_postorder(&self) -> Vec<usize> {
        let mut state = vec![State::New; self.nodes.len()];
        let (mut order, mut path) = (Vec::new(), Vec::new());
        state[0] = State::Open;
        path.push((0, self.by_rank(0, &state)));
        while let Some((b, todo)) = path.last_mut() {
            match todo.pop() {
                Some(s) if state[s] == State::New => {
                    state[s] = State::Open;
                    path.push((s, self.by_rank(s, &state)));
                }
                Some(_) => {}
                None => {
                    state[*b] = State::Done;
                    order.push(*b);
                    path.pop();
                }
            }
        }
        order.reverse();
        order
    }

    /// What a block leads to, what is to come last at the end: what is visited first comes last.
    fn by_rank(&self, block: usize, state: &[State]) -> Vec<usize> {
        let rank = |b: usize| {
            let node = &self.nodes[b];
            match node.succs.as_slice() {
                // A jump back ends the loop.
                [to] if self.lists[b].len() == 1 && state[to.index()] == State::Open => 0,
                _ if node.cold => 3,
                _ if node.later => 2,
                _ => 1,
            }
        };
        let mut succs: Vec<usize> = self.nodes[block].succs.iter().map(|s| s.index()).collect();
        succs.sort_by_key(|s| rank(*s));
        succs
    }

    /// Finds an order for the code in which most blocks run into the next and cold ones come last.
    fn lay_out(&mut self) {
        let mut placed = vec![false; self.nodes.len()];
        let (mut todo, mut cold) = (vec![0], Vec::new());
        while let Some(start) = todo.pop().or_else(|| cold.pop()) {
            let mut at = Some(start);
            while let Some(b) = at.filter(|b| !placed[*b]) {
                placed[b] = true;
                self.layout.push(b as u32);
                let succs = || self.nodes[b].succs.iter().map(|s| s.index());
                let open = |s: &usize| !placed[*s] && !self.nodes[*s].cold;
                at = succs().filter(open).min_by_key(|s| self.nodes[*s].later);
                for s in succs().filter(|s| at != Some(*s)).collect::<Vec<_>>().into_iter().rev() {
                    if self.nodes[s].cold { cold.push(s) } else { todo.push(s) }
                }
            }
        }
    }

    /// Numbers registers anew: first those that more than one block sees, then those of one block, block by block. The
    /// allocator keeps sets of what is alive as words of 64 numbers, and few words are searched and joined fast. The new
    /// number of each.
    fn renumber(&mut self) -> Vec<u32> {
        let mut homes = vec![NOWHERE; self.vregs];
        let mut seen: Vec<VReg> = Vec::new();
        for (b, (node, list)) in self.nodes.iter().zip(&self.lists).enumerate() {
            let operands = list.iter().flat_map(|(_, range)| at(&self.loose, range)).map(|o| o.vreg());
            for v in node.params.iter().copied().chain(operands).chain(node.args.iter().copied()) {
                let home = &mut homes[v.vreg()];
                match *home {
                    NOWHERE => {
                        *home = b as u32;
                        seen.push(v);
                    }
                    known if known != b as u32 => *home = EVERYWHERE,
                    _ => {}
                }
            }
        }
        let (crossing, local): (Vec<VReg>, Vec<VReg>) = seen.iter().partition(|v| homes[v.vreg()] == EVERYWHERE);
        self.vregs = seen.len();
        let mut numbers = homes;
        for (n, v) in crossing.into_iter().chain(local).enumerate() {
            numbers[v.vreg()] = n as u32;
        }
        numbers
    }

    /// Drops instructions without effects whose results are unused, and parameters that only feed themselves.
    fn drop_dead(&mut self) {
        let mut live = vec![false; self.vregs];
        let mut makers: Vec<Option<(u32, u32)>> = vec![None; self.vregs];
        // What is passed for each parameter: the last one, and the one before each.
        let mut fed: Vec<u32> = vec![u32::MAX; self.vregs];
        let mut feeds: Vec<(VReg, u32)> = Vec::new();
        let mut todo: Vec<VReg> = Vec::new();
        for (b, list) in self.lists.iter().enumerate() {
            for (i, (kind, operands)) in list.iter().enumerate() {
                let operands = at(&self.loose, operands);
                let effects = kind.has_effects() || operands.iter().all(|o| o.kind() == OperandKind::Use);
                for o in operands {
                    match o.kind() {
                        OperandKind::Def => makers[o.vreg().vreg()] = Some((b as u32, i as u32)),
                        OperandKind::Use if effects => todo.push(o.vreg()),
                        OperandKind::Use => {}
                    }
                }
            }
            let node = &self.nodes[b];
            for s in &node.succs {
                for (param, arg) in self.nodes[s.index()].params.iter().zip(&node.args) {
                    let before = std::mem::replace(&mut fed[param.vreg()], feeds.len() as u32);
                    feeds.push((*arg, before));
                }
            }
        }
        while let Some(v) = todo.pop() {
            if std::mem::replace(&mut live[v.vreg()], true) {
                continue;
            }
            let mut feed = fed[v.vreg()];
            while let Some((arg, before)) = feeds.get(feed as usize) {
                todo.push(*arg);
                feed = *before;
            }
            if let Some((b, i)) = makers[v.vreg()] {
                let (_, operands) = &self.lists[b as usize][i as usize];
                todo.extend(
                    at(&self.loose, operands).iter().filter(|o| o.kind() == OperandKind::Use).map(|o| o.vreg()),
                );
            }
        }
        for list in &mut self.lists {
            list.retain(|(kind, operands)| {
                let operands = at(&self.loose, operands);
                let unused = |o: &Operand| o.kind() == OperandKind::Use || !live[o.vreg().vreg()];
                kind.has_effects()
                    || operands.iter().all(|o| o.kind() == OperandKind::Use)
                    || !operands.iter().all(unused)
            });
        }
        let keep: Vec<Vec<bool>> =
            self.nodes.iter().map(|n| n.params.iter().map(|p| live[p.vreg()]).collect()).collect();
        for node in &mut self.nodes {
            if let (Some(s), 1) = (node.succs.first(), node.succs.len()) {
                let mut kept = keep[s.index()].iter();
                node.args.retain(|_| kept.next().copied().unwrap_or(true));
            }
        }
        for (node, keep) in self.nodes.iter_mut().zip(&keep) {
            let mut kept = keep.iter();
            node.params.retain(|_| kept.next().copied().unwrap_or(true));
        }
    }
}

/// The operands in a range.
fn at<'o>(operands: &'o [Operand], range: &std::ops::Range<u32>) -> &'o [Operand] {
    &operands[range.start as usize..range.end as usize]
}
