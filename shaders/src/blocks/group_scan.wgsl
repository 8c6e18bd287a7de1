// The inclusive scan over a work-group of `WIDTH` invocations of one `Part` each, which is left in `sums`.
var<workgroup> sums: array<Part, WIDTH>;

fn group_scan(value: Part, lane: u32) {
    sums[lane] = value;
    workgroupBarrier();
    for (var step = 1u; step < WIDTH; step *= 2u) {
        var before = Part(0);
        if lane >= step {
            before = sums[lane - step];
        }
        workgroupBarrier();
        sums[lane] += before;
        workgroupBarrier();
    }
}
