//! devices, calibrate, profile, explain.

mod common;

use common::{Dir, run, software_gpu};
use serde_json::Value;
use std::fs;

#[test]
fn the_cpu_is_always_the_first_device() {
    let dir = Dir::new("devices");
    let listing = dir.json("devices --json");
    assert_eq!(listing["devices"][0]["id"], "cpu");
    assert!(listing["left_out"].is_array());
    assert!(dir.line("devices").ok().stdout.contains("cpu"));
}

#[test]
fn software_devices_are_left_out_unless_asked_for() {
    let dir = Dir::new("software");
    if !software_gpu(&dir) {
        return;
    }
    let ids = |listing: Value| -> Vec<String> {
        let devices = listing["devices"].as_array().unwrap().iter();
        devices.filter(|d| d["kind"] == "software").map(|d| d["id"].as_str().unwrap().to_owned()).collect()
    };
    assert!(ids(dir.json("devices --json")).is_empty());
    assert!(!ids(dir.json("devices --software-gpu --json")).is_empty());
    let asked = run(dir.command(&["devices", "--json"]).env("EVENER_SOFTWARE_GPU", "1")).ok();
    assert!(!ids(serde_json::from_str(&asked.stdout).unwrap()).is_empty());
}

#[test]
fn a_profile_is_measured_shown_and_cleared() {
    let dir = Dir::new("profile");
    let file = dir.0.join("p.json");
    let evener = |args: &[&str]| run(dir.command(args).env("EVENER_PROFILE", &file));
    assert!(evener(&["profile", "show"]).ok().stdout.contains("calibrate"));
    assert!(evener(&["calibrate", "--quick"]).ok().stdout.contains("p.json"));
    assert!(file.exists());
    assert!(evener(&["profile", "show"]).ok().stdout.contains("p.json"));
    let shown = evener(&["profile", "show", "--json"]).ok();
    assert!(serde_json::from_str::<Value>(&shown.stdout).unwrap().is_object());
    evener(&["profile", "clear"]).ok();
    assert!(!file.exists());
    evener(&["profile", "clear"]).ok();
    evener(&["profile", "shw"]).refused(&["shw", "show"]);
}

/// A profile is a cache: whatever is in its place, a run gives the right result.
#[test]
fn a_corrupt_or_unreadable_profile_costs_no_result() {
    let dir = Dir::saxpy("corrupt", 100);
    let call = "run saxpy.wgsl --set params.a=2 --set params.n=100 --in x=x.npy --inout y=y.npy:z.npy --items 100";
    let args: Vec<&str> = call.split_whitespace().collect();
    fs::create_dir(dir.0.join("a-directory")).unwrap();
    let contents: [(&str, &[u8]); 6] = [
        ("empty", b""),
        ("text", b"not a profile"),
        ("json", b"{\"version\": 99999999999999999999999}"),
        ("nested", &[b'['; 100_000]),
        ("binary", &[0xff; 1000]),
        ("null", b"null"),
    ];
    for (name, bytes) in contents {
        fs::write(dir.0.join(name), bytes).unwrap();
    }
    for name in contents.iter().map(|c| c.0).chain(["a-directory", "no/such/folder/p.json"]) {
        // Asked for, it is refused with what to do.
        if dir.0.join(name).exists() {
            run(dir.command(&["profile", "show"]).env("EVENER_PROFILE", dir.0.join(name))).refused(&[name, "clear"]);
        }
        let mut command = dir.command(&args);
        run(command.env("EVENER_PROFILE", dir.0.join(name))).ok();
        assert_eq!(dir.read_floats("z.npy")[99], 1198.0, "{name}");
        fs::remove_file(dir.0.join("z.npy")).unwrap();
    }
}

#[test]
fn explain_shows_bindings_footprint_split_axis_and_predicted_times() {
    let dir = Dir::saxpy("explain", 1000);
    let text = dir.line("explain saxpy.wgsl").ok().stdout;
    for word in ["params", "x", "y", "read", "write"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let text = dir.line("explain saxpy.wgsl --items 1000 --set params.a=2 --set params.n=1000").ok().stdout;
    for word in ["3.9 kib", "split", "cpu"] {
        assert!(text.to_lowercase().contains(word), "{word}: {text}");
    }
    let json = dir.json("explain saxpy.wgsl --items 1000 --set params.a=2 --set params.n=1000 --json");
    assert!(json.is_object(), "{json}");
    let call = "--items 1000 --set params.a=2 --set params.n=1000 --in x=x.npy --inout y=y.npy:z.npy";
    dir.line(&format!("explain saxpy.wgsl {call}")).ok();
    assert!(!dir.exists("z.npy"), "explain writes nothing");
    dir.line("explain nowhere.wgsl").refused(&["nowhere.wgsl"]);
}

#[test]
fn usage_errors_exit_2_and_help_exits_0() {
    let dir = Dir::new("usage");
    assert_eq!(dir.evener(&[]).code, 2);
    assert!(dir.line("--help").ok().stdout.contains("run"));
    assert!(dir.line("--version").ok().stdout.contains("evener"));
    dir.line("benhc").refused(&["benhc", "bench"]);
}
