//! The arguments of a cell: host slices, or arrays whose only valid copy is on a device before each call.

use super::{
    functions::Function,
    kernels::{Buffer, Fill, Kind, Shape},
    peers::Peer,
};
use anyhow::{Result, bail};
use evener::{
    call::args::{HostArg, IntoArg},
    prelude::{Array, Call, Element, Kernel, Report, Runtime, ScalarKind},
    schedule::plan::Assignment,
};
use evener_kernels::{Input, Output};
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

/// One argument.
pub enum Store {
    /// The words of a host slice.
    Host(Vec<u32>),
    /// An array.
    Floats(Array<f32>),
    /// An array.
    Words(Array<u32>),
    /// An array.
    Pairs(Array<[f32; 2]>),
    /// An array.
    Vectors(Array<[f32; 4]>),
}

impl Store {
    /// As an argument of floats.
    ///
    /// # Errors
    /// It holds others.
    pub fn floats(&mut self) -> Result<Operand<'_, f32>> {
        match self {
            Store::Host(words) => Ok(Operand::Slice(bytemuck::cast_slice_mut(words))),
            Store::Floats(array) => Ok(Operand::Array(array)),
            _ => bail!("an argument of floats is none"),
        }
    }

    /// As an argument of words.
    ///
    /// # Errors
    /// It holds others.
    pub fn words(&mut self) -> Result<Operand<'_, u32>> {
        match self {
            Store::Host(words) => Ok(Operand::Slice(words)),
            Store::Words(array) => Ok(Operand::Array(array)),
            _ => bail!("an argument of words is none"),
        }
    }
}

/// A store as the functions of the library take it.
pub enum Operand<'a, T: Element> {
    /// On the host.
    Slice(&'a mut [T]),
    /// Where it was last used.
    Array(&'a mut Array<T>),
}

impl<T: Element> Input<T> for Operand<'_, T> {
    fn count(&self) -> usize {
        match self {
            Operand::Slice(slice) => slice.len(),
            Operand::Array(array) => array.len(),
        }
    }

    fn as_arg(&self) -> HostArg<'_> {
        match self {
            Operand::Slice(slice) => (&**slice).into_arg(),
            Operand::Array(array) => (&**array).into_arg(),
        }
    }

    fn copy_to(&self, array: &mut Array<T>) -> evener::Result<()> {
        match self {
            Operand::Slice(slice) => array.copy_from(slice),
            Operand::Array(own) => array.copy_from(&own.read()?),
        }
    }
}

impl<T: Element> Output<T> for Operand<'_, T> {
    fn count(&self) -> usize {
        Input::count(self)
    }

    fn as_arg_mut(&mut self) -> HostArg<'_> {
        match self {
            Operand::Slice(slice) => (&mut **slice).into_arg(),
            Operand::Array(array) => (&mut **array).into_arg(),
        }
    }

    fn fill(&mut self, value: T) -> evener::Result<()> {
        match self {
            Operand::Slice(slice) => <[T]>::fill(slice, value),
            Operand::Array(array) => array.write()?.fill(value),
        }
        Ok(())
    }
}

/// Kernels that rewrite an array where it is, so that no other device has a valid copy.
pub struct Touch {
    floats: Kernel,
    words: Kernel,
    pairs: Kernel,
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
        let (pairs, vectors) = (kernel("vec2<f32>")?, kernel("vec4<f32>")?);
        Ok(Touch { floats: kernel("f32")?, words: kernel("u32")?, pairs, vectors })
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
                (_, Kind::Pair) => Store::Pairs(runtime.array_from_vec(vectors(&words))),
                (_, Kind::Vector) => Store::Vectors(runtime.array_from_vec(vectors(&words))),
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
                (Store::Pairs(array), true) => call.arg(name, array),
                (Store::Pairs(array), false) => call.arg(name, &*array),
                (Store::Vectors(array), true) => call.arg(name, array),
                (Store::Vectors(array), false) => call.arg(name, &*array),
            };
        }
        call
    }

    /// Runs a function of the library on these arguments. Where it leaves them is not known.
    ///
    /// # Errors
    /// The function's.
    pub fn run(&mut self, function: Function, runtime: &Runtime) -> Result<Vec<Report>> {
        self.at_home = false;
        function(runtime, &mut self.stores)
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
                Store::Pairs(array) => touch.pairs.call().items(array.len()).arg("data", array),
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
                Store::Pairs(array) => array.read()?.iter().flatten().map(|v| v.to_bits()).collect(),
                Store::Vectors(array) => array.read()?.iter().flatten().map(|v| v.to_bits()).collect(),
            })
        };
        self.shape.buffers.iter().zip(&self.stores).filter(|(b, _)| b.written).map(read).collect()
    }
}

