//! Expressions and statements, each in a small program with the words it leaves.

use super::support::*;
use evener_lanes::Module;

/// Runs `main` of a source, which has `out: array<u32>` at binding 0, and compares the words.
#[track_caller]
fn leaves(source: &str, before: &[u32], expected: &[u32]) {
    let source = format!("@group(0) @binding(0) var<storage, read_write> out: array<u32>;\n{source}");
    let after = to_u32(&run_exact(&source, &[from_u32(before)], [1, 1, 1])[0]);
    assert_eq!(after, expected, "{source}");
}

/// The body of `main` for one invocation.
#[track_caller]
fn body(body: &str, before: &[u32], expected: &[u32]) {
    leaves(&format!("@compute @workgroup_size(1) fn main() {{ {body} }}"), before, expected);
}

#[test]
fn literals_constants_and_zero_values() {
    body("out[0] = 7u + 0x1Fu; out[1] = u32(-3 + 10); out[2] = u32(1e2 + 0x1p3f);", &[0; 3], &[38, 7, 108]);
    body(
        "var a = 3li; var b = 4lu; var c = 2.5lf; var d = 1.5f;
         out[0] = u32(a) + u32(b); out[1] = u32(c * 2.0lf); out[2] = bitcast<u32>(d);",
        &[0; 3],
        &[7, 5, 1.5f32.to_bits()],
    );
    leaves(
        "const a = 3; const b: u32 = a * 2; const v = vec3(1u, b, 9u); const t = array(v, v.zyx);
         struct S { x: u32, y: array<vec2<u32>, 2> }
         const s = S(4, array(vec2(5u), vec2(6u, 7u)));
         @compute @workgroup_size(1) fn main() {
             const c = b + 1; let i = out[3];
             out[0] = c + t[1].x; out[1] = t[i].z + s.y[i].y; out[2] = S().y[i].x + vec4<u32>()[i] + array<u32, 3>()[i] + 1;
         }",
        &[0, 0, 0, 1],
        &[16, 8, 1, 1],
    );
    body("let m = mat2x3<f32>(); out[0] = u32(m[1].z) + select(2u, 3u, bool());", &[9], &[2]);
}

#[test]
fn overrides_size_arrays_and_groups_and_join_expressions() {
    let source = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        override n: u32 = 2; @id(5) override k: i32 = -1; override f: f32 = 0.5; override h: bool; override twice = n * 2;
        var<workgroup> tile: array<u32, n * twice>;
        @compute @workgroup_size(n, twice) fn main(@builtin(local_invocation_id) l: vec3u,
            @builtin(local_invocation_index) i: u32) {
            tile[l.y * n + l.x] = i * u32(10 + k);
            workgroupBarrier();
            out[i] = tile[(twice - 1 - l.y) * n + n - 1 - l.x] + u32(f * 4.0) + select(0u, 100u, h);
        }";
    let module = Module::parse(source).unwrap();
    let values = [("n", 3.0), ("5", -3.0), ("h", 1.0), ("f", 2.0)].map(|(k, v)| (k.to_string(), v)).into();
    let kernel = module.specialize(&values).unwrap().lower("main").unwrap();
    assert_eq!((kernel.workgroup_size, kernel.workgroup[0].bytes), ([3, 6, 1], 72));
    let out = to_u32(&run_kernel(&kernel, source, &[vec![0; 72]], [1, 1, 1], |_| {})[0]);
    assert_eq!(out, (0..18).map(|i| (17 - i) * 7 + 8 + 100).collect::<Vec<u32>>());
}

