// C = alpha A B + beta C for any strides, in tiles through work-group memory; one product of a batch for each z.
//
// A work-group makes 64 by 64 elements of C from slices DEPTH deep; an invocation makes 4 by 4 of them, in registers.
// The columns of an invocation are 16 apart, so that neighbours read and write neighbours; its four rows are common to
// the 16 invocations of a row of the work-group.

const SIDE = 16u;        // invocations on each axis of a work-group
const TILE = SIDE * 4u;

struct Params {
    alpha: T,
    beta: T,
    rows: u32,
    cols: u32,
    depth: u32,
    a_row: u32,
    a_col: u32,
    a_batch: u32,
    b_row: u32,
    b_col: u32,
    b_batch: u32,
    c_row: u32,
    c_col: u32,
    c_batch: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<T>;
@group(0) @binding(2) var<storage, read> b: array<T>;
@group(0) @binding(3) var<storage, read_write> c: array<T>;

var<workgroup> tile_a: array<T, TILE * DEPTH>; // by rows: [row][depth]
var<workgroup> tile_b: array<T, TILE * DEPTH>; // by rows: [depth][column]

// The elements from `first` on in depth of the 64 rows of A from `row` on; zeros outside.
fn load_a(row: u32, first: u32, batch: u32, l: vec2<u32>) {
    let start = batch * p.a_batch;
    if p.a_col == 1u {
        for (var i = 0u; i < TILE; i += SIDE) {
            for (var j = 0u; j < DEPTH; j += SIDE) {
                let r = l.y + i;
                let k = l.x + j;
                var v = T(0);
                if row + r < p.rows && first + k < p.depth {
                    v = a[start + (row + r) * p.a_row + first + k];
                }
                tile_a[r * DEPTH + k] = v;
            }
        }
    } else {
        for (var i = 0u; i < TILE; i += SIDE) {
            for (var j = 0u; j < DEPTH; j += SIDE) {
                let r = l.x + i;
                let k = l.y + j;
                var v = T(0);
                if row + r < p.rows && first + k < p.depth {
                    v = a[start + (row + r) * p.a_row + (first + k) * p.a_col];
                }
                tile_a[r * DEPTH + k] = v;
            }
        }
    }
}

// The elements from `first` on in depth of the 64 columns of B from `col` on; zeros outside.
fn load_b(first: u32, col: u32, batch: u32, l: vec2<u32>) {
    let start = batch * p.b_batch;
    if p.b_col == 1u {
        for (var i = 0u; i < DEPTH; i += SIDE) {
            for (var j = 0u; j < TILE; j += SIDE) {
                let k = l.y + i;
                let n = l.x + j;
                var v = T(0);
                if first + k < p.depth && col + n < p.cols {
                    v = b[start + (first + k) * p.b_row + col + n];
                }
                tile_b[k * TILE + n] = v;
            }
        }
    } else {
        for (var i = 0u; i < DEPTH; i += SIDE) {
            for (var j = 0u; j < TILE; j += SIDE) {
                let k = l.x + i;
                let n = l.y + j;
                var v = T(0);
                if first + k < p.depth && col + n < p.cols {
                    v = b[start + (first + k) * p.b_row + (col + n) * p.b_col];
                }
                tile_b[k * TILE + n] = v;
            }
        }
    }
}

// Writes an element of C.
fn store(row: u32, col: u32, batch: u32, sum: T) {
    if row < p.rows && col < p.cols {
        let at = batch * p.c_batch + row * p.c_row + col * p.c_col;
        var v = p.alpha * sum;
        // With beta zero, C may hold anything, NaN too.
        if p.beta != T(0) {
            v = fma(p.beta, c[at], v);
        }
        c[at] = v;
    }
}

// Writes four elements of a row of C, SIDE columns apart.
fn store_row(row: u32, col: u32, batch: u32, sums: vec4<T>) {
    store(row, col, batch, sums.x);
    store(row, col + SIDE, batch, sums.y);
    store(row, col + 2u * SIDE, batch, sums.z);
    store(row, col + 3u * SIDE, batch, sums.w);
}

@compute @workgroup_size(SIDE, SIDE)
fn gemm(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let l = local.xy;
    let row = group.y * TILE;
    let col = group.x * TILE;
    var sum0 = vec4<T>();
    var sum1 = vec4<T>();
    var sum2 = vec4<T>();
    var sum3 = vec4<T>();
    for (var first = 0u; first < p.depth; first += DEPTH) {
        load_a(row, first, group.z, l);
        load_b(first, col, group.z, l);
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            let at = k * TILE + l.x;
            let right = vec4<T>(tile_b[at], tile_b[at + SIDE], tile_b[at + 2u * SIDE], tile_b[at + 3u * SIDE]);
            let left = l.y * 4u * DEPTH + k;
            sum0 += tile_a[left] * right;
            sum1 += tile_a[left + DEPTH] * right;
            sum2 += tile_a[left + 2u * DEPTH] * right;
            sum3 += tile_a[left + 3u * DEPTH] * right;
        }
        workgroupBarrier();
    }
    let top = id.y * 4u;
    let left = col + l.x;
    store_row(top, left, group.z, sum0);
    store_row(top + 1u, left, group.z, sum1);
    store_row(top + 2u, left, group.z, sum2);
    store_row(top + 3u, left, group.z, sum3);
}
