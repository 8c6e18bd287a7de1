//! The steps of `cargo xtask test`, in the order in which a failure is cheapest.

use crate::{
    Options, in_ci,
    runner::{Runner, cargo, root},
    setup,
};
use std::{fs, path::PathBuf, process::Command};

/// Platforms that must compile; what runs there is not tested from here.
const TARGETS: [&str; 3] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin", "aarch64-unknown-linux-gnu"];

/// Everything with every feature: one set of features for all steps, so that dependencies are built once.
const ALL: &str = "--workspace --features evener/interop-wgpu,evener/ndarray,evener/complex,evener/half";

/// Runs all steps.
pub fn all(r: &mut Runner, options: Options) {
    let vulkan = software_vulkan(r, options);
    r.check("format", &mut cargo("fmt --all --check"));
    r.check("lints", &mut cargo(&format!("clippy {ALL} --all-targets --quiet -- -D warnings")));
    r.tests("tests", with_devices(&mut cargo(&format!("test {ALL} --no-fail-fast -- --show-output")), vulkan));
    if options.quick {
        return;
    }
    r.tests(
        "tests without the gpu feature",
        &mut cargo("test -p evener --no-default-features --no-fail-fast -- --show-output"),
    );
    r.check("documentation", cargo("doc --workspace --no-deps --quiet").env("RUSTDOCFLAGS", "-D warnings"));
    if r.check("build of binaries and examples", &mut cargo(&format!("build {ALL} --bins --examples --quiet"))) {
        examples(r, vulkan);
        demo(r, vulkan);
        conformance(r, vulkan);
        bench_page(r);
    }
    package(r);
    toolchain(r);
    platforms(r, options);
}

fn software_vulkan(r: &mut Runner, options: Options) -> bool {
    match setup::vulkan(options) {
        Ok(found) => {
            r.record("software Vulkan", Ok(found));
            true
        }
        // Where tests decide what lands, GPU tests that silently stop running are a failure.
        Err(why) if in_ci() && cfg!(target_os = "linux") => {
            r.record("software Vulkan", Err(why));
            false
        }
        Err(why) => {
            r.skip("software Vulkan", &why);
            false
        }
    }
}

/// Software devices are taken for GPUs, so the GPU paths run on every machine; profiles stay out of the home.
fn with_devices(command: &mut Command, vulkan: bool) -> &mut Command {
    command.env("EVENER_PROFILE", root().join("target/xtask/profile.json"));
    if vulkan {
        command.env("EVENER_SOFTWARE_GPU", "1");
    }
    command
}

fn examples(r: &mut Runner, vulkan: bool) {
    let mut found = 0;
    for name in names(&root().join("examples"), "rs") {
        r.check(&format!("example {name}"), with_devices(&mut built(&format!("examples/{name}")), vulkan));
        found += 1;
    }
    if found == 0 {
        r.record("examples", Err("no example was found".into()));
    }
}

/// A program that was built before.
fn built(name: &str) -> Command {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let mut command = Command::new(target.join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX)));
    command.current_dir(root());
    command
}

