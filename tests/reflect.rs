//! What a kernel binds and needs, from source to reflection.

use evener::{
    ErrorKind,
    backend::Capabilities,
    kernel::{reflect::Reflection, rewrite::rewrite_module},
};
use evener_lanes::Module;

fn reflect(source: &str, entry: &str) -> Reflection {
    let module = Module::parse(source).unwrap_or_else(|e| panic!("{e}")).specialize(&Default::default()).unwrap();
    let kernel = module.lower(entry).unwrap_or_else(|e| panic!("{e}"));
    rewrite_module(module.naga(), module.info(), entry, &kernel.bindings).unwrap_or_else(|e| panic!("{e}"));
    Reflection::new(&module, entry, &kernel).unwrap()
}

const SOURCE: &str = "
    enable f16; enable wgpu_int16;
    struct P { a: f32, n: u32 }
    @group(0) @binding(2) var<uniform> p: P;
    @group(0) @binding(0) var<storage> x: array<vec3<f32>>;
    @group(1) @binding(0) var<storage, read_write> y: array<f32>;
    @group(1) @binding(1) var<storage, read_write> unused: array<f32>;
    @group(1) @binding(2) var<storage, read_write> wide: array<f64>;
    @group(1) @binding(3) var<storage, read_write> counts: array<atomic<u64>>;
    var<workgroup> tile: array<f32, 33>;
    override SIZE: u32 = 32;
    @group(1) @binding(4) var<storage, read_write> sums: array<atomic<f32>>;
    fn double(i: u32) { wide[i] = wide[i] * 2.0lf; }
    @compute @workgroup_size(SIZE, 2) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        tile[id.x] = p.a;
        workgroupBarrier();
        y[id.x] = x[id.x].z * tile[id.y];
    }
    @compute @workgroup_size(1) fn other() { double(3u); }
    @compute @workgroup_size(8) fn lanes(@builtin(subgroup_invocation_id) i: u32) {
        y[i] = f32(f16(subgroupAdd(y[i]))) + f32(i16(i));
        subgroupBarrier();
    }
    @compute @workgroup_size(1) fn add() { atomicAdd(&sums[0], 1.0); }
";

#[test]
fn an_entry_point_binds_and_needs_what_it_reaches() {
    let r = reflect(SOURCE, "main");
    let names: Vec<_> = r.parameters.iter().map(|p| format!("{}: {}", p.binding.name, p.ty)).collect();
    assert_eq!(names, ["x: array<vec3<f32>>", "p: P", "y: array<f32>"]);
    assert_eq!((r.workgroup_size, r.workgroup_bytes), ([32, 2, 1], 144));
    assert_eq!(r.needs, Capabilities::default());
    let r = reflect(SOURCE, "other");
    assert_eq!(r.needs, Capabilities { f64: true, ..Default::default() });
    let r = reflect(SOURCE, "lanes");
    let lanes = Capabilities { f16: true, i16: true, subgroups: true, subgroup_barriers: true, ..Default::default() };
    assert_eq!(r.needs, lanes);
    let r = reflect(SOURCE, "other");
    assert_eq!(r.parameter("wide").unwrap().0, 0);
    assert_eq!(r.workgroup_bytes, 0);
}

fn refused(sources: &[&str], entry: Option<&str>, kind: ErrorKind, words: &[&str]) {
    let error = evener::kernel::Compiled::new(sources, entry, &Default::default()).expect_err("refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(words.iter().all(|w| error.to_string().contains(w)), "{error}\nlacks one of {words:?}");
}

#[test]
fn bad_kernels_are_errors_that_say_where() {
    let good = "@compute @workgroup_size(64) fn main() {}";
    refused(&["fn f() -> u32 {\n  return 1.0;\n}"], None, ErrorKind::InvalidKernel, &["return 1.0", "^"]);
    refused(&[good, "fn f() {\n  g();\n}"], None, ErrorKind::InvalidKernel, &["source 2 of 2, line 2", "g();", "^"]);
    refused(&[good, "fn main() {}"], None, ErrorKind::InvalidKernel, &["source 2 of 2, line 1", "main"]);
    refused(&[good], Some("mian"), ErrorKind::UnknownEntry, &["did you mean `main`"]);
    refused(&[], None, ErrorKind::InvalidKernel, &["no WGSL source"]);
    refused(&[""], None, ErrorKind::UnknownEntry, &["no compute entry point"]);
    let large = "@compute @workgroup_size(64, 32) fn main() {}";
    refused(&[large], None, ErrorKind::Limit, &["64 x 32 x 1 = 2048", "1024"]);
    let deep = "@compute @workgroup_size(1, 1, 128) fn main() {}";
    refused(&[deep], None, ErrorKind::Limit, &["1 x 1 x 128", "1024 x 1024 x 64"]);
    let memory = "var<workgroup> t: array<u32, 300000>; @compute @workgroup_size(1) fn main() { t[0] = 1u; }";
    refused(&[memory], None, ErrorKind::Limit, &["1200000 bytes", "1048576"]);
    let texture = "@group(0) @binding(0) var t: texture_2d<f32>;
        @group(0) @binding(1) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(1) fn main() { y[0] = textureLoad(t, vec2(0), 0).x; }";
    refused(&[texture], None, ErrorKind::Unsupported, &["texture"]);
    refused(&["// first", texture], None, ErrorKind::Unsupported, &["texture"]);
}
