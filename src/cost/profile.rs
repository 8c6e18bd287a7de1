//! The machine profile: calibrated rates saved between runs.
//!
//! A profile is untrusted input: its size is bounded, its checksum tested, its values clamped, and it is rebuilt
//! when it does not fit this machine. It can cost time, never correctness. It holds no argument data.

use super::{
    learn::saved::Saved,
    roofline::{Rate, Rates},
};
use crate::{
    backend::DeviceInfo,
    error::{Error, ErrorKind, Result},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Larger files are not read.
const MAX_BYTES: u64 = 16 << 20;
/// Devices kept in one profile.
const MAX_DEVICES: usize = 64;
/// Layout of the file; another one is rebuilt.
const VERSION: u32 = 3;

/// Calibrated rates of the devices of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// By device key: name, driver, API and evener's version. A changed driver is another device.
    pub devices: BTreeMap<String, Rates>,
    /// What past calls taught of the devices, by the same key.
    #[serde(default)]
    pub learned: BTreeMap<String, Saved>,
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    checksum: String,
    profile: Profile,
}

/// The key under which a device's rates are kept.
pub fn device_key(info: &DeviceInfo) -> String {
    format!("{} | {} | {} | evener {}", info.name, info.driver, info.api, env!("CARGO_PKG_VERSION"))
}

impl Profile {
    /// Where the profile is kept: `EVENER_PROFILE`, else the user's data folder. `None` without a home.
    pub fn default_path() -> Option<PathBuf> {
        let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(path) = var("EVENER_PROFILE") {
            return Some(path);
        }
        let data = if cfg!(windows) {
            var("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            var("HOME").map(|h| h.join("Library/Application Support"))
        } else {
            var("XDG_DATA_HOME").or_else(|| var("HOME").map(|h| h.join(".local/share")))
        };
        Some(data?.join("evener").join("profile.json"))
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// `Profile`: no file, too large, not a profile, wrong checksum. The message names the file and says that
    /// `evener profile clear` (or deleting it) lets it be rebuilt.
    pub fn load(path: &Path) -> Result<Profile> {
        let bad = |what: String| {
            let hint = "delete it or run `evener profile clear`, and it is measured again";
            Error::new(ErrorKind::Profile, format!("profile {}: {what}; {hint}", path.display()))
        };
        let file = fs::File::open(path).map_err(|e| bad(e.to_string()))?;
        let mut text = String::new();
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|e| bad(e.to_string()))?;
        Profile::parse(&text).map_err(bad)
    }

    /// Parses the text of a profile; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Profile, String> {
        if text.len() as u64 > MAX_BYTES {
            return Err(format!("larger than {MAX_BYTES} bytes"));
        }
        let file: File = serde_json::from_str(text).map_err(|e| format!("not a machine profile ({e})"))?;
        if file.version != VERSION {
            return Err(format!("version {} of the layout, this evener reads {VERSION}", file.version));
        }
        if file.checksum != checksum(&file.profile) {
            return Err("its checksum does not match".into());
        }
        if file.profile.devices.len().max(file.profile.learned.len()) > MAX_DEVICES {
            return Err(format!("more than {MAX_DEVICES} devices"));
        }
        let mut profile = file.profile;
        profile.devices.values_mut().for_each(clamp);
        profile.learned.values_mut().try_for_each(Saved::check)?;
        Ok(profile)
    }

    /// Takes over what `other` has and this one has not, as far as there is room: another process may have saved since.
    pub(crate) fn merge(&mut self, other: &Profile) {
        for (key, rates) in &other.devices {
            if self.devices.len() < MAX_DEVICES {
                self.devices.entry(key.clone()).or_insert_with(|| rates.clone());
            }
        }
        for (key, saved) in &other.learned {
            // What was learned corrects the rates beside it, and no others.
            if self.devices.get(key).is_some_and(|own| other.devices.get(key) == Some(own)) {
                self.learned.entry(key.clone()).or_default().merge(saved);
            }
        }
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let file = File { version: VERSION, checksum: checksum(self), profile: self.clone() };
        serde_json::to_string_pretty(&file).unwrap_or_default()
    }

    /// Writes the profile atomically: readers see the old file or the new one, never a part.
    ///
    /// # Errors
    /// `Profile`: the folder or file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let write = || -> std::io::Result<()> {
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir)?;
            }
            // Its own name for each save: threads of one process save at once, too.
            static SAVES: AtomicU64 = AtomicU64::new(0);
            let save = SAVES.fetch_add(1, Ordering::Relaxed);
            let temporary = path.with_extension(format!("tmp{}-{save}", std::process::id()));
            let mut file = fs::File::create(&temporary)?;
            file.write_all(self.to_text().as_bytes())?;
            drop(file);
            fs::rename(&temporary, path).inspect_err(|_| {
                let _ = fs::remove_file(&temporary);
            })
        };
        write().map_err(|e| Error::new(ErrorKind::Profile, format!("cannot save profile {}: {e}", path.display())))
    }

    /// Deletes the saved profile; whether there was one.
    ///
    /// # Errors
    /// `Profile`: it is there and cannot be deleted.
    pub fn clear(path: &Path) -> Result<bool> {
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::new(ErrorKind::Profile, format!("cannot delete profile {}: {e}", path.display()))),
        }
    }
}

