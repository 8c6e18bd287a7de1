//! Runs a program on every engine and on the oracle, and compares what they leave in its buffers.

use crate::{
    ast::{Program, Scalar},
    guard::Guarded,
    layout, oracle,
};
use evener_lanes::{Buffer, Engine, Grid, GroupRange, Level, Module, Program as Compiled, Settings, ir::Kernel};
use std::{collections::BTreeMap, fmt};

/// What went wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The generator made something that is not valid WGSL: a fault of the generator.
    Invalid(String),
    /// It was refused after it was found valid.
    Refused(String),
    /// An engine failed.
    Failed(String),
    /// An engine panicked, or the oracle did.
    Panicked(String),
    /// Two of the engines, or an engine and the oracle, differ.
    Differs(String),
}

impl Failure {
    /// Whether the generator is to blame, not an engine.
    pub fn is_invalid(&self) -> bool {
        matches!(self, Failure::Invalid(_))
    }

    /// Whether a program fails in the same way, so that a reduction keeps the cause. One that is invalid is invalid
    /// in yet another way once something is left out, so such are not reduced.
    pub fn is_shown_by(&self, program: &Program) -> bool {
        let same = |f| std::mem::discriminant(self) == std::mem::discriminant(&f);
        !self.is_invalid() && check(program).err().is_some_and(same)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Invalid(why) => write!(f, "invalid WGSL: {why}"),
            Failure::Refused(why) => write!(f, "refused: {why}"),
            Failure::Failed(why) => write!(f, "failed: {why}"),
            Failure::Panicked(why) => write!(f, "panicked: {why}"),
            Failure::Differs(why) => write!(f, "differs: {why}"),
        }
    }
}

/// The bytes of all buffers after a run.
type Results = Vec<Vec<u8>>;

/// The engines of this machine, the reference first.
pub fn engines() -> Vec<Engine> {
    let mut engines: Vec<Engine> = Level::available().map(Engine::Interpreter).collect();
    engines.extend(Level::available().filter(|l| *l > Level::Baseline).map(Engine::Jit));
    engines
}

/// Runs a program everywhere; `Ok` if all agree, with the number of runs that were machine code.
pub fn check(program: &Program) -> Result<u32, Failure> {
    let checked = std::panic::catch_unwind(|| check_all(program));
    checked.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(Failure::Panicked(text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?").into()))
    })
}

fn check_all(program: &Program) -> Result<u32, Failure> {
    let module = Module::parse(&program.source()).map_err(|e| Failure::Invalid(e.to_string()))?;
    let overrides: BTreeMap<String, f64> =
        program.overrides.iter().filter_map(|(name, value)| Some((name.clone(), (*value)?))).collect();
    let module = module.specialize(&overrides).map_err(|e| Failure::Invalid(e.to_string()))?;
    let kernel = module.lower("main").map_err(|e| Failure::Refused(e.to_string()))?;
    let contents: Results = program.buffers.iter().map(layout::contents).collect();
    let exact = program.exact.then(|| oracle_results(program, &module, &contents)).transpose()?;
    let native = compare_engines(program, &kernel, &contents, false, exact.as_ref())?;
    // Contraction changes nothing without floats; of other programs one in three is compiled again for it.
    let again = if program.floats && program.buffers.first().is_some_and(|b| b.seed % 3 == 0) {
        compare_engines(program, &kernel, &contents, true, None)?
    } else {
        0
    };
    Ok(native + again)
}

fn oracle_results(program: &Program, module: &Module, contents: &Results) -> Result<Results, Failure> {
    let mut results = contents.clone();
    let mut bound: Vec<oracle::Bound<'_>> = results
        .iter_mut()
        .zip(&program.buffers)
        .map(|(bytes, b)| oracle::Bound { group: 0, binding: b.binding, bytes })
        .collect();
    oracle::run(module.naga(), module.info(), "main", &mut bound, program.groups)
        .map_err(|why| Failure::Invalid(format!("the oracle says: {why}")))?;
    Ok(results)
}

