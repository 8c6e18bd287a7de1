//! What the front end refuses, and how it says so; hostile input ends in an error, not in a crash.

use evener_lanes::{Error, ErrorKind, Module};
use std::collections::BTreeMap;

fn compile(source: &str) -> Result<evener_lanes::ir::Kernel, Error> {
    Module::parse(source)?.lower("main")
}

fn refused(source: &str) -> Error {
    match compile(source) {
        Ok(kernel) => panic!("accepted:\n{kernel}"),
        Err(e) => e,
    }
}

fn kernel_with(body: &str) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read_write> a: array<u32>;\n\
         @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{ {body} }}"
    )
}

fn values(list: &[(&str, f64)]) -> BTreeMap<String, f64> {
    list.iter().map(|(name, value)| (name.to_string(), *value)).collect()
}

#[test]
fn a_syntax_error_shows_the_line_with_a_caret() {
    let e = refused("@compute @workgroup_size(1)\nfn main() { let x = ; }");
    assert_eq!(e.kind(), ErrorKind::InvalidWgsl);
    assert!(e.to_string().contains("let x = ;") && e.to_string().contains('^'), "{e}");
    assert!(!e.to_string().contains('\u{1b}'), "no colours");
    assert_eq!(e.location().expect("a place").line, 2);
}

#[test]
fn a_validation_error_has_a_place() {
    let e = refused(&kernel_with("a[0] = 1.0;"));
    assert_eq!(e.kind(), ErrorKind::InvalidWgsl);
    assert_eq!(e.location().expect("a place").line, 2);
}

#[test]
fn textures_are_refused_where_the_entry_point_uses_them() {
    let source = "\n@group(0) @binding(0) var image: texture_2d<f32>;
        @group(0) @binding(1) var<storage, read_write> a: array<f32>;
        @compute @workgroup_size(1) fn main() { a[0] = textureLoad(image, vec2(0, 0), 0).x; }
        @compute @workgroup_size(1) fn other() { a[0] = 1.0; }";
    let e = refused(source);
    assert_eq!(e.kind(), ErrorKind::Unsupported);
    assert!(e.message().contains("`image` is a texture"), "{e}");
    assert_eq!(e.location().expect("a place").line, 2);
    assert!(Module::parse(source).and_then(|m| m.lower("other")).is_ok());
}

#[test]
fn an_unknown_entry_point_is_named_with_the_nearest() {
    let module = Module::parse(&kernel_with("")).expect("a module");
    let e = module.lower("mian").expect_err("no such entry");
    assert_eq!(e.kind(), ErrorKind::UnknownEntry);
    assert!(e.message().contains("did you mean `main`"), "{e}");
}

const OVERRIDES: &str = "override size: u32; override scale: f32 = 2.0; @id(7) override flag: bool = false;
    @group(0) @binding(0) var<storage, read_write> a: array<f32>;
    var<workgroup> tile: array<f32, size * 2u>;
    @compute @workgroup_size(size)
    fn main(@builtin(local_invocation_index) i: u32) { tile[i] = scale; a[i] = select(0.0, tile[i], flag); }";

#[test]
fn overrides_reach_the_work_group_size_and_array_lengths() {
    let module = Module::parse(OVERRIDES).expect("a module");
    let special = module.specialize(&values(&[("size", 96.0), ("flag", 1.0)])).expect("values that fit");
    let kernel = special.lower("main").expect("a kernel");
    assert_eq!(kernel.workgroup_size, [96, 1, 1]);
    assert_eq!(kernel.workgroup[0].bytes, 96 * 2 * 4);
    assert!(kernel.to_string().contains("f32 = 2.0"), "{kernel}");
    let by_id = module.specialize(&values(&[("size", 4.0), ("7", 1.0)])).expect("an id");
    assert_eq!(by_id.lower("main").expect("a kernel").workgroup_size, [4, 1, 1]);
}

#[test]
fn wrong_overrides_say_what_is_wrong() {
    let module = Module::parse(OVERRIDES).expect("a module");
    let error = |list: &[(&str, f64)]| module.specialize(&values(list)).expect_err("a bad override");
    for (list, part) in [
        (&[("siz", 1.0)][..], "did you mean `size`"),
        (&[][..], "`size` has no value"),
        (&[("size", 0.0)][..], "not positive"),
        (&[("size", -1.0)][..], "`size` is u32"),
        (&[("size", 1.5)][..], "`size` is u32"),
        (&[("size", 1.0), ("scale", f64::NAN)][..], "`scale` is f32"),
        (&[("size", 1.0), ("flag", 2.0)][..], "`flag` is bool"),
    ] {
        let e = error(list);
        assert_eq!(e.kind(), ErrorKind::InvalidOverride);
        assert!(e.to_string().contains(part), "{list:?}: {e}");
    }
    assert_eq!(module.lower("main").expect_err("no size").kind(), ErrorKind::InvalidOverride);
}

#[test]
fn sizes_over_a_cap_are_too_large() {
    let local =
        "@compute @workgroup_size(1) fn main() { var big: array<f32, 1000000>; big[bitcast<u32>(big[1])] = 1.0; }";
    let group = "var<workgroup> big: array<f32, 1000000>;
        @compute @workgroup_size(1) fn main() { big[0] = 1.0; }";
    let copy = "@group(0) @binding(0) var<storage, read_write> a: array<array<f32, 10000>, 2>;
        @compute @workgroup_size(1) fn main() { a[0] = a[1]; }";
    let invocations = "@compute @workgroup_size(1024, 1024) fn main() {}";
    for source in [local, group, copy, invocations] {
        assert_eq!(refused(source).kind(), ErrorKind::TooLarge, "{source}");
    }
    assert_eq!(Module::parse(&" ".repeat(2 << 20)).expect_err("too long").kind(), ErrorKind::TooLarge);
}

