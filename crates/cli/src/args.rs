//! The options that say what a call is: shared by `run` and `explain`.

use crate::npy::Dtype;
use clap::Args;
use evener::prelude::Placement;
use std::path::PathBuf;

/// A call: what `run` and `explain` take.
#[derive(Args, Debug)]
pub struct CallArgs {
    /// Which kernel.
    #[command(flatten)]
    pub kernel: KernelArgs,
    /// How many invocations.
    #[command(flatten)]
    pub extent: ExtentArgs,
    /// Its arguments.
    #[command(flatten)]
    pub buffers: BufferArgs,
    /// Where it runs.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// A kernel file and what selects the kernel in it.
#[derive(Args, Debug)]
pub struct KernelArgs {
    /// WGSL source of the kernel
    #[arg(value_name = "FILE.wgsl")]
    pub file: PathBuf,
    /// Compute entry point; needed where the file has several
    #[arg(long, value_name = "NAME")]
    pub entry: Option<String>,
    /// Value of an `override` constant
    #[arg(long = "override", value_name = "NAME=VALUE", value_parser = parse_override)]
    pub overrides: Vec<(String, f64)>,
}

/// How many invocations.
#[derive(Args, Debug)]
#[group(id = "extent", multiple = false)]
pub struct ExtentArgs {
    /// Invocations wanted on each axis; rounded up to whole work-groups
    #[arg(long, value_name = "N[,M[,L]]", value_parser = parse_items)]
    pub items: Option<Extent<u64>>,
    /// Work-groups on each axis
    #[arg(long, value_name = "X[,Y[,Z]]", value_parser = parse_groups)]
    pub groups: Option<Extent<u32>>,
}

/// One to three lengths; the axes left out are 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent<T>(pub [T; 3]);

/// The kernel's arguments.
#[derive(Args, Debug)]
pub struct BufferArgs {
    /// A uniform or a member of one: a=2.0, v=1,2,3, params.n=100
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_set)]
    pub set: Vec<(String, String)>,
    /// A buffer that the kernel only reads
    #[arg(long = "in", value_name = "NAME=FILE.npy", value_parser = parse_in)]
    pub inputs: Vec<(String, PathBuf)>,
    /// A buffer that the kernel changes: read from the first file, written to the second
    #[arg(long, value_name = "NAME=FILE.npy:OUT.npy", value_parser = parse_inout)]
    pub inout: Vec<InOut>,
    /// A buffer that starts as zeros: DTYPE is f16 f32 f64 i32 u32 i64 u64 c64, SHAPE is like 1024x768
    #[arg(long, value_name = "NAME=DTYPE:SHAPE:FILE.npy", value_parser = parse_out)]
    pub out: Vec<Out>,
}

/// Where it runs.
#[derive(Args, Debug)]
pub struct PlaceArgs {
    /// auto, cpu, gpu, gpu:K, or split=F where F is the CPU's share, 0 to 1
    #[arg(long, value_name = "PLACE", default_value = "auto", value_parser = parse_placement)]
    pub on: Placement,
    /// Take software devices (lavapipe, WARP) for GPUs
    #[arg(long)]
    pub software_gpu: bool,
}

/// `--inout`.
#[derive(Clone, Debug)]
pub struct InOut {
    /// Binding.
    pub name: String,
    /// File read.
    pub from: PathBuf,
    /// File written; may be the same.
    pub to: PathBuf,
}

/// `--out`.
#[derive(Clone, Debug)]
pub struct Out {
    /// Binding.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Lengths of the axes.
    pub shape: Vec<u64>,
    /// File written.
    pub to: PathBuf,
}

fn name_and_value(text: &str) -> Result<(String, &str), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.is_empty() => Ok((name.trim().to_owned(), value)),
        _ => Err("it is not of the form NAME=VALUE".into()),
    }
}

fn parse_override(text: &str) -> Result<(String, f64), String> {
    let (name, value) = name_and_value(text)?;
    let value = match value.trim() {
        "true" => 1.0,
        "false" => 0.0,
        number => number.parse().map_err(|_| format!("`{number}` is no number"))?,
    };
    Ok((name, value))
}