#[test]
fn composites_are_built_and_taken_apart() {
    body(
        "let v = vec4(out[0], vec2(out[1], 7u), 8u); out[0] = v.w * 1000 + v.z * 100 + v.y * 10 + v.x;
         var w = v.wzyx; w.y += 1; w[out[1]] *= 2; out[1] = w.x + w.y * 10 + w.z * 100; out[2] = vec3(5u).z + v.rgba.g;",
        &[1, 2, 0],
        &[8721, 8 + 80 + 400, 7],
    );
    body(
        "var m = mat3x2<f32>(vec2(1, 2), vec2(3, 4), vec2(5, 6)); let i = out[0];
         m[i][1] = 9.0; m[2] = m[i] + m[0]; let n = m;
         out[0] = u32(m[2].x * 10 + m[2].y); out[1] = u32(n[1][i]); out[2] = u32(transpose(n)[1][i + 1]);",
        &[1, 0, 0],
        &[51, 9, 11],
    );
    leaves(
        "struct Inner { a: u32, b: array<u32, 3> } struct Outer { i: array<Inner, 2>, c: vec2<u32> }
         fn make(x: u32) -> Outer { return Outer(array(Inner(x, array(1u, 2u, 3u)), Inner()), vec2(x)); }
         fn sum(o: Outer) -> u32 { var s = o.c.y; for (var k = 0; k < 2; k++) { s += o.i[k].a + o.i[k].b[k]; } return s; }
         @compute @workgroup_size(1) fn main() {
             var o = make(out[0]); o.i[1] = o.i[0]; o.i[1].b[out[1]] = 50; let copy = o; o.c = vec2(99u);
             out[0] = sum(o); out[1] = sum(copy); out[2] = copy.i[out[2]].b[2];
         }",
        &[4, 1, 1],
        &[99 + 4 + 1 + 4 + 50, 4 + 4 + 1 + 4 + 50, 3],
    );
}

#[test]
fn pointers_lead_to_what_they_were_made_from() {
    leaves(
        "struct P { x: u32, y: array<u32, 4> }
         var<private> g: P = P(1, array(2, 3, 4, 5));
         fn bump(p: ptr<function, u32>, by: u32) -> u32 { *p += by; return *p; }
         fn grow(p: ptr<private, array<u32, 4>>, i: u32) { (*p)[i] *= 10; let q = &(*p)[3]; *q += 1; }
         fn swap(a: ptr<function, u32>, b: ptr<function, u32>) { let t = *a; *a = *b; *b = t; }
         @compute @workgroup_size(1) fn main() {
             var x = 5u; var list = array<u32, 3>(1, 2, 3); let i = out[0];
             let p = &list[i]; *p += 10; let r = bump(&list[i], 7) + bump(&x, 1);
             swap(&x, &list[0]); grow(&g.y, i);
             out[0] = r; out[1] = x; out[2] = list[0] * 100 + list[1]; out[3] = g.y[1] * 100 + g.y[3]; out[4] = g.x;
         }",
        &[1, 0, 0, 0, 0],
        &[19 + 6, 1, 600 + 19, 3000 + 6, 1],
    );
}

#[test]
fn indices_out_of_bounds_read_zero_and_write_nothing() {
    body(
        "var list = array<u32, 3>(1, 2, 3); var v = vec3(4u, 5u, 6u); let i = out[0];
         list[i] = 77; v[i] = 88; out[0] = list[i] + v[i] + list[0] + v[2]; out[i] = 5; out[1] = out[i] + 1;",
        &[100, 0],
        &[7, 1],
    );
}

#[test]
fn lengths_of_runtime_sized_arrays() {
    let source = "struct T { n: u32, @align(16) v: vec3<u32>, items: array<vec2<u32>> }
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @group(0) @binding(1) var<storage, read_write> t: T;
        @group(0) @binding(2) var<storage> s: array<array<u32, 3>>;
        @compute @workgroup_size(1) fn main() {
            let p = &t.items; let q = &t;
            out[0] = arrayLength(&out); out[1] = arrayLength(p); out[2] = arrayLength(&(*q).items); out[3] = arrayLength(&s);
            t.items[t.n].y = t.v.z + s[1][2];
        }";
    // `n` at 0, `v` at 16, `items` at 32.
    let mut t = vec![0u32; 8 + 2 * 5 + 1];
    (t[0], t[6]) = (4, 30);
    let buffers = [vec![0; 16], from_u32(&t), from_u32(&[0, 1, 2, 3, 4, 5, 6])];
    let after = run_exact(source, &buffers, [1, 1, 1]);
    assert_eq!(to_u32(&after[0]), [4, 5, 5, 2]);
    t[8 + 4 * 2 + 1] = 35;
    assert_eq!(to_u32(&after[1]), t);
}

