//! What the tests need from the machine: a Vulkan loader with the software driver lavapipe, and the standard
//! libraries of other platforms.

use crate::{Options, in_ci};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// How the software Vulkan driver comes to a machine, by package manager.
const HOW: &str = "Debian, Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1; Fedora: dnf install \
    mesa-vulkan-drivers vulkan-loader; Arch: pacman -S vulkan-swrast vulkan-icd-loader";

/// Sees to a software Vulkan driver. The text says what was found or installed, or why there is none.
pub fn vulkan(options: Options) -> Result<String, String> {
    if !cfg!(target_os = "linux") {
        return Err("software Vulkan is set up on Linux only; tests that need it are skipped".into());
    }
    if let Some(found) = find_lavapipe() {
        return Ok(format!("found {}", found.display()));
    }
    if options.install == Some(false) {
        return Err(format!("no software Vulkan driver, and --no-install was given. {HOW}"));
    }
    if !is_root() || which("apt-get").is_none() {
        return Err(format!("no software Vulkan driver; install one to run the GPU tests. {HOW}"));
    }
    let packages = ["mesa-vulkan-drivers", "libvulkan1"];
    println!("installing with apt-get, for the GPU tests: {}", packages.join(" "));
    let apt = |args: &[&str]| {
        let status = Command::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive").status();
        status.is_ok_and(|s| s.success())
    };
    let install: Vec<&str> = ["install", "-y", "-q", "--no-install-recommends"].into_iter().chain(packages).collect();
    // The package lists may be old or missing on a fresh machine; without a network the install may still do.
    let _ = apt(&["update", "-q"]);
    if !apt(&install) {
        return Err(format!("apt-get could not install {}. {HOW}", packages.join(" ")));
    }
    match find_lavapipe() {
        Some(found) => Ok(format!("installed {} ({})", packages.join(" "), found.display())),
        None => Err("the packages were installed, but no lavapipe driver is there".into()),
    }
}

/// The driver file of lavapipe, where the loader is there too.
fn find_lavapipe() -> Option<PathBuf> {
    find_loader()?;
    let listed = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].into_iter().filter_map(std::env::var_os);
    let mut listed = listed.flat_map(|v| std::env::split_paths(&v).collect::<Vec<_>>());
    if let Some(first) = listed.next() {
        return std::iter::once(first).chain(listed).find(|p| is_lavapipe(p));
    }
    let folders = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let files = folders.iter().filter_map(|d| std::fs::read_dir(d).ok()).flatten().flatten();
    files.map(|f| f.path()).find(|p| is_lavapipe(p))
}

fn is_lavapipe(file: &Path) -> bool {
    file.is_file() && file.file_name().is_some_and(|n| n.to_string_lossy().starts_with("lvp_icd"))
}

fn find_loader() -> Option<PathBuf> {
    let arch = std::env::consts::ARCH;
    let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64"].map(String::from);
    let multiarch = [format!("/usr/lib/{arch}-linux-gnu"), format!("/lib/{arch}-linux-gnu")];
    let given = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let given = std::env::split_paths(&given).filter(|p| !p.as_os_str().is_empty());
    let all = folders.into_iter().chain(multiarch).map(PathBuf::from).chain(given);
    all.map(|d| d.join("libvulkan.so.1")).find(|f| f.exists())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|o| o.stdout.trim_ascii() == b"0")
}

fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|d| d.join(program)).find(|f| f.is_file())
}

/// Sees to the standard library of a target. The text says why it is not there.
pub fn target(triple: &str, options: Options) -> Result<(), String> {
    if has_target(triple) {
        return Ok(());
    }
    let why = format!("the standard library of {triple} is not installed (rustup target add {triple})");
    if !options.install.unwrap_or_else(in_ci) || which("rustup").is_none() {
        return Err(why);
    }
    println!("installing with rustup: the standard library of {triple}");
    // Without a network this must fail soon and not after rustup's patience.
    let mut add = Command::new(if which("timeout").is_some() { "timeout" } else { "rustup" });
    if which("timeout").is_some() {
        add.args(["90", "rustup"]);
    }
    let added = add.args(["target", "add", triple]).env("RUSTUP_MAX_RETRIES", "0").status();
    if added.is_ok_and(|s| s.success()) && has_target(triple) { Ok(()) } else { Err(why) }
}

fn has_target(triple: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let found = Command::new(rustc).args(["--print", "target-libdir", "--target", triple]).output();
    found.is_ok_and(|o| o.status.success() && Path::new(String::from_utf8_lossy(&o.stdout).trim()).is_dir())
}
