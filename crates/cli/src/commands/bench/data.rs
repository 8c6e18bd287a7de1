//! The arguments of a cell: host slices, or arrays whose only valid copy is on a device before each call.

use super::{
    kernels::{Buffer, Fill, Kind, Shape},
    peers::Peer,
};
use anyhow::Result;
use evener::{
    call::args::HostArg,
    prelude::{Array, Call, Kernel, Placement, Report, Runtime, ScalarKind},
    schedule::plan::Assignment,
};
use evener_lanes::GroupRange;

/// Where the arguments are before each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// Host slices: what a device needs goes up and what it wrote comes down in every call.
    Host,
    /// Arrays on this device (its place among the runtime's, the CPU is 0).
    Device(usize),
}

/// The arguments of one cell.
pub struct Data {
    shape: Shape,
    stores: Vec<Store>,
    home: Home,
    /// The id of the device that is home.
    home_id: Option<String>,
    /// Whether arrays are where they belong.
    at_home: bool,
}

enum Store {
    Host(Vec<u32>),
    Floats(Array<f32>),
    Words(Array<u32>),
    Vectors(Array<[f32; 4]>),
}

/// Kernels that rewrite an array where it is, so that no other device has a valid copy.
pub struct Touch {
    floats: Kernel,
    words: Kernel,
    vectors: Kernel,
}

impl Touch {
    /// For arrays of a runtime.
    ///
    /// # Errors
    /// The runtime's.
    pub fn new(runtime: &Runtime) -> Result<Self> {
        let kernel = |ty: &str| {
            runtime.kernel(&format!(
                "@group(0) @binding(0) var<storage, read_write> data: array<{ty}>;
                 @compute @workgroup_size(256) fn touch(@builtin(global_invocation_id) id: vec3<u32>) {{
                     if id.x < arrayLength(&data) {{ data[id.x] = data[id.x]; }}
                 }}"
            ))
        };
        Ok(Touch { floats: kernel("f32")?, words: kernel("u32")?, vectors: kernel("vec4<f32>")? })
    }
}

impl Data {
    /// Fresh arguments.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn new(runtime: &Runtime, shape: Shape, home: Home) -> Result<Self> {
        let store = |buffer: &Buffer| -> Result<Store> {
            let words = words(buffer);
            Ok(match (home, buffer.kind) {
                (Home::Host, _) => Store::Host(words),
                (_, Kind::Float) => {
                    Store::Floats(runtime.array_from_vec(words.into_iter().map(f32::from_bits).collect()))
                }
                (_, Kind::Word) => Store::Words(runtime.array_from_vec(words)),
                (_, Kind::Vector) => {
                    let (vectors, _) = words.as_chunks::<4>();
                    Store::Vectors(runtime.array_from_vec(vectors.iter().map(|v| v.map(f32::from_bits)).collect()))
                }
            })
        };
        let stores = shape.buffers.iter().map(store).collect::<Result<_>>()?;
        let home_id = match home {
            Home::Host => None,
            Home::Device(device) => runtime.devices().into_iter().nth(device).map(|d| d.id),
        };
        Ok(Data { shape, stores, home, home_id, at_home: false })
    }

    /// A call of the kernel with these arguments.
    pub fn call<'a>(&'a mut self, kernel: &'a Kernel) -> Call<'a> {
        let mut call = kernel.call().items(self.shape.items);
        for (name, value) in &self.shape.uniforms {
            call = call.set_text(*name, value);
        }
        for (buffer, store) in self.shape.buffers.iter().zip(&mut self.stores) {
            let name = buffer.name;
            call = match (store, buffer.written) {
                (Store::Host(words), written) => call.arg(name, host(buffer, words, written)),
                (Store::Floats(array), true) => call.arg(name, array),
                (Store::Floats(array), false) => call.arg(name, &*array),
                (Store::Words(array), true) => call.arg(name, array),
                (Store::Words(array), false) => call.arg(name, &*array),
                (Store::Vectors(array), true) => call.arg(name, array),
                (Store::Vectors(array), false) => call.arg(name, &*array),
            };
        }
        call
    }

    /// Brings everything home, untimed. It teaches no runtime anything: the parts are given.
    ///
    /// # Errors
    /// The device's.
    pub fn go_home(&mut self, touch: &Touch) -> Result<()> {
        let Home::Device(device) = self.home else { return Ok(()) };
        if self.at_home {
            return Ok(());
        }
        for store in &mut self.stores {
            let call = match store {
                Store::Host(_) => continue,
                Store::Floats(array) => touch.floats.call().items(array.len()).arg("data", array),
                Store::Words(array) => touch.words.call().items(array.len()).arg("data", array),
                Store::Vectors(array) => touch.vectors.call().items(array.len()).arg("data", array),
            };
            let (grid, _) = call.cut_axis()?;
            call.assignments(vec![Assignment { device, range: GroupRange::all(grid) }]).run()?;
        }
        self.at_home = true;
        Ok(())
    }

    /// Takes note of where a call left the arguments.
    pub fn after(&mut self, report: &Report) {
        // A call on the home device alone that moved nothing left all copies where they were.
        let ran_at_home = self.home_id.as_ref().is_some_and(|id| report.placement.contains_key(id));
        self.at_home = ran_at_home && report.placement.len() == 1 && report.moves.is_empty();
    }

    /// Runs the kernel as it is written by hand, on host slices. Arrays are left alone.
    pub fn by_hand(&mut self, peer: Peer) {
        let taken = self.stores.iter_mut().map(|store| match store {
            Store::Host(words) => Some(std::mem::take(words)),
            _ => None,
        });
        let Some(mut words) = taken.collect::<Option<Vec<Vec<u32>>>>() else { return };
        peer(&self.shape, &mut words);
        self.stores = words.into_iter().map(Store::Host).collect();
    }

    /// The words of the written buffers on the host: for comparing devices.
    ///
    /// # Errors
    /// The device's.
    pub fn results(&mut self) -> Result<Vec<Vec<u32>>> {
        self.at_home = false;
        let read = |(_, store): (&Buffer, &Store)| -> Result<Vec<u32>> {
            Ok(match store {
                Store::Host(words) => words.clone(),
                Store::Floats(array) => array.read()?.iter().map(|v| v.to_bits()).collect(),
                Store::Words(array) => array.to_vec()?,
                Store::Vectors(array) => array.read()?.iter().flatten().map(|v| v.to_bits()).collect(),
            })
        };
        self.shape.buffers.iter().zip(&self.stores).filter(|(b, _)| b.written).map(read).collect()
    }
}