fn parse_set(text: &str) -> Result<(String, String), String> {
    let (name, value) = name_and_value(text)?;
    Ok((name, value.to_owned()))
}

fn parse_in(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = name_and_value(text)?;
    Ok((name, file.into()))
}

fn parse_inout(text: &str) -> Result<InOut, String> {
    let (name, files) = name_and_value(text)?;
    // A path may hold colons itself (`C:\x.npy`): the one after `.npy` divides the two.
    let divided = files
        .split_once(".npy:")
        .map(|(from, to)| (format!("{from}.npy"), to))
        .or_else(|| files.rsplit_once(':').map(|(from, to)| (from.to_owned(), to)));
    match divided {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok(InOut { name, from: from.into(), to: to.into() }),
        _ => Err(format!(
            "it is not of the form NAME=FILE.npy:OUT.npy; to change a file in place: {name}={files}:{files}"
        )),
    }
}

fn parse_out(text: &str) -> Result<Out, String> {
    let (name, value) = name_and_value(text)?;
    let mut parts = value.splitn(3, ':');
    let (Some(dtype), Some(shape), Some(to)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(format!("it is not of the form NAME=DTYPE:SHAPE:FILE.npy, such as {name}=f32:1024x768:{name}.npy"));
    };
    if to.is_empty() {
        return Err("it names no file".into());
    }
    let dtype = dtype.parse::<Dtype>().map_err(|e| e.to_string())?;
    let axes: Result<Vec<u64>, _> = shape.split('x').map(str::parse).collect();
    let shape = axes.map_err(|_| format!("`{shape}` is no shape such as 1024 or 1024x768"))?;
    Ok(Out { name, dtype, shape, to: to.into() })
}

fn parse_extent<T: std::str::FromStr + From<u8> + Copy>(text: &str) -> Result<Extent<T>, String> {
    let mut extent = [T::from(1); 3];
    for (i, part) in text.split(',').enumerate() {
        let slot = extent.get_mut(i).ok_or("it has more than three axes")?;
        *slot = part
            .trim()
            .parse()
            .map_err(|_| format!("`{part}` is no count (of at most {} bits)", 8 * size_of::<T>()))?;
    }
    Ok(Extent(extent))
}

fn parse_items(text: &str) -> Result<Extent<u64>, String> {
    parse_extent(text)
}

fn parse_groups(text: &str) -> Result<Extent<u32>, String> {
    parse_extent(text)
}

fn parse_placement(text: &str) -> Result<Placement, String> {
    text.parse::<Placement>().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_one_to_three_numbers() {
        assert_eq!(parse_items("5"), Ok(Extent([5, 1, 1])));
        assert_eq!(parse_items("5,6,4294967296"), Ok(Extent([5, 6, 4294967296])));
        assert!(parse_items("1,2,3,4").is_err() && parse_items("x").is_err() && parse_items("-1").is_err());
        assert!(parse_groups("4294967296").is_err());
    }

    #[test]
    fn file_pairs_divide_after_the_first_npy() {
        let io = parse_inout(r"y=C:\a.npy:C:\b.npy").unwrap();
        assert_eq!((io.from.to_str(), io.to.to_str()), (Some(r"C:\a.npy"), Some(r"C:\b.npy")));
        let io = parse_inout("y=a:b").unwrap();
        assert_eq!((io.from.to_str(), io.to.to_str()), (Some("a"), Some("b")));
        assert!(parse_inout("y=a.npy").unwrap_err().contains("y=a.npy:a.npy"));
    }

    #[test]
    fn outputs_name_type_shape_and_file() {
        let out = parse_out("img=f32:1024x768:c:/x.npy").unwrap();
        assert_eq!((out.shape.as_slice(), out.to.to_str()), ([1024, 768].as_slice(), Some("c:/x.npy")));
        for (bad, says) in
            [("y=f32:4", "NAME=DTYPE"), ("y=f31:4:a", "f16 f32"), ("y=f32:4xq:a", "shape"), ("y", "NAME")]
        {
            assert!(parse_out(bad).unwrap_err().contains(says), "{bad}");
        }
    }
}
