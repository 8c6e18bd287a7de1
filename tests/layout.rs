//! Host types, files and uniform values against WGSL types.

use evener::{
    ErrorKind,
    kernel::{
        layout::{Element, FileScalar, Scalar, WgslType, check_bytes, check_elements},
        reflect::Parameter,
        uniform::{UniformBuffer, split_path},
    },
};
use evener_lanes::ir::{Access, Binding, Space};

/// The one global variable of a source as a parameter.
fn parameter(source: &str) -> Parameter {
    let module = naga::front::wgsl::parse_str(source).unwrap_or_else(|e| panic!("{}", e.emit_to_string(source)));
    let (_, variable) = module.global_variables.iter().next().unwrap();
    let ty = WgslType::new(&module, variable.ty).unwrap();
    let (fixed_bytes, runtime_stride) = match ty.runtime_array() {
        Some((offset, _, stride)) => (offset, Some(stride)),
        None => (ty.size(), None),
    };
    let binding = Binding {
        name: variable.name.clone().unwrap(),
        group: 0,
        binding: 0,
        space: if variable.space == naga::AddressSpace::Uniform { Space::Uniform } else { Space::Storage },
        access: Access { read: true, write: false, atomic: false },
        fixed_bytes,
        runtime_stride,
    };
    Parameter { binding, ty }
}

fn storage(ty: &str) -> Parameter {
    parameter(&format!(
        "enable f16; enable wgpu_int16;
         struct S {{ position: vec3<f32>, mass: f32, velocity: vec2<f32> }}
         struct Tail {{ n: u32, items: array<u32> }}
         @group(0) @binding(0) var<storage, read_write> data: {ty};"
    ))
}

#[derive(Clone, Copy, Element)]
#[repr(C)]
struct Good {
    position: [f32; 3],
    mass: f32,
    velocity: [f32; 2],
    _pad: [f32; 2],
}

#[derive(Clone, Copy, Element)]
#[repr(C)]
struct Unpadded {
    position: [f32; 3],
    mass: f32,
    velocity: [f32; 2],
}

#[derive(Clone, Copy, Element)]
#[repr(C)]
struct Shifted {
    position: [f32; 3],
    _gap: f32,
    mass: f32,
    velocity: [f32; 2],
    _pad: f32,
}

#[derive(Clone, Copy, Element)]
#[repr(C)]
struct Misnamed {
    position: [f32; 3],
    mas: f32,
    velocity: [f32; 2],
    _pad: [f32; 2],
}

fn fits<T: Element>(ty: &str, count: usize) {
    check_elements(&storage(ty), &T::TYPE, count).unwrap_or_else(|e| panic!("{ty}: {e}"));
}

fn refused<T: Element>(ty: &str, count: usize, kind: ErrorKind, words: &[&str]) {
    let error = check_elements(&storage(ty), &T::TYPE, count).expect_err(ty);
    assert_eq!(error.kind(), kind, "{ty}: {error}");
    let text = error.to_string();
    assert!(words.iter().all(|w| text.contains(w)), "{text}\nlacks one of {words:?}");
}

#[test]
fn elements_match_by_kind_and_stride() {
    fits::<f32>("array<f32>", 1);
    fits::<u32>("array<atomic<u32>>", 7);
    fits::<[f32; 2]>("array<vec2<f32>>", 3);
    fits::<[f32; 4]>("array<vec4<f32>>", 3);
    fits::<[f32; 4]>("array<vec3<f32>>", 3);
    fits::<[[f32; 4]; 4]>("array<mat4x4<f32>>", 3);
    fits::<[[f32; 2]; 2]>("mat2x2<f32>", 1);
    fits::<[[f32; 4]; 3]>("array<mat3x3<f32>>", 3);
    fits::<[[f32; 4]; 2]>("array<mat2x4<f32>>", 3);
    fits::<[i32; 3]>("array<array<i32, 3>>", 3);
    fits::<i32>("array<i32, 5>", 5);
    fits::<[i32; 5]>("array<i32, 5>", 1);
    fits::<u32>("u32", 1);
    fits::<[f32; 3]>("vec3<f32>", 1);
    fits::<Good>("array<S>", 2);
    fits::<Good>("S", 1);
    fits::<u32>("Tail", 2);
    fits::<u16>("array<f16>", 3);
    fits::<[u16; 4]>("array<vec3<f16>>", 3);
    fits::<[[u16; 2]; 3]>("array<mat3x2<f16>>", 3);
    fits::<i16>("array<i16>", 3);
    fits::<u16>("array<u16>", 3);
}