/// A placement for the device at a place of the runtime.
pub fn alone(device: usize) -> Placement {
    device.checked_sub(1).map_or(Placement::Cpu, |k| Placement::Gpu(Some(k)))
}

fn host<'a>(buffer: &Buffer, words: &'a mut [u32], written: bool) -> HostArg<'a> {
    let kind = if buffer.kind == Kind::Word { ScalarKind::U32 } else { ScalarKind::F32 };
    let scalars = [words.len()];
    let vectors = [words.len() / 4, 4];
    let shape: &[usize] = if buffer.kind == Kind::Vector { &vectors } else { &scalars };
    if written {
        HostArg::from_bytes_mut(kind, shape, as_bytes_mut(words))
    } else {
        HostArg::from_bytes(kind, shape, as_bytes_mut(words))
    }
}

fn as_bytes_mut(words: &mut [u32]) -> &mut [u8] {
    bytemuck::cast_slice_mut(words)
}

/// What a buffer starts with, the same in every run.
fn words(buffer: &Buffer) -> Vec<u32> {
    let n = buffer.kind.words() * buffer.len;
    let noise = |i: usize| (i as u32).wrapping_mul(0x9E37_79B9).rotate_left(13).wrapping_mul(0x85EB_CA6B);
    match buffer.fill {
        Fill::Zero => vec![0; n],
        Fill::Near1 => (0..n).map(|i| (0.5 + noise(i) as f32 / u32::MAX as f32).to_bits()).collect(),
        Fill::Byte => (0..n).map(|i| noise(i) >> 24).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::kernels, *};

    fn cpu() -> Runtime {
        Runtime::builder().gpu(false).profile(None).build().unwrap()
    }

    /// The benchmark's own WGSL against plain Rust, and arrays against slices for all kernels.
    #[test]
    fn slices_and_arrays_give_the_same_results() {
        let runtime = cpu();
        for name in kernels::NAMES {
            let spec = kernels::spec(name).unwrap();
            let kernel = runtime.kernel(spec.source).unwrap();
            let results = [Home::Host, Home::Device(0)].map(|home| {
                let mut data = Data::new(&runtime, (spec.shape)(1000), home).unwrap();
                data.call(&kernel).on(Placement::Cpu).run().unwrap();
                data.results().unwrap()
            });
            assert_eq!(results[0], results[1], "{name}");
            assert!(results[0].iter().flatten().any(|w| *w != 0), "{name}");
        }
    }

    #[test]
    fn matmul_and_reduce_are_right() {
        let runtime = cpu();
        let run = |name: &str, n: u64| {
            let spec = kernels::spec(name).unwrap();
            let kernel = runtime.kernel(spec.source).unwrap();
            let shape = (spec.shape)(n);
            let inputs: Vec<Vec<f64>> = (shape.buffers.iter().filter(|b| !b.written))
                .map(|b| words(b).into_iter().map(|w| f64::from(f32::from_bits(w))).collect())
                .collect();
            let mut data = Data::new(&runtime, shape, Home::Host).unwrap();
            data.call(&kernel).on(Placement::Cpu).run().unwrap();
            let results: Vec<f64> =
                data.results().unwrap().remove(0).into_iter().map(|w| f32::from_bits(w).into()).collect();
            (inputs, results)
        };
        let (inputs, c) = run("matmul", 21 * 21);
        for (i, got) in c.into_iter().enumerate() {
            let want: f64 = (0..21).map(|k| inputs[0][i / 21 * 21 + k] * inputs[1][k * 21 + i % 21]).sum();
            assert!((got / want - 1.0).abs() < 1e-5, "[{i}] {got} for {want}");
        }
        let (inputs, sums) = run("reduce", 1000);
        for (got, block) in sums.into_iter().zip(inputs[0].chunks(256)) {
            assert!((got / block.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn options_at_the_money_cost_what_the_formula_says() {
        let runtime = cpu();
        let kernel = runtime.kernel(kernels::spec("black_scholes").unwrap().source).unwrap();
        let (spot, strike, years, mut price) = ([100.0f32], [100.0f32], [1.0f32], [0.0f32]);
        let call = kernel.call().set("rate", 0.03f32).arg("spot", &spot).arg("strike", &strike);
        call.arg("years", &years).arg("price", &mut price).items(1).on(Placement::Cpu).run().unwrap();
        // d1 = 0.25, d2 = -0.05: 100 N(0.25) - 100 exp(-0.03) N(-0.05).
        assert!((price[0] - 13.2833).abs() < 1e-2, "{}", price[0]);
    }
}
