//! A device of a runtime with its health, and the store of calibrated rates.

use crate::{
    backend::{Backend, DeviceInfo, DeviceKind},
    cost::{
        Cost,
        calibrate::{Effort, calibrate},
        learn::saved::Saved,
        profile::{Profile, device_key},
        roofline::{Rate, Rates},
    },
    error::Result,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// First wait before a lost device is built again; doubles with each loss.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// Longest wait.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// A device and its health.
pub(crate) struct Slot {
    /// `cpu`, `gpu:0`, ...
    pub(crate) id: Arc<str>,
    pub(crate) backend: Arc<dyn Backend>,
    /// Under which its rates are kept.
    key: String,
    health: Mutex<Health>,
    /// What calls lost, in ns, because this device was not warm: once it equals the one-time cost, that is paid. (The
    /// rule for the ski-rental problem: never more than twice the cost of knowing the future.)
    credit_ns: Mutex<f64>,
}

#[derive(Default)]
struct Health {
    losses: u32,
    retry_at: Option<Instant>,
}

impl Slot {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        let (id, key) = (backend.info().id.as_str().into(), device_key(backend.info()));
        Slot { id, backend, key, health: Mutex::default(), credit_ns: Mutex::default() }
    }

    pub(crate) fn credit(&self) -> Cost {
        Cost::from_ns(*lock(&self.credit_ns))
    }

    /// Adds what a call lost by not using this device.
    pub(crate) fn add_credit(&self, lost: Cost) {
        *lock(&self.credit_ns) += lost.ns();
    }

    /// Makes a lost device usable again once its back-off has passed. `Err` says why it cannot be used now.
    pub(crate) fn revive(&self) -> Result<(), String> {
        if !self.backend.is_lost() {
            return Ok(());
        }
        let mut health = lock(&self.health);
        let now = Instant::now();
        let wait = backoff(health.losses);
        let retry_at = *health.retry_at.get_or_insert(now + wait);
        if now < retry_at {
            return Err(format!("the device was lost; it is tried again in {:.1} s", (retry_at - now).as_secs_f64()));
        }
        health.losses += 1;
        match self.backend.recreate() {
            Ok(()) => {
                health.retry_at = None;
                Ok(())
            }
            Err(e) => {
                health.retry_at = Some(Instant::now() + backoff(health.losses));
                Err(format!("the device was lost and could not be built again: {e}"))
            }
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({})", self.backend.info().id)
    }
}

fn backoff(losses: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(1 << losses.min(10)).min(MAX_BACKOFF)
}

/// Calibrated rates: those of the saved profile and those measured by this process.
#[derive(Debug)]
pub(crate) struct Store {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    profile: Profile,
    loaded: bool,
    /// Rates as calls hold them, by key.
    shared: BTreeMap<String, Arc<Rates>>,
    /// Devices being measured by some thread, by key.
    measuring: BTreeSet<String>,
}

impl Store {
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Store { path, state: Mutex::default() }
    }

    pub(crate) fn path(&self) -> Option<&PathBuf> {
        self.path.as_ref()
    }

    /// The state, with the saved profile read at first use. A profile that cannot be read is measured again.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        if !state.loaded {
            state.loaded = true;
            state.profile = self.path.as_ref().and_then(|p| Profile::load(p).ok()).unwrap_or_default();
        }
        state
    }

    pub(crate) fn profile(&self) -> Profile {
        self.state().profile.clone()
    }

    pub(crate) fn known(&self, slot: &Slot) -> Option<Arc<Rates>> {
        let state = &mut *self.state();
        if let Some(rates) = state.shared.get(&slot.key) {
            return Some(rates.clone());
        }
        let rates = Arc::new(state.profile.devices.get(&slot.key)?.clone());
        state.shared.insert(slot.key.clone(), rates.clone());
        Some(rates)
    }

    pub(crate) fn insert(&self, info: &DeviceInfo, rates: Rates) {
        let mut state = self.state();
        // What was learned were corrections of the old rates.
        state.profile.learned.remove(&device_key(info));
        state.shared.remove(&device_key(info));
        state.profile.devices.insert(device_key(info), rates);
    }

    /// What earlier processes learned of a device.
    pub(crate) fn learned(&self, info: &DeviceInfo) -> Option<Saved> {
        self.state().profile.learned.get(&device_key(info)).cloned()
    }

    /// Notes what was learned of a device, if its rates are known.
    pub(crate) fn set_learned(&self, info: &DeviceInfo, saved: Saved) {
        let (mut state, key) = (self.state(), device_key(info));
        if state.profile.devices.contains_key(&key) {
            state.profile.learned.insert(key, saved);
        }
    }

    /// Writes the file, with what other processes have saved meanwhile.
    pub(crate) fn save(&self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut profile = self.profile();
        if let Ok(other) = Profile::load(path) {
            profile.merge(&other);
        }
        profile.save(path)
    }

    /// Rates of a device: known ones, else measured now and saved. While another thread measures it, stated typical
    /// rates serve: waiting for it inside a rayon worker could be waiting for oneself.
    pub(crate) fn rates(&self, device: &dyn Backend) -> Result<Rates, String> {
        let info = device.info();
        let key = device_key(info);
        {
            let mut state = self.state();
            if let Some(rates) = state.profile.devices.get(&key) {
                return Ok(rates.clone());
            }
            if !state.measuring.insert(key.clone()) {
                return Ok(typical(info));
            }
        }
        // No lock is held here: measuring runs rayon work.
        let measured = calibrate(device, Effort::QUICK, &mut |_, _| {});
        lock(&self.state).measuring.remove(&key);
        match measured {
            Ok(rates) => {
                self.insert(info, rates.clone());
                // A folder that cannot be written costs the next process a calibration, no more.
                let _ = self.save();
                Ok(rates)
            }
            Err(e) => Err(format!("it could not be calibrated: {e}")),
        }
    }
}

