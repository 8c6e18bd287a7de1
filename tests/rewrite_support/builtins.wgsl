struct In {
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
}
@group(0) @binding(0) var<storage, read_write> y: array<vec4<u32>>;
@group(3) @binding(1) var<storage, read_write> z: array<vec3<u32>>;
var<workgroup> tile: array<u32, 24>;

@compute @workgroup_size(2, 3, 4)
fn mixed(in: In, @builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    tile[in.index] = local.x;
    workgroupBarrier();
    y[in.id.x] = vec4(group, tile[23u - in.index] + in.groups.y);
}

@compute @workgroup_size(1)
fn none() {
    y[0].x = 7u;
}

@compute @workgroup_size(8, 8)
fn copies(@builtin(global_invocation_id) a: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
    z[a.y * n.x + a.x] = a;
}
