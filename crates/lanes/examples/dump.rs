//! Prints the lane IR of a WGSL file, as the front end makes it and after the passes.

fn main() {
    let path = std::env::args().nth(1).expect("a WGSL file");
    let source = std::fs::read_to_string(path).expect("the file");
    let module = evener_lanes::Module::parse(&source).unwrap_or_else(|e| panic!("{e}"));
    for entry in module.entries() {
        let kernel = module.lower(entry).unwrap_or_else(|e| panic!("{e}"));
        println!("{}", evener_lanes::passes::optimize(kernel, true));
    }
}
