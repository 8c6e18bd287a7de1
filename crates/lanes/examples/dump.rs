//! Prints the lane IR of a WGSL file.
fn main() {
    let path = std::env::args().nth(1).expect("a WGSL file");
    let text = std::fs::read_to_string(path).expect("readable");
    let module = evener_lanes::Module::parse(&text).unwrap().specialize(&Default::default()).unwrap();
    let entry = module.entries().next().unwrap().to_owned();
    let kernel = module.lower(&entry).unwrap();
    println!("{kernel}");
    let program = evener_lanes::Program::new(kernel).unwrap();
    let mut data = vec![0u8; 4 * 100];
    let grid = evener_lanes::Grid { groups: [2, 1, 1] };
    program.run(&[evener_lanes::Buffer::write(&mut data)], grid, evener_lanes::GroupRange::all(grid)).unwrap();
    println!("{:?}", data.chunks(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect::<Vec<_>>());
}