#[test]
fn what_does_not_match_shows_both_layouts_and_the_fix() {
    let ty = ErrorKind::ArgumentType;
    refused::<[f32; 3]>("array<vec3<f32>>", 8, ty, &["`[f32; 4]`", "array<f32>", "3 * i + k", "16 bytes", "12 bytes"]);
    refused::<f32>("array<vec4<f32>>", 8, ty, &["`[f32; 4]`"]);
    refused::<f32>("array<vec3<f32>>", 8, ty, &["`[f32; 4]`"]);
    refused::<f64>("array<f32>", 8, ty, &["pass `f32`"]);
    refused::<i32>("array<u32>", 8, ty, &["pass `u32`"]);
    refused::<[[f32; 3]; 3]>("array<mat3x3<f32>>", 8, ty, &["`[[f32; 4]; 3]`", "by columns"]);
    refused::<Unpadded>("array<S>", 8, ty, &["24", "32", "padding of 8 bytes"]);
    refused::<Shifted>(
        "array<S>",
        8,
        ty,
        &["`mass` is at offset 12 in WGSL and at 16 in Rust", "WGSL struct S", "Rust struct Shifted"],
    );
    refused::<Misnamed>("array<S>", 8, ty, &["no field `mass`"]);
    refused::<f32>("array<S>", 8, ty, &["derives Element"]);
    refused::<f32>("Tail", 8, ty, &["[u32]"]);
    refused::<f32>("array<f16>", 8, ty, &["f16", "pass `u16`"]);
    refused::<u16>("array<i16>", 8, ty, &["pass `i16`"]);
}

#[test]
fn small_arguments_name_the_bytes_needed() {
    let size = ErrorKind::ArgumentSize;
    refused::<f32>("array<f32>", 0, size, &["empty", "4 bytes"]);
    refused::<f32>("array<f32, 16>", 15, size, &["64 bytes", "60 bytes"]);
    refused::<u32>("Tail", 1, size, &["8 bytes", "4 bytes"]);
    refused::<Good>("S", 0, size, &["32 bytes"]);
}

#[test]
fn files_are_checked_by_scalar_and_stride() {
    let f = |s| FileScalar::Scalar(s);
    let ok = |ty: &str, file, shape: &[usize]| check_bytes(&storage(ty), file, shape).unwrap();
    ok("array<f32>", f(Scalar::F32), &[3, 5]);
    ok("array<vec2<f32>>", FileScalar::C64, &[7]);
    ok("array<vec4<f32>>", f(Scalar::F32), &[3, 4]);
    ok("array<S>", f(Scalar::F64), &[4]);
    ok("array<mat3x3<f32>>", f(Scalar::F32), &[2, 3, 4]);
    ok("Tail", f(Scalar::U32), &[2]);
    let bad = |ty: &str, file, shape: &[usize], kind, words: &[&str]| {
        let error = check_bytes(&storage(ty), file, shape).expect_err(ty);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(words.iter().all(|w| error.to_string().contains(w)), "{error}\nlacks one of {words:?}");
    };
    bad("array<f32>", f(Scalar::F64), &[3], ErrorKind::ArgumentType, &["f64", "save it as f32"]);
    bad("array<f32>", FileScalar::C64, &[3], ErrorKind::ArgumentType, &["vec2<f32>"]);
    bad("array<vec3<f32>>", f(Scalar::F32), &[4, 3], ErrorKind::ArgumentType, &["last dimension of 4", "48 bytes"]);
    bad("array<vec4<f32>>", f(Scalar::F32), &[7], ErrorKind::ArgumentSize, &["multiple of 16", "28"]);
    bad("array<S>", f(Scalar::F32), &[9], ErrorKind::ArgumentSize, &["multiple of 32", "position: vec3<f32>"]);
    bad("array<f32>", f(Scalar::F32), &[0], ErrorKind::ArgumentSize, &["empty"]);
    bad("array<f32>", f(Scalar::F32), &[usize::MAX, 9], ErrorKind::ArgumentSize, &["64 bits"]);
}

/// Of a parameter that lives as long as the test.
fn uniform(ty: &str) -> UniformBuffer<'static> {
    UniformBuffer::new(Box::leak(Box::new(parameter(&format!(
        "struct Inner {{ a: vec3<f32>, b: u32 }}
         struct P {{ n: u32, x: f32, v: vec3<f32>, table: array<vec4<f32>, 2>, inner: Inner, m: mat2x2<f32> }}
         @group(0) @binding(0) var<uniform> p: {ty};"
    )))))
}