#[test]
fn layouts_with_size_and_align_and_matrices() {
    let source =
        "struct M { @size(12) a: u32, b: mat3x3<f32>, @align(32) c: mat2x2<f32>, d: array<mat4x2<f32>, 2>, e: f64 }
        @group(0) @binding(0) var<uniform> u: M;
        @group(0) @binding(1) var<storage, read_write> out: array<M>;
        @compute @workgroup_size(1) fn main() { out[1] = u; out[1].b[2].y += 1.0; out[1].d[1][3] = u.c[1]; }";
    // a 0, b 16 (columns of 16), c 64, d 80 (32 each), e 144: 160 bytes.
    let words: Vec<f32> = (0..40).map(|i| i as f32).collect();
    let after = run_exact(source, &[from_f32(&words), vec![0; 320]], [1, 1, 1]);
    let out = to_f32(&after[1]);
    let padding = [1, 2, 3, 7, 11, 15, 38, 39];
    for i in 0..40 {
        let want = match i {
            13 => 14.0,
            34 | 35 => words[i - 16],
            _ if padding.contains(&i) => 0.0,
            _ => words[i],
        };
        assert_eq!(out[40 + i], want, "word {i}");
    }
    assert!(out[..40].iter().all(|x| *x == 0.0));
}

#[test]
fn switches_choose_one_arm() {
    let source = "fn pick(x: i32) -> u32 {
            switch x { case 1, 2: { return 10; } default: { if (x > 50) { break; } return 20; } case -3: {} case 7, 8, 9: { return 30; } }
            return 40;
        }
        fn count(n: u32) -> u32 {
            var s = 0u;
            for (var i = 0u; i < n; i++) {
                switch i { case 2u: { continue; } case 5u: { s += 100; break; } case 8u: { return s + 1000; } default: { s += 1; } }
                s += 10;
            }
            return s;
        }
        @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) l: u32) {
            out[l] = pick(bitcast<i32>(out[l])) + count(l + 2u);
        }";
    let input = [1i32, 2, -3, 7, 9, 0, 60, -4].map(i32::cast_unsigned);
    let picked = [10, 10, 40, 30, 30, 20, 40, 20];
    let count = |n: u32| -> u32 {
        let mut s = 0;
        for i in 0..n {
            match i {
                2 => continue,
                5 => s += 100,
                8 => return s + 1000,
                _ => s += 1,
            }
            s += 10;
        }
        s
    };
    let expected: Vec<u32> = (0..8).map(|l| picked[l as usize] + count(l + 2)).collect();
    leaves(source, &input, &expected);
}

#[test]
fn loops_leave_and_go_on_where_they_say() {
    let source = "fn forms(n: u32) -> u32 {
            var s = 0u; var i = 0u;
            loop { if (i == n) { break; } i++; if (i % 3u == 0u) { continue; } s += i; continuing { s += 100; } }
            while (s % 7u != 0u) { s += 1; if (s > 5000u) { return s; } }
            loop { s += 2; continuing { i--; break if i == 0u || s > 2000u; } }
            for (;;) { s += 3; if (s % 4u == 1u) { break; } }
            for (var k = n; k > 0; k -= 1) { for (var j = 0u; j < k; j += 2) { if (j == 4u) { break; } if (k == 3u) { continue; } s += j; } }
            { let s = 9u; _ = s; }
            return s;
        }
        @compute @workgroup_size(16) fn main(@builtin(local_invocation_index) l: u32) { out[l] = forms(l + 1u); }";
    fn forms(n: u32) -> u32 {
        let (mut s, mut i) = (0u32, 0u32);
        while i != n {
            i += 1;
            if i % 3 != 0 {
                s += i;
            }
            s += 100;
        }
        while s % 7 != 0 {
            s += 1;
            if s > 5000 {
                return s;
            }
        }
        loop {
            s += 2;
            i -= 1;
            if i == 0 || s > 2000 {
                break;
            }
        }
        loop {
            s += 3;
            if s % 4 == 1 {
                break;
            }
        }
        for k in (1..=n).rev() {
            for j in (0..k).step_by(2) {
                if j == 4 {
                    break;
                }
                if k != 3 {
                    s += j;
                }
            }
        }
        s
    }
    let expected: Vec<u32> = (1..17).map(forms).collect();
    leaves(source, &[0; 16], &expected);
}

