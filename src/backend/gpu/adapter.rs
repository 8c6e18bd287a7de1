//! Finds the machine's GPUs: each physical card once, software rasterisers only when asked for.

use super::{Options, device::GpuDevice, limits};
use crate::backend::{Capabilities, DeviceKind};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
};

/// What [`devices`] found.
#[derive(Debug, Default)]
pub struct Found {
    /// Devices to use: discrete, integrated, virtual, unnamed, software, with ids `gpu:0`, `gpu:1`, ...
    pub devices: Vec<Arc<GpuDevice>>,
    /// Adapters that are not used, and why.
    pub left_out: Vec<LeftOut>,
    /// Why there is no device, if there is none.
    pub reason: Option<String>,
}

/// An adapter that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Name given by the driver.
    pub name: String,
    /// `vulkan`, `metal` or `dx12`.
    pub api: String,
    /// Why it is not used.
    pub reason: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.name, self.api, self.reason)
    }
}

/// The way to the drivers, one for the process and never given back: a driver that a device's own thread unloads while the
/// process ends takes it down.
static INSTANCE: OnceLock<wgpu::Instance> = OnceLock::new();

/// Lists the machine's GPUs. Creates no device, so it costs the loading of the drivers only.
///
/// Never fails: without a loader, a driver or an adapter the list is empty and says why.
pub fn devices(options: Options) -> Found {
    catch_unwind(AssertUnwindSafe(|| find(options))).unwrap_or_else(|panic| Found {
        reason: Some(format!("listing the GPUs failed: {}", super::faults::panic_text(&*panic))),
        ..Found::default()
    })
}

fn find(options: Options) -> Found {
    let apis = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    if (wgpu::Instance::enabled_backend_features() & apis).is_empty() {
        return Found { reason: Some("no GPU interface is supported on this platform".into()), ..Found::default() };
    }
    let instance = INSTANCE.get_or_init(|| {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = apis;
        // No validation layers, and no VALIDATION_INDIRECT_CALL: it caps buffers at 4 GiB for draws we never make.
        descriptor.flags = wgpu::InstanceFlags::empty();
        wgpu::Instance::new(descriptor)
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(apis));
    let nothing = adapters.is_empty().then(|| reason_for_nothing(instance));

    let mut left_out = Vec::new();
    let mut listed: Vec<(Listing, wgpu::Adapter)> = Vec::new();
    for adapter in adapters {
        let listing = Listing::new(&adapter);
        match listing.unusable(&adapter, options) {
            Some(reason) => left_out.push(LeftOut { name: listing.name, api: listing.api.into(), reason }),
            None => listed.push((listing, adapter)),
        }
    }
    let listings: Vec<Listing> = listed.iter().map(|(l, _)| l.clone()).collect();
    let devices: Vec<_> = merge(&listings)
        .into_iter()
        .enumerate()
        .map(|(k, card)| {
            let merged = card.others.iter().map(|&i| listings[i].api.to_owned()).collect();
            let adapter = listed[card.chosen].1.clone();
            Arc::new(GpuDevice::listed(adapter, format!("gpu:{k}"), merged, options))
        })
        .collect();
    let reason = devices
        .is_empty()
        .then(|| nothing.unwrap_or_else(|| left_out.iter().map(LeftOut::to_string).collect::<Vec<_>>().join("; ")));
    Found { devices, left_out, reason }
}

/// What wgpu says when it is asked for an adapter and there is none.
fn reason_for_nothing(instance: &wgpu::Instance) -> String {
    match pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())) {
        Err(e) => {
            // Only what could be otherwise on this machine.
            let text = e.to_string();
            let parts: Vec<&str> = text.split([';', ',']).map(str::trim).filter(|p| is_telling(p)).collect();
            format!("no GPU: {}", parts.join("; "))
        }
        Ok(_) => "no GPU that can compute".into(),
    }
}

fn is_telling(part: &str) -> bool {
    !part.is_empty() && !["not requested", "not compiled in"].iter().any(|noise| part.ends_with(noise))
}

/// What is known of an adapter before it is opened.
#[derive(Clone, Debug)]
struct Listing {
    name: String,
    api: &'static str,
    kind: DeviceKind,
    vendor: u32,
    device: u32,
    /// Empty where the driver does not say.
    pci: String,
    capabilities: Capabilities,
}

impl Listing {
    fn new(adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        Listing {
            api: limits::api_name(info.backend),
            kind: limits::kind(&info),
            vendor: info.vendor,
            device: info.device,
            pci: info.device_pci_bus_id,
            capabilities: limits::capabilities(adapter.features()),
            name: info.name,
        }
    }

