//! Golden text of the lane IR for small kernels.

use evener_lanes::{Module, ir::verify::verify};

fn lower(source: &str) -> String {
    let module = Module::parse(source).unwrap_or_else(|e| panic!("{e}"));
    let kernel = module.lower("main").unwrap_or_else(|e| panic!("{e}"));
    let text = kernel.to_string();
    verify(&kernel).unwrap_or_else(|e| panic!("{e}\n{text}"));
    text
}

#[test]
fn saxpy_is_guarded_by_one_branch() {
    let text = lower(
        "
        struct Params { a: f32, n: u32 }
        @group(0) @binding(0) var<uniform> params: Params;
        @group(0) @binding(1) var<storage, read> x: array<f32>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if (id.x >= params.n) { return; }
            y[id.x] = params.a * x[id.x] + y[id.x];
        }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(64, 1, 1)
      @group(0) @binding(0) uniform params: 8 bytes [read]
      @group(0) @binding(1) storage x: 0 bytes + runtime * 4 [read]
      @group(0) @binding(2) storage y: 0 bytes + runtime * 4 [read write]
    body
      %0: u32 = global_id.x
      %1: u32 = load params + 4
      %2: f32 = load params
      %3: bool = ge %0, %1
      if %3
      else
        %4: f32 = load x[%0 : 4 : runtime]
        %5: f32 = mul %2, %4
        %6: f32 = load y[%0 : 4 : runtime]
        %7: f32 = add %5, %6
        store y[%0 : 4 : runtime] = %7
      end
    ");
}

