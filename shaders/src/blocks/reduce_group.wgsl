// Reductions by work-groups over contiguous elements: each invocation takes every 64th, then a tree joins the 64.
const WIDTH = 64u;

var<workgroup> firsts: array<First, WIDTH>;
var<workgroup> seconds: array<Second, WIDTH>;