#[derive(Clone, Copy, Element)]
#[repr(C)]
struct Inner {
    a: [f32; 3],
    b: u32,
}

#[test]
fn a_uniform_is_set_member_by_member() {
    let mut u = uniform("P");
    assert_eq!(u.missing(), ["p.n", "p.x", "p.v", "p.table", "p.inner.a", "p.inner.b", "p.m"]);
    u.set(".n", &100u32.into()).unwrap();
    u.set(".x", &2.5f32.into()).unwrap();
    u.set(".v", &[1.0f32, 2.0, 3.0].into()).unwrap();
    u.set(".table[1]", &[1.0f32, 2.0, 3.0, 4.0].into()).unwrap();
    u.set(".table[0].z", &7.0f32.into()).unwrap();
    u.set(".m[1]", &[1.0f32, 2.0].into()).unwrap();
    assert_eq!(u.missing(), ["p.table[0].x", "p.table[0].y", "p.table[0].w", "p.inner.a", "p.inner.b", "p.m[0]"]);
    u.set(".inner", &Inner { a: [1.0; 3], b: 9 }.into()).unwrap();
    u.set_text(".table", "1,2,3,4,5,6,7,8").unwrap();
    u.set_text(".m", "1, 2, 3, 4").unwrap();
    assert!(u.missing().is_empty());
    let word = |i: usize| u32::from_le_bytes(u.bytes()[4 * i..4 * i + 4].try_into().unwrap());
    assert_eq!((word(0), word(1), word(6), word(19)), (100, 2.5f32.to_bits(), 3.0f32.to_bits(), 9));
    assert_eq!(u.bytes().len(), 96);
}

#[test]
fn wrong_uniform_values_say_what_would_be_right() {
    let message = |path: &str, value: evener::kernel::uniform::UniformValue| {
        uniform("P").set(path, &value).unwrap_err().to_string()
    };
    assert!(message(".x", 2.0f64.into()).contains("write 2.0f32"));
    assert!(message(".n", 100i32.into()).contains("write 100u32"));
    assert!(message(".n", (-1i32).into()).contains("pass `u32`"));
    assert!(message(".v", [1.0f32; 4].into()).contains("[f32; 3]"));
    assert!(message(".xx", 1.0f32.into()).contains("did you mean `x`"));
    assert!(message(".table[2]", 1.0f32.into()).contains("the last index is 1"));
    assert!(message(".n.q", 1.0f32.into()).contains("no members"));
    assert!(message("", 1.0f32.into()).contains("struct"));
    assert!(message(".table[x]", 1.0f32.into()).contains("index such as"));
}

#[test]
fn text_is_read_by_the_members_type() {
    let ok = |ty: &str, text: &str| {
        let mut u = uniform(ty);
        u.set_text("", text).unwrap_or_else(|e| panic!("{e}"));
        u.bytes().to_vec()
    };
    assert_eq!(ok("u32", "0xff"), 255u32.to_le_bytes());
    assert_eq!(ok("i32", "-2147483648"), i32::MIN.to_le_bytes());
    assert_eq!(ok("f32", "1e-3"), 1e-3f32.to_le_bytes());
    assert_eq!(ok("f32", "inf"), f32::INFINITY.to_le_bytes());
    assert_eq!(ok("vec2<f32>", " 1 , -2.5 ").len(), 8);
    assert_eq!(ok("mat3x3<f32>", "1,2,3,4,5,6,7,8,9")[16..20], 4.0f32.to_le_bytes());
    let bad = |ty: &str, text: &str| uniform(ty).set_text("", text).unwrap_err();
    assert!(bad("u32", "-1").to_string().contains("from 0 to 4294967295"));
    assert!(bad("u32", "1.5").to_string().contains("integer"));
    assert!(bad("f32", "1e39").to_string().contains("3.4e38"));
    assert!(bad("f32", "two").to_string().contains("`two`"));
    assert_eq!(bad("vec3<f32>", "1,2").kind(), ErrorKind::ArgumentSize);
    assert!(bad("P", "1").to_string().contains("p.inner"));
}

#[test]
fn paths_split_at_the_first_dot_or_bracket() {
    assert_eq!(split_path("params.n"), ("params", ".n"));
    assert_eq!(split_path("m[2].x"), ("m", "[2].x"));
    assert_eq!(split_path("a"), ("a", ""));
}