#[test]
fn calls_that_double_end_by_a_cap() {
    let mut source = "fn f0() {}\n".to_string();
    for i in 1..40 {
        source += &format!("fn f{i}() {{ f{0}(); f{0}(); }}\n", i - 1);
    }
    source += "@compute @workgroup_size(1) fn main() { f39(); }";
    assert_eq!(refused(&source).kind(), ErrorKind::TooLarge);
}

/// Any error will do; what counts is that it is one, on a thread with an ordinary stack.
#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    let wrap = |n: usize, open: &str, inner: &str, close: &str| {
        kernel_with(&format!("{}{inner}{}", open.repeat(n), close.repeat(n)))
    };
    for n in [100, 300, 1000, 4900, 100_000] {
        let sources = [
            kernel_with(&format!("a[0] = {}1u{};", "(".repeat(n), ")".repeat(n))),
            kernel_with(&format!("a[0] = u32({}1);", "-".repeat(n).replace("--", "- -"))),
            kernel_with(&format!("a[0] = {}id.x;", "id.x + ".repeat(n))),
            kernel_with(&format!("var b = true; if {}b {{ a[0] = 1u; }}", "b && ".repeat(n))),
            wrap(n, "{", "", "}"),
            wrap(n, "if id.x > a[0] { a[1] = 2u; ", "", "}"),
            wrap(n, "loop { if a[0] == 1u { break; } ", "", "}"),
            kernel_with(&format!("{} {{}}", "if id.x == a[0] { a[1] = 1u; } else ".repeat(n))),
            format!("const c = {}1;", "array(".repeat(n)),
            format!("alias T = {}u32;", "array<".repeat(n)),
        ];
        for source in sources {
            let _ = compile(&source);
        }
    }
}

#[test]
fn many_statements_in_a_row_are_fine() {
    let guards = "if (id.x == a[1]) { a[2] += 1u; }\n".repeat(2000);
    assert!(compile(&kernel_with(&guards)).is_ok());
    let returns = "if (id.x == a[1]) { return; }\n".repeat(200);
    assert!(compile(&kernel_with(&returns)).is_ok());
    let e = refused(&kernel_with(&"if (id.x == a[1]) { return; }\n".repeat(2000)));
    assert_eq!(e.kind(), ErrorKind::TooLarge);
}

/// Tokens removed, doubled and swapped: a kernel or an error comes out, never a panic.
#[test]
fn mutated_sources_end_in_a_kernel_or_an_error() {
    let source = "struct P { n: u32, s: array<vec3<f32>> } struct Q { a: mat3x3<f32>, b: atomic<i32> }
        @group ( 0 ) @binding ( 0 ) var < storage , read_write > p : P ;
        @group ( 0 ) @binding ( 1 ) var < storage , read_write > q : Q ;
        override k : u32 = 3u ; const t = array ( 1 , 2 , 3 ) ; var < workgroup > w : array < f32 , k > ;
        fn f ( x : f32 , o : ptr < function , vec2 < f32 > > ) -> f32 {
            if ( x < 0.0 ) { return 1.0 ; } ( * o ) . y = x ; return modf ( x ) . fract ; }
        @compute @workgroup_size ( 4 ) fn main ( @builtin ( global_invocation_id ) id : vec3 < u32 > ) {
            var v = vec2 ( 1.0 , 2.0 ) ; var m = q . a * q . a ; let i = id . x ;
            for ( var j = 0 ; j < t [ i % 3u ] ; j ++ ) {
                switch j { case 0 : { continue ; } case 1 , 2 : { v [ i ] += f ( m [ i ] [ j ] , & v ) ; } default : { break ; } } }
            loop { if ( i > p . n ) { break ; } w [ i ] = v . x ; continuing { v . x += 1.0 ; break if v . x > 9.0 ; } }
            workgroupBarrier ( ) ; p . s [ i ] = vec3 ( w [ i ] , v ) ; atomicMax ( & q . b , i32 ( arrayLength ( & p . s ) ) ) ; }";
    assert!(compile(source).is_ok(), "{}", refused(source));
    let tokens: Vec<&str> = source.split_whitespace().collect();
    let mut state = 1u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    };
    let mut accepted = 0;
    for _ in 0..2000 {
        let mut mutated = tokens.clone();
        for _ in 0..1 + random(2) {
            let (i, j) = (random(mutated.len()), random(mutated.len()));
            match random(4) {
                0 => _ = mutated.remove(i),
                1 => mutated.insert(i, mutated[j]),
                2 => mutated.swap(i, j),
                _ => mutated[i] = mutated[j],
            }
        }
        match compile(&mutated.join(" ")) {
            Ok(_) => accepted += 1,
            Err(e) => {
                let ours = ["front end failed", "internal error", "inconsistent"];
                assert!(!ours.iter().any(|o| e.message().contains(o)), "{e}\n{}", mutated.join(" "));
            }
        }
    }
    assert!(accepted > 0);
}