fn host<'a>(buffer: &Buffer, words: &'a mut [u32], written: bool) -> HostArg<'a> {
    let kind = if buffer.kind == Kind::Word { ScalarKind::U32 } else { ScalarKind::F32 };
    let vectors = [words.len() / buffer.kind.words(), buffer.kind.words()];
    let shape = if buffer.kind.words() > 1 { &vectors[..] } else { &vectors[..1] };
    if written {
        HostArg::from_bytes_mut(kind, shape, as_bytes_mut(words))
    } else {
        HostArg::from_bytes(kind, shape, as_bytes_mut(words))
    }
}

fn vectors<const N: usize>(words: &[u32]) -> Vec<[f32; N]> {
    let (vectors, _) = words.as_chunks::<N>();
    vectors.iter().map(|v| v.map(f32::from_bits)).collect()
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
        Fill::Below(limit) => (0..n).map(|i| ((u64::from(noise(i)) * u64::from(limit)) >> 32) as u32).collect(),
        Fill::Multiples(of) => (0..n).map(|i| (i as u32).wrapping_mul(of)).collect(),
        Fill::Roots => (0..buffer.len).flat_map(|i| root(i, buffer.len).map(f32::to_bits)).collect(),
    }
}

/// A root of unity, clockwise.
fn root(i: usize, of: usize) -> [f32; 2] {
    let (sin, cos) = (std::f64::consts::TAU * i as f64 / of as f64).sin_cos();
    [cos as f32, -sin as f32]
}

#[cfg(test)]
mod tests {
    use super::{
        super::{kernels, kernels::Work, measure::Runner},
        *,
    };
    use evener::prelude::Placement;

    fn cpu() -> Runtime {
        Runtime::builder().gpu(false).profile(None).build().unwrap()
    }

    /// Of everything that is measured.
    #[test]
    fn slices_and_arrays_give_the_same_results() {
        let runtime = cpu();
        for name in kernels::NAMES {
            let spec = kernels::spec(name).unwrap();
            let runner = Runner::new(&spec, &runtime, Placement::Cpu).unwrap();
            let results = [Home::Host, Home::Device(0)].map(|home| {
                let mut data = Data::new(&runtime, (spec.shape)(1000), home).unwrap();
                runner.run(&mut data).unwrap();
                data.results().unwrap()
            });
            assert_eq!(results[0], results[1], "{name}");
            assert!(results[0].iter().flatten().any(|w| *w != 0), "{name}");
        }
    }

    #[test]
    fn options_at_the_money_cost_what_the_formula_says() {
        let runtime = cpu();
        let Work::Kernel(source) = kernels::spec("black_scholes").unwrap().work else { panic!("a kernel") };
        let kernel = runtime.kernel(source).unwrap();
        let (spot, strike, years, mut price) = ([100.0f32], [100.0f32], [1.0f32], [0.0f32]);
        let call = kernel.call().set("rate", 0.03f32).arg("spot", &spot).arg("strike", &strike);
        call.arg("years", &years).arg("price", &mut price).items(1).on(Placement::Cpu).run().unwrap();
        // d1 = 0.25, d2 = -0.05: 100 N(0.25) - 100 exp(-0.03) N(-0.05).
        assert!((price[0] - 13.2833).abs() < 1e-2, "{}", price[0]);
    }
}