    fn unusable(&self, adapter: &wgpu::Adapter, options: Options) -> Option<String> {
        if self.kind == DeviceKind::Software && !options.software {
            return Some("a software rasteriser, not a GPU; `--software-gpu` or EVENER_SOFTWARE_GPU=1 lists it".into());
        }
        if !adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS) {
            return Some("it has no compute shaders".into());
        }
        None
    }

    /// Whether two listings of *different* APIs can be the same card.
    fn same_card(&self, other: &Listing) -> bool {
        if !self.pci.is_empty() && !other.pci.is_empty() {
            return self.pci == other.pci;
        }
        (self.vendor, self.device, self.kind) == (other.vendor, other.device, other.kind)
    }

    /// More capabilities win; among equals Vulkan, whose drivers offer most of what kernels use.
    fn merit(&self) -> (u32, bool) {
        let count = self.capabilities.named().iter().map(|(_, has)| u32::from(*has)).sum();
        (count, self.api == "vulkan")
    }
}

/// One physical card: indices into the listings.
#[derive(Debug, PartialEq, Eq)]
struct Card {
    chosen: usize,
    others: Vec<usize>,
}

/// Groups listings into cards and orders the cards.
///
/// Two identical cards listed by one API stay two: a card takes at most one listing of each API.
fn merge(listings: &[Listing]) -> Vec<Card> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, listing) in listings.iter().enumerate() {
        let home = groups.iter_mut().find(|group| {
            group.iter().all(|&j| listings[j].api != listing.api)
                && group.iter().any(|&j| listings[j].same_card(listing))
        });
        match home {
            Some(group) => group.push(i),
            None => groups.push(vec![i]),
        }
    }
    let mut cards: Vec<Card> = groups
        .into_iter()
        .map(|group| {
            // `max_by_key` keeps the last of equals: go backwards to keep the first.
            let chosen = group.iter().rev().copied().max_by_key(|&i| listings[i].merit()).unwrap_or(group[0]);
            Card { chosen, others: group.into_iter().filter(|&i| i != chosen).collect() }
        })
        .collect();
    cards.sort_by_key(|card| rank(listings[card.chosen].kind));
    cards
}

fn rank(kind: DeviceKind) -> u8 {
    match kind {
        DeviceKind::Discrete => 0,
        DeviceKind::Integrated => 1,
        DeviceKind::Virtual => 2,
        DeviceKind::Other | DeviceKind::Cpu => 3,
        DeviceKind::Software => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(api: &'static str, kind: DeviceKind, device: u32, pci: &str, f64: bool) -> Listing {
        let capabilities = Capabilities { f64, ..Capabilities::default() };
        Listing { name: "card".into(), api, kind, vendor: 0x10de, device, pci: pci.into(), capabilities }
    }

    #[test]
    fn a_card_listed_by_two_apis_is_one_device_of_the_more_capable_api() {
        use DeviceKind::Discrete;
        let all = [listing("dx12", Discrete, 7, "", false), listing("vulkan", Discrete, 7, "0000:01:00.0", true)];
        assert_eq!(merge(&all), [Card { chosen: 1, others: vec![0] }]);
    }

    #[test]
    fn two_identical_cards_of_one_api_stay_two_and_pair_with_the_other_api() {
        use DeviceKind::Discrete;
        let all = [
            listing("vulkan", Discrete, 7, "0000:01:00.0", true),
            listing("vulkan", Discrete, 7, "0000:02:00.0", true),
            listing("dx12", Discrete, 7, "0000:02:00.0", false),
            listing("dx12", Discrete, 7, "0000:01:00.0", false),
        ];
        assert_eq!(merge(&all), [Card { chosen: 0, others: vec![3] }, Card { chosen: 1, others: vec![2] }]);
        let unknown: Vec<_> = all.iter().cloned().map(|l| Listing { pci: String::new(), ..l }).collect();
        assert_eq!(merge(&unknown).len(), 2);
    }

    #[test]
    fn cards_are_ordered_by_kind_and_different_ones_are_not_merged() {
        use DeviceKind::*;
        let all = [
            listing("vulkan", Software, 1, "", true),
            listing("vulkan", Integrated, 2, "", true),
            listing("dx12", Discrete, 3, "", true),
        ];
        let order: Vec<usize> = merge(&all).iter().map(|c| c.chosen).collect();
        assert_eq!(order, [2, 1, 0]);
    }
}
