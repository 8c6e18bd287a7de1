// The sum of a value of each of the 64 invocations of a work-group, by a tree. Only the first of them gets it.

const GROUP = 64u;

var<workgroup> sums: array<T, GROUP>;

fn group_sum(value: T, local: u32) -> T {
    sums[local] = value;
    for (var width = GROUP / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if local < width {
            sums[local] += sums[local + width];
        }
    }
    return sums[local];
}
