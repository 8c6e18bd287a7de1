//! Which test runs each thing that naga's IR can hold, and with which words the rest is refused. The matches have no
//! wildcards: what a new naga adds does not compile here until it is decided on.

#![allow(dead_code, reason = "the compiler reads the matches, and a test the names in them")]

use super::support::*;
use evener_lanes::ErrorKind;
use naga::{
    AddressSpace as Space, BuiltIn, CollectiveOperation, Direction, Expression, GatherMode, Statement,
    SubgroupOperation, TypeInner,
};

/// What becomes of something.
enum Verdict {
    /// A test of this name runs it.
    Runs(&'static str),
    /// It is refused with these words.
    Refused(&'static str),
    /// naga's validator keeps it out of compute entry points, or WGSL has no way to write it.
    Absent,
}
use Verdict::{Absent, Refused, Runs};

const TEXTURE: Verdict = Refused("is a texture");
const RAYS: Verdict = Refused("ray tracing");
const COOPERATIVE: Verdict = Refused("a cooperative matrix");

fn expression(expression: &Expression) -> Verdict {
    use Expression as E;
    match expression {
        E::Literal(_) | E::Constant(_) | E::ZeroValue(_) => Runs("literals_constants_and_zero_values"),
        E::Override(_) => Runs("overrides_size_arrays_and_groups_and_join_expressions"),
        E::Compose { .. } | E::Access { .. } | E::AccessIndex { .. } | E::Splat { .. } | E::Swizzle { .. } => {
            Runs("composites_are_built_and_taken_apart")
        }
        E::FunctionArgument(_) | E::GlobalVariable(_) | E::LocalVariable(_) | E::Load { .. } | E::CallResult(_) => {
            Runs("pointers_lead_to_what_they_were_made_from")
        }
        E::ImageSample { .. } | E::ImageLoad { .. } | E::ImageQuery { .. } => TEXTURE,
        E::Unary { .. } | E::Binary { .. } => Runs("integer_operators_are_total_in_every_width"),
        E::Select { .. } | E::Relational { .. } => Runs("bools_and_vectors_of_bools_have_their_operators"),
        E::Derivative { .. } => Absent,
        E::Math { .. } => Runs("every_function_is_called_by_a_test"),
        E::As { .. } => Runs("every_scalar_converts_to_every_other"),
        E::AtomicResult { .. } => Runs("results_are_the_old_values_lane_by_lane"),
        E::WorkGroupUniformLoadResult { .. } => Runs("a_uniform_load_takes_any_type"),
        E::ArrayLength(_) => Runs("lengths_of_runtime_sized_arrays"),
        E::RayQueryVertexPositions { .. } | E::RayQueryProceedResult | E::RayQueryGetIntersection { .. } => RAYS,
        E::SubgroupBallotResult => Runs("exchanges_read_active_lanes_and_zero_elsewhere"),
        E::SubgroupOperationResult { .. } => Runs("reductions_combine_the_active_lanes"),
        E::CooperativeLoad { .. } | E::CooperativeMultiplyAdd { .. } => COOPERATIVE,
    }
}

fn statement(statement: &Statement) -> Verdict {
    use Statement as S;
    match statement {
        S::Emit(_) | S::Block(_) | S::If { .. } | S::Store { .. } => Runs("loops_leave_and_go_on_where_they_say"),
        S::Loop { .. } | S::Break | S::Continue | S::Return { .. } => Runs("loops_leave_and_go_on_where_they_say"),
        S::Switch { .. } => Runs("switches_choose_one_arm"),
        S::Kill => Absent,
        S::ControlBarrier(_) => Runs("every_kind_of_barrier_orders_work_group_memory"),
        // SPIR-V's; as a barrier of a subgroup.
        S::MemoryBarrier(_) => Absent,
        S::ImageStore { .. } | S::ImageAtomic { .. } => TEXTURE,
        S::Atomic { .. } => Runs("results_are_the_old_values_lane_by_lane"),
        S::WorkGroupUniformLoad { .. } => Runs("a_uniform_load_takes_any_type"),
        S::Call { .. } => Runs("pointers_lead_to_what_they_were_made_from"),
        S::RayQuery { .. } => RAYS,
        S::RayPipelineFunction(_) => Absent,
        S::SubgroupBallot { .. } | S::SubgroupGather { .. } => Runs("exchanges_read_active_lanes_and_zero_elsewhere"),
        S::SubgroupCollectiveOperation { .. } => Runs("scans_combine_the_active_lanes_before"),
        S::CooperativeStore { .. } => COOPERATIVE,
    }
}

fn gather(mode: &GatherMode) -> Verdict {
    match mode {
        GatherMode::BroadcastFirst
        | GatherMode::Broadcast(_)
        | GatherMode::Shuffle(_)
        | GatherMode::ShuffleDown(_)
        | GatherMode::ShuffleUp(_)
        | GatherMode::ShuffleXor(_)
        | GatherMode::QuadBroadcast(_)
        | GatherMode::QuadSwap(Direction::X | Direction::Y | Direction::Diagonal) => {
            Runs("exchanges_read_active_lanes_and_zero_elsewhere")
        }
    }
}

fn collective(op: SubgroupOperation, kind: CollectiveOperation) -> Verdict {
    use SubgroupOperation as O;
    match (op, kind) {
        (
            O::All | O::Any | O::And | O::Or | O::Xor | O::Add | O::Mul | O::Min | O::Max,
            CollectiveOperation::Reduce,
        ) => Runs("reductions_combine_the_active_lanes"),
        (O::Add | O::Mul, CollectiveOperation::InclusiveScan | CollectiveOperation::ExclusiveScan) => {
            Runs("scans_combine_the_active_lanes_before")
        }
        (O::All | O::Any | O::And | O::Or | O::Xor | O::Min | O::Max, _) => Absent,
    }
}

fn ty(inner: &TypeInner) -> Verdict {
    use TypeInner as T;
    match inner {
        T::Scalar(_) | T::Vector { .. } => Runs("vectors_are_computed_component_by_component"),
        T::Matrix { .. } => Runs("layouts_with_size_and_align_and_matrices"),
        T::CooperativeMatrix { .. } => COOPERATIVE,
        T::Atomic(_) => Runs("results_are_the_old_values_lane_by_lane"),
        T::Pointer { .. } | T::ValuePointer { .. } => Runs("pointers_lead_to_what_they_were_made_from"),
        T::Array { .. } | T::Struct { .. } => Runs("composites_are_built_and_taken_apart"),
        T::Image { .. } => TEXTURE,
        T::Sampler { .. } => Refused("is a sampler"),
        T::AccelerationStructure { .. } => Refused("is an acceleration structure"),
        T::RayQuery { .. } => RAYS,
        T::BindingArray { .. } => Refused("a binding array"),
    }
}

fn space(space: Space) -> Verdict {
    match space {
        Space::Function | Space::Private => Runs("pointers_lead_to_what_they_were_made_from"),
        Space::WorkGroup => Runs("every_kind_of_barrier_orders_work_group_memory"),
        Space::Uniform | Space::Storage { .. } => Runs("layouts_with_size_and_align_and_matrices"),
        Space::Handle => TEXTURE,
        Space::Immediate => Refused("is immediate data"),
        Space::TaskPayload | Space::RayPayload | Space::IncomingRayPayload => Absent,
    }
}

fn built_in(built_in: BuiltIn) -> Verdict {
    use BuiltIn as B;
    match built_in {
        B::GlobalInvocationId | B::LocalInvocationId | B::WorkGroupId | B::NumWorkGroups | B::LocalInvocationIndex => {
            Runs("every_axis_of_every_builtin_in_sub_ranges")
        }
        B::SubgroupId | B::SubgroupSize | B::SubgroupInvocationId | B::NumSubgroups => {
            Runs("the_built_ins_state_the_lane_count")
        }
        // WGSL has no name for it.
        B::WorkGroupSize => Absent,
        B::PrimitiveIndex | B::Position { .. } | B::ViewIndex | B::BaseInstance | B::BaseVertex | B::ClipDistances => {
            Absent
        }
        B::CullDistance | B::InstanceIndex | B::PointSize | B::VertexIndex | B::DrawIndex | B::FragDepth => Absent,
        B::PointCoord | B::FrontFacing | B::Barycentric { .. } | B::SampleIndex | B::SampleMask => Absent,
        B::MeshTaskSize | B::CullPrimitive | B::PointIndex | B::LineIndices | B::TriangleIndices => Absent,
        B::VertexCount | B::Vertices | B::PrimitiveCount | B::Primitives => Absent,
        B::RayInvocationId | B::NumRayInvocations | B::InstanceCustomData | B::GeometryIndex => Absent,
        B::WorldRayOrigin | B::WorldRayDirection | B::ObjectRayOrigin | B::ObjectRayDirection => Absent,
        B::RayTmin | B::RayTCurrentMax | B::ObjectToWorld | B::WorldToObject | B::HitKind => Absent,
    }
}

const TESTS: [&str; 8] = [
    include_str!("atomics.rs"),
    include_str!("constructs.rs"),
    include_str!("functions.rs"),
    include_str!("halves.rs"),
    include_str!("operators.rs"),
    include_str!("shorts.rs"),
    include_str!("subgroups.rs"),
    include_str!("../interp_wgsl.rs"),
];

/// What is refused: the feature, the line it is on, and a kernel that uses it.
const REFUSED: [(&str, u32, &str); 11] = [
    ("is a texture", 2, "enable f16;\n@group(0) @binding(1) var t: texture_2d<f32>;
        @group(0) @binding(2) var s: sampler;
        @compute @workgroup_size(8) fn main() { out[0] = u32(textureSampleLevel(t, s, vec2(0.0), 0.0).x); }"),
    ("is a sampler", 2, "enable f16;\n@group(0) @binding(2) var s: sampler; @group(0) @binding(1) var t: texture_2d<f32>;
        @compute @workgroup_size(8) fn main() { out[0] = u32(textureSampleLevel(t, s, vec2(0.0), 0.0).x); }"),
    ("is a texture", 2, "enable f16;\n@group(0) @binding(1) var t: texture_storage_2d<r32uint, atomic>;
        @compute @workgroup_size(8) fn main() { textureAtomicAdd(t, vec2(0, 0), 1u); }"),
    ("is a texture", 2, "enable f16;\n@group(0) @binding(1) var t: texture_external;
        @compute @workgroup_size(8) fn main() { out[0] = textureDimensions(t).x; }"),
    ("is a texture", 2, "enable f16;\n@group(0) @binding(1) var t: texture_2d_array<u32>;
        fn f(t: texture_2d_array<u32>) -> u32 { return textureNumLayers(t) + textureNumLevels(t); }
        @compute @workgroup_size(8) fn main() { out[0] = f(t); }"),
    ("is immediate data", 2, "enable f16;\nvar<immediate> p: vec4<f32>;
        @compute @workgroup_size(4) fn main() { out[0] = u32(p.x); }"),
    ("a binding array", 2, "enable wgpu_binding_array; struct S { v: array<u32> }\n@group(0) @binding(1) var<storage> s: binding_array<S, 4>;
        @compute @workgroup_size(4) fn main() { out[0] = s[1].v[2]; }"),
    ("is an acceleration structure", 2, "enable wgpu_ray_query;\n@group(0) @binding(1) var s: acceleration_structure;
        @compute @workgroup_size(4) fn main() { var q: ray_query;
        rayQueryInitialize(&q, s, RayDesc(0u, 0xffu, 0.1, 9.0, vec3(0.0), vec3(1.0))); out[0] = u32(rayQueryProceed(&q)); }"),
    ("ray tracing", 2, "enable wgpu_ray_query;\n@compute @workgroup_size(4) fn main() { var q: ray_query; out[0] = 1; }"),
    ("a cooperative matrix", 3, "enable wgpu_cooperative_matrix;\n@group(0) @binding(1) var<storage, read_write> f: array<f32>;
        @compute @workgroup_size(8) fn main() { let m = coopLoad<coop_mat8x8<f32, C>>(&f[0], 8u); coopStore(m, &f[64], 8u); }"),
    ("a cooperative matrix", 2, "enable wgpu_cooperative_matrix;\n@compute @workgroup_size(8) fn main() { var m: coop_mat8x8<f32, C>; }"),
];

#[test]
fn what_is_refused_is_named_with_its_line() {
    for (words, line, source) in REFUSED {
        let (enable, rest) = source.split_once('\n').expect("two lines");
        let source = format!("{enable}\n{rest}\n@group(0) @binding(0) var<storage, read_write> out: array<u32>;");
        let error = compile(&source).expect_err(&source);
        assert_eq!((error.kind(), error.location().map(|l| l.line)), (ErrorKind::Unsupported, Some(line)), "{error}");
        assert!(error.message().contains(words) && error.to_string().contains('^'), "{error}\n{source}");
    }
}

/// The strings of each `name("...")` in this file.
fn named(name: &str) -> Vec<&'static str> {
    let parts = include_str!("coverage.rs").split(&format!("{name}(\"")).skip(1).collect::<Vec<_>>();
    parts.into_iter().filter_map(|rest| rest.split_once('"').map(|(string, _)| string)).collect()
}

#[test]
fn what_runs_has_a_test_and_what_is_refused_an_example() {
    let tests = named("Runs");
    assert!(tests.len() > 20);
    for test in tests {
        assert!(TESTS.iter().any(|t| t.contains(&format!("#[test]\nfn {test}() {{"))), "there is no test {test}");
    }
    let refused = named("Refused");
    assert!(refused.len() > 5);
    for words in refused {
        assert!(REFUSED.iter().any(|r| r.0 == words), "nothing is refused with `{words}`");
    }
}