#[test]
fn guards_of_a_stencil_enclose_its_accesses() {
    let text = lower(
        "
        struct Params { w: u32, h: u32 }
        @group(0) @binding(0) var<uniform> params: Params;
        @group(0) @binding(1) var<storage, read> a: array<f32>;
        @group(0) @binding(2) var<storage, read_write> b: array<f32>;
        @compute @workgroup_size(8, 8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let x = id.x;
            let y = id.y;
            if (x >= params.w || y >= params.h) { return; }
            let i = y * params.w + x;
            if (x == 0u || y == 0u || x + 1u >= params.w || y + 1u >= params.h) {
                b[i] = a[i];
                return;
            }
            b[i] = 0.25 * (a[i - 1u] + a[i + 1u] + a[i - params.w] + a[i + params.w]);
        }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(8, 8, 1)
      @group(0) @binding(0) uniform params: 8 bytes [read]
      @group(0) @binding(1) storage a: 0 bytes + runtime * 4 [read]
      @group(0) @binding(2) storage b: 0 bytes + runtime * 4 [write]
    body
      %0: u32 = global_id.x
      %1: u32 = global_id.y
      %2: u32 = load params
      %3: u32 = load params + 4
      %4: u32 = 0
      %5: u32 = 1
      %6: f32 = 0.25
      %7: bool = ge %0, %2
      %8: bool = ge %1, %3
      %9: bool = or %7, %8
      if %9
      else
        %10: u32 = mul %1, %2
        %11: u32 = add %10, %0
        %12: bool = eq %0, %4
        %13: bool = eq %1, %4
        %14: bool = or %12, %13
        %15: u32 = add %0, %5
        %16: bool = ge %15, %2
        %17: bool = or %14, %16
        %18: u32 = add %1, %5
        %19: bool = ge %18, %3
        %20: bool = or %17, %19
        if %20
          %21: f32 = load a[%11 : 4 : runtime]
          store b[%11 : 4 : runtime] = %21
        else
          %22: u32 = sub %11, %5
          %23: f32 = load a[%22 : 4 : runtime]
          %24: u32 = add %11, %5
          %25: f32 = load a[%24 : 4 : runtime]
          %26: f32 = add %23, %25
          %27: u32 = sub %11, %2
          %28: f32 = load a[%27 : 4 : runtime]
          %29: f32 = add %26, %28
          %30: u32 = add %11, %2
          %31: f32 = load a[%30 : 4 : runtime]
          %32: f32 = add %29, %31
          %33: f32 = mul %6, %32
          store b[%11 : 4 : runtime] = %33
        end
      end
    ");
}

#[test]
fn a_for_loop_tests_before_its_body() {
    let text = lower(
        "
        @group(0) @binding(0) var<storage, read> a: array<f32>;
        @group(0) @binding(1) var<storage, read_write> out: array<f32>;
        @group(0) @binding(2) var<uniform> n: u32;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            var sum = 0.0;
            for (var j = 0u; j < n; j++) { sum += a[id.x * n + j]; }
            out[id.x] = sum;
        }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(64, 1, 1)
      @group(0) @binding(0) storage a: 0 bytes + runtime * 4 [read]
      @group(0) @binding(1) storage out: 0 bytes + runtime * 4 [write]
      @group(0) @binding(2) uniform n: 4 bytes [read]
    body
      %0: u32 = global_id.x
      %1: f32 = 0.0
      %2: u32 = 0
      %3: u32 = load n
      %4: u32 = 1
      %5: u32 = mul %0, %3
      loop
        %6: f32 = param %1 next %13
        %7: u32 = param %2 next %14
        %8: bool = lt %7, %3
        if %8
          %9: u32 = add %5, %7
          %10: f32 = load a[%9 : 4 : runtime]
          %11: f32 = add %6, %10
          %12: u32 = add %7, %4
        end
        %13: f32 = phi %11 | %6
        %14: u32 = phi %12 | %7
      while %8
      %15: f32 = last %13
      %16: u32 = last %14
      store out[%0 : 4 : runtime] = %15
    ");
}

#[test]
fn break_and_continue_become_conditions() {
    let text = lower(
        "
        @group(0) @binding(0) var<storage, read> a: array<i32>;
        @group(0) @binding(1) var<storage, read_write> out: array<i32>;
        @compute @workgroup_size(1)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            var sum = 0;
            for (var j = 0; j < 10; j++) {
                let v = a[j];
                if (v < 0) { continue; }
                if (v > 100) { break; }
                sum += v;
            }
            out[id.x] = sum;
        }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(1, 1, 1)
      @group(0) @binding(0) storage a: 0 bytes + runtime * 4 [read]
      @group(0) @binding(1) storage out: 0 bytes + runtime * 4 [write]
    body
      %0: u32 = global_id.x
      %1: i32 = 0
      %2: bool = false
      %3: i32 = 10
      %4: i32 = 100
      %5: i32 = 1
      loop
        %6: i32 = param %1 next %19
        %7: i32 = param %1 next %20
        %8: bool = lt %7, %3
        if %8
          %9: i32 = load a[%7 : 4 : runtime]
          %10: bool = lt %9, %1
          if %10
          else
            %11: bool = gt %9, %4
            if %11
            else
              %12: i32 = add %6, %9
            end
            %13: i32 = phi %6 | %12
          end
          %14: i32 = phi %6 | %13
          %15: bool = phi %2 | %11
          %16: bool = not %15
          %17: i32 = add %7, %5
        end
        %18: bool = phi %16 | %2
        %19: i32 = phi %14 | %6
        %20: i32 = phi %17 | %7
      while %18
      %21: i32 = last %19
      %22: i32 = last %20
      store out[%0 : 4 : runtime] = %21
    ");
}

#[test]
fn a_switch_becomes_a_tree_of_branches() {
    let text = lower(
        "
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @compute @workgroup_size(1)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            switch a[id.x] {
                case 0u: { a[id.x] = 10u; }
                case 1u, 2u: { a[id.x] = 20u; }
                default: { a[id.x] = 30u; }
                case 7u: { return; }
            }
            a[id.x + 1u] = 1u;
        }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(1, 1, 1)
      @group(0) @binding(0) storage a: 0 bytes + runtime * 4 [read write]
    body
      %0: u32 = global_id.x
      %1: bool = false
      %2: u32 = 0
      %3: u32 = 1
      %4: u32 = 2
      %5: u32 = 10
      %6: u32 = 20
      %7: u32 = 7
      %8: u32 = 30
      %9: u32 = load a[%0 : 4 : runtime]
      %10: bool = eq %9, %2
      %11: bool = eq %9, %3
      %12: bool = or %10, %11
      %13: bool = eq %9, %4
      %14: bool = or %12, %13
      if %14
        if %10
          store a[%0 : 4 : runtime] = %5
        else
          %15: bool = or %11, %13
          if %15
            store a[%0 : 4 : runtime] = %6
          end
        end
      else
        %16: bool = eq %9, %7
        if %16
        else
          store a[%0 : 4 : runtime] = %8
        end
      end
      %17: bool = phi %1 | %16
      %18: bool = not %17
      if %18
        %19: u32 = add %0, %3
        store a[%19 : 4 : runtime] = %3
      end
    ");
}

#[test]
fn an_early_return_of_an_inlined_function_selects_its_result() {
    let text = lower(
        "
        @group(0) @binding(0) var<storage, read_write> a: array<f32>;
        fn root(x: f32) -> f32 {
            if (x < 0.0) { return -1.0; }
            return sqrt(x);
        }
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) { a[id.x] = root(a[id.x]); }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(64, 1, 1)
      @group(0) @binding(0) storage a: 0 bytes + runtime * 4 [read write]
    body
      %0: u32 = global_id.x
      %1: f32 = 0.0
      %2: f32 = -1.0
      %3: f32 = load a[%0 : 4 : runtime]
      %4: bool = lt %3, %1
      %5: f32 = sqrt %3
      %6: f32 = select %4, %2, %5
      store a[%0 : 4 : runtime] = %6
    ");
}

#[test]
fn struct_members_are_places_with_offsets() {
    let text = lower(
        "
        struct Body { position: vec3<f32>, mass: f32, velocity: vec3<f32> }
        struct World { count: u32, bodies: array<Body> }
        @group(0) @binding(0) var<storage, read_write> world: World;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if (id.x < world.count && id.x < arrayLength(&world.bodies)) {
                world.bodies[id.x].position += world.bodies[id.x].velocity * world.bodies[id.x].mass;
            }
        }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(64, 1, 1)
      @group(0) @binding(0) storage world: 16 bytes + runtime * 32 [read write]
    body
      %0: u32 = global_id.x
      %1: u32 = array_length world
      %2: u32 = load world
      %3: bool = lt %0, %2
      %4: bool = lt %0, %1
      %5: bool = and %3, %4
      if %5
        %6: f32 = load world[%0 : 32 : runtime] + 16
        %7: f32 = load world[%0 : 32 : runtime] + 20
        %8: f32 = load world[%0 : 32 : runtime] + 24
        %9: f32 = load world[%0 : 32 : runtime] + 32
        %10: f32 = load world[%0 : 32 : runtime] + 36
        %11: f32 = load world[%0 : 32 : runtime] + 40
        %12: f32 = load world[%0 : 32 : runtime] + 28
        %13: f32 = mul %9, %12
        %14: f32 = mul %10, %12
        %15: f32 = mul %11, %12
        %16: f32 = add %6, %13
        %17: f32 = add %7, %14
        %18: f32 = add %8, %15
        store world[%0 : 32 : runtime] + 16 = %16
        store world[%0 : 32 : runtime] + 20 = %17
        store world[%0 : 32 : runtime] + 24 = %18
      end
    ");
}

#[test]
fn a_vec3_store_leaves_its_padding() {
    let text = lower(
        "
        @group(0) @binding(0) var<storage, read_write> a: array<vec3<f32>, 4>;
        @compute @workgroup_size(4)
        fn main(@builtin(local_invocation_index) i: u32) { a[i] = vec3(1.0, 2.0, f32(i)); a[2].y = 5.0; }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(4, 1, 1)
      @group(0) @binding(0) storage a: 64 bytes [write]
    body
      %0: u32 = local_index
      %1: f32 = 1.0
      %2: f32 = 2.0
      %3: f32 = 5.0
      %4: f32 = convert %0
      store a[%0 : 16 : 4] = %1
      store a[%0 : 16 : 4] + 4 = %2
      store a[%0 : 16 : 4] + 8 = %4
      store a + 36 = %3
    ");
}

#[test]
fn a_local_array_indexed_at_run_time_lives_in_private_memory() {
    let text = lower(
        "
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            var bins: array<u32, 8>;
            for (var i = 0u; i < 16u; i++) { bins[a[i] % 8u] += 1u; }
            a[id.x] = bins[id.x % 8u];
        }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(64, 1, 1)
      @group(0) @binding(0) storage a: 0 bytes + runtime * 4 [read write]
      private bins: 32 bytes
    body
      %0: u32 = global_id.x
      %1: u32 = 0
      %2: u32 = 16
      %3: u32 = 8
      %4: u32 = 1
      loop
        %5: u32 = param %1 next %12
        %6: bool = lt %5, %2
        if %6
          %7: u32 = load a[%5 : 4 : runtime]
          %8: u32 = rem %7, %3
          %9: u32 = load bins[%8 : 4 : 8]
          %10: u32 = add %9, %4
          store bins[%8 : 4 : 8] = %10
          %11: u32 = add %5, %4
        end
        %12: u32 = phi %11 | %5
      while %6
      %13: u32 = last %12
      %14: u32 = rem %0, %3
      %15: u32 = load bins[%14 : 4 : 8]
      store a[%0 : 4 : runtime] = %15
    ");
}

#[test]
fn a_work_group_tile_is_loaded_awaited_and_read() {
    let text = lower(
        "
        @group(0) @binding(0) var<storage, read_write> a: array<f32>;
        var<workgroup> tile: array<f32, 64>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
            tile[l] = a[id.x];
            workgroupBarrier();
            a[id.x] = tile[63u - l];
        }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(64, 1, 1)
      @group(0) @binding(0) storage a: 0 bytes + runtime * 4 [read write]
      workgroup tile: 256 bytes
    body
      %0: u32 = global_id.x
      %1: u32 = local_index
      %2: u32 = 63
      %3: f32 = load a[%0 : 4 : runtime]
      store tile[%1 : 4 : 64] = %3
      barrier
      %4: u32 = sub %2, %1
      %5: f32 = load tile[%4 : 4 : 64]
      store a[%0 : 4 : runtime] = %5
    ");
}

#[test]
fn atomics_keep_only_the_results_that_are_used() {
    let text = lower(
        "
        @group(0) @binding(0) var<storage, read> a: array<u32>;
        @group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>, 256>;
        @group(0) @binding(2) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            atomicAdd(&bins[a[id.x] & 255u], 1u);
            let swap = atomicCompareExchangeWeak(&bins[0], 1u, 2u);
            if (swap.exchanged) { out[id.x] = swap.old_value + atomicLoad(&bins[1]); }
        }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(64, 1, 1)
      @group(0) @binding(0) storage a: 0 bytes + runtime * 4 [read]
      @group(0) @binding(1) storage bins: 1024 bytes [atomic]
      @group(0) @binding(2) storage out: 0 bytes + runtime * 4 [write]
    body
      %0: u32 = global_id.x
      %1: u32 = 255
      %2: u32 = 1
      %3: u32 = 2
      %4: u32 = 0
      %5: u32 = load a[%0 : 4 : runtime]
      %6: u32 = and %5, %1
      atomic_add bins[%6 : 4 : 256], %2
      %7: u32 = atomic_compareexchange bins, %3 expecting %2
      %8: bool = eq %7, %2
      if %8
        %9: u32 = atomic_load bins + 4, %4
        %10: u32 = add %7, %9
        store out[%0 : 4 : runtime] = %10
      end
    ");
}

#[test]
fn a_value_that_a_loop_does_not_change_is_computed_before_it() {
    let text = lower(
        "
        @group(0) @binding(0) var<storage, read_write> a: array<f32>;
        @group(0) @binding(1) var<uniform> size: vec2<u32>;
        @compute @workgroup_size(8, 8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            var i = 0u;
            loop {
                a[id.y * size.x + id.x + i * size.y] = 0.0;
                continuing { i += 1u; break if i >= size.x; }
            }
        }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(8, 8, 1)
      @group(0) @binding(0) storage a: 0 bytes + runtime * 4 [write]
      @group(0) @binding(1) uniform size: 8 bytes [read]
    body
      %0: u32 = global_id.x
      %1: u32 = global_id.y
      %2: u32 = 0
      %3: u32 = load size
      %4: u32 = load size + 4
      %5: f32 = 0.0
      %6: u32 = 1
      %7: u32 = mul %1, %3
      %8: u32 = add %7, %0
      loop
        %9: u32 = param %2 next %12
        %10: u32 = mul %9, %4
        %11: u32 = add %8, %10
        store a[%11 : 4 : runtime] = %5
        %12: u32 = add %9, %6
        %13: bool = lt %12, %3
      while %13
      %14: u32 = last %12
    ");
}

#[test]
fn a_pointer_argument_is_the_variable_it_points_to() {
    let text = lower(
        "
        @group(0) @binding(0) var<storage, read_write> a: array<f32>;
        fn bump(p: ptr<function, vec2<f32>>, by: f32) { (*p).y += by; }
        @compute @workgroup_size(1)
        fn main() {
            var v = vec2(a[0], a[1]);
            for (var i = 0; i < 3; i++) { bump(&v, f32(i)); }
            a[2] = v.x; a[3] = v.y;
        }",
    );
    insta::assert_snapshot!(text, @r"
    kernel main workgroup_size(1, 1, 1)
      @group(0) @binding(0) storage a: 0 bytes + runtime * 4 [read write]
    body
      %0: i32 = 0
      %1: u32 = 0
      %2: u32 = 1
      %3: i32 = 3
      %4: i32 = 1
      %5: u32 = 2
      %6: u32 = 3
      %7: f32 = load a[%1 : 4 : runtime]
      %8: f32 = load a[%2 : 4 : runtime]
      loop
        %9: f32 = param %8 next %15
        %10: i32 = param %0 next %16
        %11: bool = lt %10, %3
        if %11
          %12: f32 = convert %10
          %13: f32 = add %9, %12
          %14: i32 = add %10, %4
        end
        %15: f32 = phi %13 | %9
        %16: i32 = phi %14 | %10
      while %11
      %17: f32 = last %15
      %18: i32 = last %16
      store a[%5 : 4 : runtime] = %7
      store a[%6 : 4 : runtime] = %17
    ");
}