/// Rates of a usual device of the kind, for the moments when nothing is measured yet.
pub(crate) fn typical(info: &DeviceInfo) -> Rates {
    let scale = match info.kind {
        DeviceKind::Cpu | DeviceKind::Software => 1.0,
        DeviceKind::Integrated | DeviceKind::Virtual | DeviceKind::Other => 100.0,
        DeviceKind::Discrete => 1000.0,
    };
    let rate = |per_s: f64| Rate::assumed(per_s * scale);
    let is_cpu = info.kind == DeviceKind::Cpu;
    Rates {
        setup_ns: if is_cpu { 2e5 } else { 1e8 },
        compile_ns: if is_cpu { 0.0 } else { 2e7 },
        launch_ns: if is_cpu { 2e3 } else { 4e4 },
        parallel_invocations: 512.0 * scale,
        float: rate(4e9),
        double: if info.capabilities.f64 { rate(2e9) } else { Rate::assumed(0.0) },
        divide: rate(1e9),
        transcendental: rate(2e8),
        integer: rate(4e9),
        branch: rate(1e9),
        atomic: rate(2e8),
        barrier: rate(1e9),
        cache_bytes: rate(2e10),
        middle_bytes: Rate::assumed(1.5e10 * scale.sqrt()),
        memory_bytes: Rate::assumed(1e10 * scale.sqrt()),
        beyond_bytes: Rate::assumed(1e10 * scale.sqrt()),
        gather_bytes: rate(2e9),
        far_gather_bytes: Rate::assumed(5e8 * scale.sqrt()),
        group_bytes: rate(1e10),
        up_bytes: Rate::assumed(if is_cpu { 0.0 } else { 5e9 }),
        down_bytes: Rate::assumed(if is_cpu { 0.0 } else { 5e9 }),
        link_ns: if is_cpu { 0.0 } else { 2e4 },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
