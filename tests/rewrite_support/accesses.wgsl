struct Particle { position: vec3<f32>, mass: f32, m: mat3x3<f32>, tags: array<u32, 5> }
struct Tail { head: u32, inner: array<vec2<f32>, 3>, items: array<Particle> }
struct Table { rows: array<mat2x4<f32>, 4>, n: i32 }
@group(0) @binding(0) var<storage, read_write> tail: Tail;
@group(0) @binding(1) var<uniform> table: Table;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(1) @binding(0) var<storage, read> nested: array<array<array<f32, 3>, 4>>;
var<private> scratch: array<vec4<f32>, 6>;
var<private> flags: array<bool, 6>;
const lut = array<f32, 4>(1.0, 2.0, 3.0, 4.0);

fn pick(v: vec4<f32>, a: array<f32, 3>, m: mat3x3<f32>, i: i32) -> f32 {
    return v[i] + a[i] + m[i][i] + m[1][i] + lut[i];
}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    let j = table.n - i32(i);
    var particle = tail.items[i];
    let whole = tail.items[j].m;
    tail.items[i].position[j] = 3.0;
    tail.items[i].position.y += whole[j].z;
    tail.items[2].tags[i & 3u] = tail.items[7].tags[j];
    tail.items[i].m[j] = vec3(1.0);
    tail.items[i].m[j][j] = tail.inner[j].x;
    particle.tags[j] += 1u;
    particle.m[i] = particle.m[j];
    tail.items[i + 1u] = particle;
    scratch[j] = table.rows[j][i];
    scratch[j][i] = table.rows[1][1][j];
    flags[j] = !flags[i];
    out[nested_length()] = f32(arrayLength(&tail.items)) + nested[i][j][i];
    let column = nested[j][2];
    out[i] = pick(scratch[i], column, whole, j) + select(0.0, 1.0, flags[i]);
    out[3] += out[4];
}

fn nested_length() -> u32 {
    return arrayLength(&nested);
}