/// File names without their extension, sorted.
fn names(folder: &std::path::Path, extension: &str) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|f| f.path());
    let files = files.filter(|p| p.extension().is_some_and(|e| e == extension));
    let mut names: Vec<String> = files.filter_map(|p| Some(p.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

fn demo(r: &mut Runner, vulkan: bool) {
    let out = root().join("target/xtask/demo");
    let _ = fs::remove_dir_all(&out);
    let small = |on: &str| {
        let mut c = built("evener");
        c.args(["demo", "--size", "128", "--json", "--on", on, "--out"]).arg(&out);
        c
    };
    if r.check("demo", with_devices(&mut small("auto"), vulkan)) {
        let empty = |f: &&str| fs::metadata(out.join(f)).map_or(0, |m| m.len()) == 0;
        let missing: Vec<_> = ["flood.png", "flood.gif", "owners.png"].iter().copied().filter(|f| empty(f)).collect();
        let pictures = if missing.is_empty() { Ok("all there".into()) } else { Err(format!("missing: {missing:?}")) };
        r.record("demo's pictures", pictures);
    }
    // A loader that finds no driver, as on a server with Vulkan's library and nothing behind it.
    let nowhere = root().join("target/xtask/no-driver.json");
    let mut bare = small("auto");
    bare.env("VK_DRIVER_FILES", &nowhere).env("VK_ICD_FILENAMES", &nowhere);
    r.check("demo without a GPU driver", with_devices(&mut bare, false));
}

/// The benchmark's page opens in a real browser, from its file, and shows its plots.
fn bench_page(r: &mut Runner) {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let there = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    let Some(browser) = names.into_iter().find(there) else {
        return r.skip("bench page in a browser", &format!("none of {} is there", names.join(", ")));
    };
    let out = root().join("target/xtask/bench");
    let _ = fs::remove_dir_all(&out);
    let mut bench = built("evener");
    let sizes = ["bench", "saxpy,mandelbrot", "--sizes", "1000,16000", "--budget", "600", "--quick"];
    bench.args(sizes).args(["--throttled", "--report"]).arg(&out);
    if !r.check("bench", with_devices(&mut bench, false)) {
        return;
    }
    let page = format!("file://{}", out.join("report.html").display());
    let open = |extra: &[String]| {
        let mut command = Command::new(browser);
        command.args(["--headless", "--no-sandbox", "--disable-gpu"]).args(extra).arg(&page).output()
    };
    let seen = open(&["--dump-dom".into()]).map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    let plots = seen.map_or(0, |dom| dom.matches("</svg>").count());
    let written = fs::read_to_string(out.join("report.html")).map_or(0, |text| text.matches("</svg>").count());
    let found = format!("{plots} of {written} plots are in the page as the browser sees it");
    r.record("bench page in a browser", if plots == written && plots > 4 { Ok(found) } else { Err(found) });
    for (name, size) in [("desktop", "1280,2400"), ("phone", "400,4000")] {
        let picture = out.join(format!("{name}.png"));
        let drawn = open(&[format!("--screenshot={}", picture.display()), format!("--window-size={size}")]);
        let bytes = fs::metadata(&picture).map_or(0, |m| m.len());
        let what = format!("{bytes} bytes of picture");
        let is_drawn = drawn.is_ok_and(|o| o.status.success()) && bytes > 10_000;
        r.record(&format!("bench page at {name} width"), if is_drawn { Ok(what) } else { Err(what) });
    }
}

fn conformance(r: &mut Runner, vulkan: bool) {
    let folder: PathBuf = root().join("../shared/conformance");
    if !folder.join("MANIFEST.json").is_file() {
        return r.skip("conformance", "the data is not beside this checkout (../shared/conformance)");
    }
    let places: &[&str] = if vulkan { &["cpu", "split=0.5", "gpu"] } else { &["cpu"] };
    for on in places {
        let mut command = built("evener");
        command.args(["conformance", "--on", on]).arg(&folder);
        r.check(&format!("conformance on {on}"), with_devices(&mut command, vulkan));
    }
}

fn package(r: &mut Runner) {
    let mut list = cargo("package --workspace --exclude xtask --allow-dirty --no-verify --offline --quiet");
    r.check("packages", &mut list);
}

/// The stated `rust-version` is the toolchain that these tests run with.
fn toolchain(r: &mut Runner) {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().map(|o| o.stdout).unwrap_or_default();
    let version = String::from_utf8_lossy(&version).into_owned();
    let stated = env!("CARGO_PKG_RUST_VERSION");
    let pair = |v: &str| -> Option<(u32, u32)> {
        let mut parts = v.split(['.', '-', ' ']);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    match (version.strip_prefix("rustc ").and_then(pair), pair(stated)) {
        (Some(run), Some(said)) if run == said => {
            r.record("stated Rust version", Ok(format!("{stated}, and that is what ran")));
        }
        (Some(run), Some(said)) if run > said => {
            r.skip("stated Rust version", &format!("{stated} is stated, {} ran", version.trim()));
        }
        _ => r.record("stated Rust version", Err(format!("{stated} is stated, `{}` ran", version.trim()))),
    }
}

fn platforms(r: &mut Runner, options: Options) {
    for triple in TARGETS {
        let name = format!("check for {triple}");
        match setup::target(triple, options) {
            Ok(()) => {
                let args = format!("check --workspace --exclude xtask --quiet --target {triple}");
                r.check(&name, &mut cargo(&args));
            }
            Err(why) => r.skip(&name, &why),
        }
    }
}