/// FNV-1a over the canonical JSON: detects damage, not malice.
fn checksum(profile: &Profile) -> String {
    let text = serde_json::to_string(profile).unwrap_or_default();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// Brings every value into a range that no machine leaves, so that a strange profile cannot break the model.
fn clamp(rates: &mut Rates) {
    let bound = |v: &mut f64, low: f64, high: f64| *v = if v.is_finite() { v.clamp(low, high) } else { high };
    for rate in rates.all_mut() {
        // A rate of zero says "cannot": it stays.
        if rate.per_s != 0.0 {
            bound(&mut rate.per_s, 1e3, 1e18);
        }
        bound(&mut rate.spread, 0.0, 1e3);
    }
    bound(&mut rates.setup_ns, 0.0, 1e11);
    bound(&mut rates.compile_ns, 0.0, 1e11);
    bound(&mut rates.launch_ns, 0.0, 1e9);
    bound(&mut rates.link_ns, 0.0, 1e9);
    bound(&mut rates.parallel_invocations, 1.0, 1e9);
}

impl Rates {
    /// Every rate with its name.
    pub fn all(&self) -> [(&'static str, Rate); 17] {
        [
            ("float", self.float),
            ("double", self.double),
            ("divide", self.divide),
            ("transcendental", self.transcendental),
            ("integer", self.integer),
            ("branch", self.branch),
            ("atomic", self.atomic),
            ("barrier", self.barrier),
            ("cache_bytes", self.cache_bytes),
            ("middle_bytes", self.middle_bytes),
            ("memory_bytes", self.memory_bytes),
            ("beyond_bytes", self.beyond_bytes),
            ("gather_bytes", self.gather_bytes),
            ("far_gather_bytes", self.far_gather_bytes),
            ("group_bytes", self.group_bytes),
            ("up_bytes", self.up_bytes),
            ("down_bytes", self.down_bytes),
        ]
    }

    fn all_mut(&mut self) -> [&mut Rate; 17] {
        [
            &mut self.float,
            &mut self.double,
            &mut self.divide,
            &mut self.transcendental,
            &mut self.integer,
            &mut self.branch,
            &mut self.atomic,
            &mut self.barrier,
            &mut self.cache_bytes,
            &mut self.middle_bytes,
            &mut self.memory_bytes,
            &mut self.beyond_bytes,
            &mut self.gather_bytes,
            &mut self.far_gather_bytes,
            &mut self.group_bytes,
            &mut self.up_bytes,
            &mut self.down_bytes,
        ]
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, rates) in &self.devices {
            writeln!(f, "{key}")?;
            writeln!(f, "  launch {:.1} us, link latency {:.1} us", rates.launch_ns / 1e3, rates.link_ns / 1e3)?;
            let (setup, compile) = (rates.setup_ns / 1e6, rates.compile_ns / 1e6);
            writeln!(f, "  once: device {setup:.2} ms, each kernel {compile:.2} ms")?;
            for (name, rate) in rates.all() {
                let value = rate.per_s / 1e9;
                writeln!(
                    f,
                    "  {name:<16} {value:>10.3} G/s  ({} runs, spread {:.0} %)",
                    rate.count,
                    rate.spread * 100.0
                )?;
            }
        }
        for (key, saved) in &self.learned {
            writeln!(f, "{key}\n  learned from calls of {} kernels", saved.kernels.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::roofline::tests::rates;

    fn profile() -> Profile {
        Profile { devices: [("a card".to_owned(), rates())].into(), learned: BTreeMap::new() }
    }

    #[test]
    fn what_is_saved_is_read_back() {
        assert_eq!(Profile::parse(&profile().to_text()), Ok(profile()));
    }

    #[test]
    fn what_another_process_saved_is_kept_and_what_this_one_knows_stays() {
        let kernels = |names: &[&str]| names.iter().map(|k| (k.to_string(), Default::default())).collect();
        let saved = |names: &[&str]| Saved { kernels: kernels(names), ..Saved::default() };
        let mut own = profile();
        own.learned.insert("a card".into(), saved(&["1"]));
        let mut other = profile();
        other.devices.insert("another".into(), rates());
        other.learned = [("a card".to_owned(), saved(&["1", "2"])), ("another".to_owned(), saved(&["3"]))].into();
        own.merge(&other);
        assert_eq!(own.devices.len(), 2);
        assert_eq!(own.learned["a card"], saved(&["1", "2"]));
        assert_eq!(own.learned["another"], saved(&["3"]));

        other.devices.get_mut("a card").unwrap().launch_ns += 1.0;
        let mut own = profile();
        own.merge(&other);
        assert!(!own.learned.contains_key("a card"), "learned on other rates");
    }

    #[test]
    fn a_changed_digit_is_noticed() {
        let text = profile().to_text().replace("1000.0", "1001.0");
        assert!(Profile::parse(&text).unwrap_err().contains("checksum"));
    }

    #[test]
    fn absurd_values_are_clamped() {
        let mut p = profile();
        let r = p.devices.get_mut("a card").unwrap();
        r.launch_ns = -5.0;
        r.float.per_s = 1e300;
        let read = Profile::parse(&p.to_text()).unwrap();
        assert_eq!(read.devices["a card"].launch_ns, 0.0);
        assert_eq!(read.devices["a card"].float.per_s, 1e18);
    }

    #[test]
    fn garbage_is_an_error_that_says_how_to_go_on() {
        let path = std::env::temp_dir().join(format!("evener-profile-{}.json", std::process::id()));
        fs::write(&path, "{ not json").unwrap();
        let error = Profile::load(&path).unwrap_err();
        assert!(error.to_string().contains("measured again"), "{error}");
        assert!(Profile::clear(&path).unwrap());
        assert!(!Profile::clear(&path).unwrap());
    }
}
