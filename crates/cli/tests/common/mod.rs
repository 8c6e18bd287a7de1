//! Drives the real binary in a folder of its own.

#![allow(dead_code)] // each test binary uses its own part

use evener_cli::npy::{self, Array, Dtype};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Once,
};

pub const SAXPY: &str = "
struct Params { a: f32, n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn saxpy(@builtin(global_invocation_id) id: vec3u) {
    let i = id.x;
    if i < params.n { y[i] = params.a * x[i] + y[i]; }
}
";

/// A fresh folder for one test.
pub struct Dir(pub PathBuf);

/// What a run of the binary gave.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Dir {
    pub fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }

    /// A folder with `saxpy.wgsl`, and `x.npy` = i and `y.npy` = 1000 of `n` elements.
    pub fn saxpy(name: &str, n: usize) -> Self {
        let dir = Dir::new(name);
        dir.text("saxpy.wgsl", SAXPY);
        dir.floats("x.npy", &(0..n).map(|i| i as f32).collect::<Vec<_>>());
        dir.floats("y.npy", &vec![1000.0; n]);
        dir
    }

    pub fn text(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    pub fn floats(&self, name: &str, values: &[f32]) {
        self.array(name, "f32", &[values.len() as u64], values.iter().flat_map(|v| v.to_le_bytes()).collect());
    }

    pub fn words(&self, name: &str, values: &[u32]) {
        self.array(name, "u32", &[values.len() as u64], values.iter().flat_map(|v| v.to_le_bytes()).collect());
    }

    pub fn array(&self, name: &str, dtype: &str, shape: &[u64], bytes: Vec<u8>) {
        let array = Array { dtype: dtype.parse::<Dtype>().unwrap(), shape: shape.to_vec(), bytes };
        let mut file = fs::File::create(self.0.join(name)).unwrap();
        npy::write(&mut file, &array).unwrap();
    }

    /// An npy file with this header dictionary.
    pub fn raw_npy(&self, name: &str, dictionary: &str, data: &[u8]) {
        let mut file = fs::File::create(self.0.join(name)).unwrap();
        file.write_all(b"\x93NUMPY\x01\x00").unwrap();
        file.write_all(&(dictionary.len() as u16).to_le_bytes()).unwrap();
        file.write_all(dictionary.as_bytes()).unwrap();
        file.write_all(data).unwrap();
    }

    pub fn read(&self, name: &str) -> Array {
        npy::read(&self.0.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn read_floats(&self, name: &str) -> Vec<f32> {
        let array = self.read(name);
        assert_eq!(array.dtype.descr(), "'<f4'");
        array.bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    pub fn exists(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    /// Names of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// The binary in this folder, with the tests' own profile and no software GPU.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evener"));
        command.current_dir(&self.0).args(args).env_remove("EVENER_SOFTWARE_GPU").env_remove("EVENER_TRACE");
        command.env("EVENER_PROFILE", profile()).stdin(Stdio::null());
        command
    }

    pub fn evener(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args))
    }

    /// Runs a line of arguments divided by blanks.
    pub fn line(&self, line: &str) -> Ran {
        self.evener(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs what must succeed with one JSON object on standard output.
    pub fn json(&self, line: &str) -> Value {
        let ran = self.line(line).ok();
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stdout))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

impl Ran {
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self
    }

    /// Must have exited 2, printed nothing but a message, and named all of `names` in it.
    pub fn refused(self, names: &[&str]) -> Self {
        assert_eq!(self.code, 2, "exit code; stdout: {} stderr: {}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "nothing on standard output");
        for name in names {
            assert!(self.stderr.contains(name), "`{name}` is not named in: {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}

pub fn run(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
    Ran { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
}

/// A profile that the tests of one binary share, measured once.
fn profile() -> PathBuf {
    static MEASURED: Once = Once::new();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile.json");
    MEASURED.call_once(|| {
        if !path.exists() {
            let mut command = Command::new(env!("CARGO_BIN_EXE_evener"));
            command.args(["calibrate", "--quick", "--software-gpu"]).env("EVENER_PROFILE", &path);
            run(&mut command).ok();
        }
    });
    path
}

/// Whether there is a software Vulkan device to test with. In CI its absence is a failure.
pub fn software_gpu(dir: &Dir) -> bool {
    let listing = dir.json("devices --software-gpu --json");
    if listing["devices"].as_array().unwrap().len() > 1 {
        return true;
    }
    let ci = std::env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false" && v != "0");
    assert!(!ci || !cfg!(target_os = "linux"), "CI must have a software Vulkan driver: {listing}");
    // Written past the test harness's capture: `cargo xtask test` counts these lines.
    let _ = writeln!(std::io::stderr(), "skipped: no Vulkan device");
    false
}
