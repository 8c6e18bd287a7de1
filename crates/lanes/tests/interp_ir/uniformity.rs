//! Which values the lanes of a batch share.

use crate::build::Build;
use evener_lanes::{
    analysis::uniformity::{BatchShape, Uniformity},
    ir::*,
};
use naga::Span;

const SHAPES: [BatchShape; 3] = [BatchShape::Row, BatchShape::Group, BatchShape::Linear];

fn uniform(kernel: &Kernel, shape: BatchShape, values: &[Value]) -> Vec<bool> {
    let uniformity = Uniformity::new(kernel, shape);
    values.iter().map(|v| uniformity.is_uniform(*v)).collect()
}

fn if_(b: &mut Build, cond: Value, [then, other]: [Value; 2]) -> Value {
    let dst = b.value(b.kernel.values[then.index()]);
    let phis = vec![Phi { dst, then, other }];
    let (then, other) = (Region::default(), Region::default());
    b.push(Inst::If { cond, then, other, phis, span: Span::UNDEFINED });
    dst
}

#[test]
fn the_shape_of_a_batch_decides_which_inputs_are_uniform() {
    use Builtin::*;
    let inputs = [GlobalId(0), GlobalId(1), LocalId(0), LocalId(1), LocalIndex, GroupId(0), GroupId(2), NumGroups(0)];
    let expect = |size: [u32; 3], shape: BatchShape, expected: [bool; 8]| {
        let mut b = Build::new(size);
        let values = inputs.map(|i| b.op(Ty::U32, Op::Builtin(i)));
        assert_eq!(uniform(&b.done(), shape, &values), expected, "{size:?} {shape:?}");
    };
    let (t, f) = (true, false);
    expect([8, 4, 1], BatchShape::Row, [f, t, f, t, f, f, t, t]);
    expect([8, 4, 1], BatchShape::Group, [f, f, f, f, f, t, t, t]);
    expect([8, 4, 1], BatchShape::Linear, [f, f, f, f, f, f, f, t]);
    expect([1, 1, 1], BatchShape::Group, [t; 8]);
    expect([1, 1, 1], BatchShape::Row, [f, t, t, t, t, f, t, t]);
    expect([1, 1, 1], BatchShape::Linear, [f, f, t, t, t, f, f, t]);
}

#[test]
fn loads_are_as_uniform_as_their_index_but_private_memory_is_each_lanes_own() {
    let mut b = Build::new([64, 1, 1]);
    let a = b.array("a", 4);
    b.kernel.private.push(Variable { name: "p".into(), bytes: 4 });
    let (i, zero) = (b.gid(0), b.u32(0));
    let (same, own) = (b.load(Ty::U32, a, zero), b.load(Ty::U32, a, i));
    let private = b.op(Ty::U32, Op::Load(Place { base: Base::Private(0), offset: 0, steps: vec![] }));
    let sum = b.binary(BinaryOp::Add, same, zero);
    let mixed = b.binary(BinaryOp::Add, same, own);
    let values = [same, own, private, sum, mixed];
    assert_eq!(uniform(&b.done(), BatchShape::Row, &values), [true, false, false, true, false]);
}

#[test]
fn an_atomic_gives_each_lane_its_own_old_value() {
    let mut b = Build::new([64, 1, 1]);
    let a = b.array("a", 4);
    let zero = b.u32(0);
    let atomic = |b: &mut Build, op: AtomicOp| {
        let (dst, place) = (b.value(Ty::U32), b.at(a, zero));
        b.push(Inst::Atomic { dst: Some(dst), op, place, value: zero, compare: None, span: Span::UNDEFINED });
        dst
    };
    let values = [atomic(&mut b, AtomicOp::Add), atomic(&mut b, AtomicOp::Load), atomic(&mut b, AtomicOp::Exchange)];
    assert_eq!(uniform(&b.done(), BatchShape::Row, &values), [false, true, false]);
}

#[test]
fn a_merge_needs_a_uniform_condition_too() {
    let mut b = Build::new([64, 1, 1]);
    let (i, n) = (b.gid(0), b.op(Ty::U32, Op::Builtin(Builtin::NumGroups(0))));
    let (one, two) = (b.u32(1), b.u32(2));
    let (own, same) = (b.binary(BinaryOp::Lt, i, two), b.binary(BinaryOp::Lt, n, two));
    let values = [
        if_(&mut b, own, [one, two]),
        if_(&mut b, same, [one, two]),
        if_(&mut b, same, [one, i]),
        b.op(Ty::U32, Op::Select { cond: own, accept: one, reject: one }),
    ];
    assert_eq!(uniform(&b.done(), BatchShape::Row, &values), [false, true, false, false]);
}

/// `do { n += 1 } while n < limit`: the counter inside and what it ends with.
fn counter(limit: impl Fn(&mut Build) -> Value) -> (Kernel, [Value; 2]) {
    let mut b = Build::new([64, 1, 1]);
    let (limit, zero, one) = (limit(&mut b), b.u32(0), b.u32(1));
    let (n, result) = (b.value(Ty::U32), b.value(Ty::U32));
    b.begin();
    let next = b.binary(BinaryOp::Add, n, one);
    let again = b.binary(BinaryOp::Lt, next, limit);
    let body = b.end();
    let params = vec![Param { dst: n, init: zero, next, result }];
    b.push(Inst::Loop { params, body, again, span: Span::UNDEFINED });
    (b.done(), [n, result])
}

#[test]
fn the_counter_of_a_divergent_loop_is_uniform_inside_but_not_after_it() {
    let (kernel, values) = counter(|b| b.gid(0));
    assert_eq!(uniform(&kernel, BatchShape::Row, &values), [true, false]);
    let (kernel, values) = counter(|b| b.u32(9));
    for shape in SHAPES {
        assert_eq!(uniform(&kernel, shape, &values), [true, true]);
    }
}

#[test]
fn what_varies_reaches_a_parameter_over_several_iterations() {
    // a <- b <- c <- id: `a` varies from the fourth iteration on.
    let mut b = Build::new([64, 1, 1]);
    let (i, zero, one, limit) = (b.gid(0), b.u32(0), b.u32(1), b.u32(10));
    let values: [Value; 4] = std::array::from_fn(|_| b.value(Ty::U32));
    let [x, y, z, n] = values;
    b.begin();
    let next = b.binary(BinaryOp::Add, n, one);
    let again = b.binary(BinaryOp::Lt, next, limit);
    let body = b.end();
    let param = |b: &mut Build, dst: Value, next: Value| Param { dst, init: zero, next, result: b.value(Ty::U32) };
    let params = vec![param(&mut b, x, y), param(&mut b, y, z), param(&mut b, z, i), param(&mut b, n, next)];
    b.push(Inst::Loop { params, body, again, span: Span::UNDEFINED });
    assert_eq!(uniform(&b.done(), BatchShape::Row, &values), [false, false, false, true]);
}
