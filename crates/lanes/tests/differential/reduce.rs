//! Makes a failing program small: leaves out statements, declarations and operands as long as it fails alike.

use crate::ast::{Block, Expr, Program, Stmt, Ty};

/// Candidates tried at most.
const TRIES: usize = 10_000;

/// A smaller program that still fails, by the word of `fails`.
pub fn reduce(program: &Program, fails: &mut dyn FnMut(&Program) -> bool) -> Program {
    let mut best = program.clone();
    let mut tries = 0;
    loop {
        let before = best.source().len();
        for step in [statements, expressions, declarations, grid] {
            let mut at = 0;
            // A step takes the best program and a position; it gives none past the last one.
            while tries < TRIES {
                let Some(candidate) = step(&best, at) else { break };
                tries += 1;
                if fails(&candidate) {
                    best = candidate;
                } else {
                    at += 1;
                }
            }
        }
        if best.source().len() >= before || tries >= TRIES {
            return best;
        }
    }
}

/// The program without its statement at a position, or with it replaced by one of its blocks.
fn statements(program: &Program, at: usize) -> Option<Program> {
    let mut program = program.clone();
    let mut left = at;
    for f in program.functions.iter_mut().rev() {
        if change_block(&mut f.body, &mut left) {
            return Some(program);
        }
    }
    None
}

/// Applies the change at a position, counted from the last statement; whether it was in this block.
fn change_block(block: &mut Block, left: &mut usize) -> bool {
    for i in (0..block.len()).rev() {
        if !block[i].pinned {
            if *left == 0 {
                block.remove(i);
                return true;
            }
            *left -= 1;
            for b in 0..block[i].blocks.len() {
                if *left == 0 {
                    let inner = std::mem::take(&mut block[i].blocks[b]);
                    block.splice(i..=i, inner);
                    return true;
                }
                *left -= 1;
            }
        }
        if block[i].blocks.iter_mut().any(|b| change_block(b, left)) {
            return true;
        }
    }
    false
}

/// The program with one operand replaced by a part of it or by zero.
fn expressions(program: &Program, at: usize) -> Option<Program> {
    let mut program = program.clone();
    let mut left = at;
    for f in program.functions.iter_mut().rev() {
        if change_operands(&mut f.body, &mut left) {
            return Some(program);
        }
    }
    None
}

fn change_operands(block: &mut Block, left: &mut usize) -> bool {
    block.iter_mut().rev().any(|stmt: &mut Stmt| {
        stmt.kids.iter_mut().any(|e| change_expr(e, left)) || stmt.blocks.iter_mut().any(|b| change_operands(b, left))
    })
}

fn change_expr(expr: &mut Expr, left: &mut usize) -> bool {
    if !expr.pinned {
        let mut parts = Vec::new();
        parts_of_type(expr, &expr.ty, &mut parts);
        if *left < parts.len() {
            *expr = parts[*left].clone();
            return true;
        }
        *left -= parts.len();
        if !expr.kids.is_empty() || !expr.is_const {
            if *left == 0 {
                *expr = Expr::literal(expr.ty.clone(), format!("{}()", expr.ty));
                return true;
            }
            *left -= 1;
        }
    }
    expr.kids.iter_mut().any(|kid| change_expr(kid, left))
}

/// The operands inside an expression that have its type.
fn parts_of_type<'e>(expr: &'e Expr, ty: &Ty, parts: &mut Vec<&'e Expr>) {
    for kid in &expr.kids {
        if kid.ty == *ty {
            parts.push(kid);
        } else {
            parts_of_type(kid, ty, parts);
        }
    }
}

/// The program without one function, declaration or buffer.
fn declarations(program: &Program, at: usize) -> Option<Program> {
    let mut program = program.clone();
    // The entry point comes last and stays.
    let functions = program.functions.len() - 1;
    let declarations = program.declarations.len();
    if at < functions {
        program.functions.remove(functions - 1 - at);
    } else if at < functions + declarations {
        let gone = program.declarations.remove(functions + declarations - 1 - at);
        program.overrides.retain(|(name, _)| !gone.contains(&format!("override {name}:")));
    } else if at < functions + declarations + program.buffers.len() {
        program.buffers.remove(functions + declarations + program.buffers.len() - 1 - at);
    } else {
        return None;
    }
    Some(program)
}

/// The program on a smaller grid.
fn grid(program: &Program, at: usize) -> Option<Program> {
    let mut program = program.clone();
    let groups = program.groups.get_mut(at)?;
    if *groups > 1 {
        *groups -= 1;
    }
    Some(program)
}