/// Runs all engines with one setting; the first differs from none, nor from what is expected.
fn compare_engines(
    program: &Program,
    kernel: &Kernel,
    contents: &Results,
    contract: bool,
    expected: Option<&Results>,
) -> Result<u32, Failure> {
    let mut native = 0;
    let mut reference = expected.map(|results| ("the oracle".to_string(), results.clone()));
    // The passes are the same for all engines, so they run once.
    let mut compiled: Option<Compiled> = None;
    let first_at_end = program.buffers.first().is_some_and(|b| b.seed & 1 == 0);
    for (i, engine) in engines().into_iter().enumerate() {
        let at_end = (i % 2 == 0) == (first_at_end != contract);
        let name = format!("{engine:?}{}", if contract { ", contracted" } else { "" });
        // Past the caches where a buffer starts at the start of a page, through them where it does not.
        let settings = Settings::default().engine(engine).contract(contract).past_caches_from(1);
        let failed = |why: String| Failure::Failed(format!("{name}: {why}"));
        let next = match &compiled {
            Some(other) => other.on(&settings),
            None => Compiled::with(kernel.clone(), &settings),
        };
        let next = compiled.insert(next.map_err(|e| failed(e.to_string()))?);
        let results = run(program, next, contents, at_end).map_err(failed)?;
        native += u32::from(next.is_native());
        match &reference {
            Some((other, wanted)) => {
                if let Some(what) = difference(program, &results, wanted) {
                    return Err(Failure::Differs(format!("{name} from {other}: {what}")));
                }
            }
            None => reference = Some((name, results)),
        }
    }
    Ok(native)
}

/// Runs one engine, each buffer between guard pages: at the end of its memory or at the start.
fn run(program: &Program, compiled: &Compiled, contents: &Results, at_end: bool) -> Result<Results, String> {
    let mut results = contents.clone();
    let mut guarded = Guarded::new();
    let (mut places, mut buffers) = (Vec::new(), Vec::new());
    for binding in &compiled.kernel().bindings {
        let at = program.buffers.iter().position(|b| b.binding == binding.binding).ok_or("an unknown binding")?;
        let written = program.buffers[at].space == "storage, read_write";
        let pointer = guarded.place(&contents[at], at_end);
        let start = pointer.unwrap_or(results[at].as_mut_ptr());
        places.push((at, pointer.is_some()));
        // SAFETY: the memory lives until the end of this function, and nothing else touches it during the run.
        buffers.push(unsafe { Buffer::from_raw(start, contents[at].len() as u64, written) });
    }
    let grid = Grid { groups: program.groups };
    compiled.run(&buffers, grid, GroupRange::all(grid)).map_err(|e| e.to_string())?;
    let in_guards = places.iter().filter(|(_, is_guarded)| *is_guarded);
    for (i, (at, _)) in in_guards.enumerate() {
        results[*at] = guarded.bytes(i)?;
    }
    Ok(results)
}

/// The first difference, with any NaN equal to any other.
fn difference(program: &Program, found: &Results, wanted: &Results) -> Option<String> {
    for (i, buffer) in program.buffers.iter().enumerate() {
        let (a, b) = (&found[i], &wanted[i]);
        if a == b {
            continue;
        }
        let mut first = None;
        let mut padding = vec![true; a.len()];
        layout::each_leaf(&buffer.ty, 0, a.len() as u32, &mut |at, scalar| {
            let range = at as usize..(at + scalar.bytes()) as usize;
            padding[range.clone()].fill(false);
            let (x, y) = (bits(&a[range.clone()]), bits(&b[range]));
            if first.is_none() && !same(scalar, x, y) {
                first =
                    Some(format!("`{}` at byte {at}: {} and not {}", buffer.name, show(scalar, x), show(scalar, y)));
            }
        });
        let stray = padding.iter().enumerate().find(|(at, is_padding)| **is_padding && a[*at] != b[*at]);
        if let Some((at, _)) = stray {
            return Some(format!("`{}` at byte {at}, which is padding", buffer.name));
        }
        if first.is_some() {
            return first;
        }
    }
    None
}

fn bits(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |bits, b| bits << 8 | u64::from(*b))
}

fn same(scalar: Scalar, a: u64, b: u64) -> bool {
    let nan = |bits: u64| match scalar {
        Scalar::F32 => f32::from_bits(bits as u32).is_nan(),
        Scalar::F64 => f64::from_bits(bits).is_nan(),
        _ => false,
    };
    a == b || nan(a) && nan(b)
}

fn show(scalar: Scalar, bits: u64) -> String {
    match scalar {
        Scalar::F32 => format!("{:?} ({bits:#x})", f32::from_bits(bits as u32)),
        Scalar::F64 => format!("{:?} ({bits:#x})", f64::from_bits(bits)),
        Scalar::I32 => (bits as i32).to_string(),
        Scalar::I64 => (bits as i64).to_string(),
        _ => bits.to_string(),
    }
}