#[test]
fn a_uniform_load_takes_any_type() {
    let source = "struct S { a: u32, b: array<vec2<f32>, 3>, c: bool }
        var<workgroup> s: S; var<workgroup> list: array<u32, 5>; var<workgroup> one: atomic<i32>; var<workgroup> m: mat2x2<f32>;
        @compute @workgroup_size(32) fn main(@builtin(local_invocation_index) l: u32) {
            if (l == 3u) { s.a = 4; s.b[2].y = 7.0; s.c = true; list[4] = 9; m[1] = vec2(2.0, 3.0); }
            atomicAdd(&one, 2);
            let t = workgroupUniformLoad(&s); let u = workgroupUniformLoad(&list); let v = workgroupUniformLoad(&one);
            let w = workgroupUniformLoad(&m); let x = workgroupUniformLoad(&list[4]);
            out[l] = t.a + u32(t.b[2].y) * 10 + u32(t.c) * 100 + u[4] * 1000 + u32(v) * 10000 + u32(w[1].y) + x * 1000000;
        }";
    leaves(source, &[0; 32], &[4 + 70 + 100 + 9000 + 640_000 + 3 + 9_000_000; 32]);
}

#[test]
fn every_kind_of_barrier_orders_work_group_memory() {
    for barrier in ["workgroupBarrier", "storageBarrier", "textureBarrier"] {
        let source = format!(
            "var<workgroup> tile: array<u32, 64>;
             @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) l: u32) {{
                 tile[l] = l * l; {barrier}(); out[l] = tile[63u - l];
             }}"
        );
        leaves(&source, &[0; 64], &(0..64u32).map(|l| (63 - l) * (63 - l)).collect::<Vec<_>>());
    }
}

#[test]
fn declarations_of_every_kind_are_read() {
    leaves(
        "alias Pair = vec2<u32>; const_assert 2 + 2 == 4;
         @must_use fn first(p: Pair) -> u32 { const_assert true; return p.x; }
         @diagnostic(off, derivative_uniformity) fn second(p: Pair) -> u32 { _ = first(p); return p.y; }
         struct In { @builtin(local_invocation_index) l: u32, @builtin(workgroup_id) g: vec3<u32> }
         @compute @workgroup_size(2, 1, 1) fn main(in: In, @builtin(num_workgroups) n: vec3<u32>) {
             let p = Pair(in.l + 3, n.x); var x = first(p); x <<= 1u; x |= 64; x ^= 1; x &= 0xfe; x %= 100; x /= 2; x--;
             out[in.l] = x + second(p) + in.g.x;
         }",
        &[0; 2],
        &[((3 << 1 | 64) & 0xfe) / 2 - 1 + 1, ((4 << 1 | 64) & 0xfe) / 2 - 1 + 1],
    );
    // Memory decorations and an output change nothing.
    leaves(
        "@group(0) @binding(1) @coherent var<storage, read_write> unused: array<u32>;
         @compute @workgroup_size(1) fn main() { out[0] = 3; storageBarrier(); out[1] = out[0]; }",
        &[0; 2],
        &[3, 3],
    );
}
