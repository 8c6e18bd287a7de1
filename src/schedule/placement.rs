//! What the caller asks for: the best place, one device, or a given split.

use crate::error::{Error, ErrorKind, did_you_mean};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where a call is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Placement {
    /// The least predicted time.
    #[default]
    Auto,
    /// The CPU alone.
    Cpu,
    /// One GPU alone: the one of that number, else the one with the least predicted time.
    Gpu(Option<usize>),
    /// The CPU takes this share of the work-groups (0 to 1), GPUs the rest.
    Split(f64),
}

impl Placement {
    /// All on the device of this number, 0 the CPU.
    pub fn on(device: usize) -> Self {
        device.checked_sub(1).map_or(Placement::Cpu, |k| Placement::Gpu(Some(k)))
    }

    /// The number of the one device that it names, 0 the CPU.
    pub fn device(self) -> Option<usize> {
        match self {
            Placement::Cpu => Some(0),
            Placement::Gpu(k) => k?.checked_add(1),
            Placement::Auto | Placement::Split(_) => None,
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Placement::Auto => f.write_str("auto"),
            Placement::Cpu => f.write_str("cpu"),
            Placement::Gpu(None) => f.write_str("gpu"),
            Placement::Gpu(Some(k)) => write!(f, "gpu:{k}"),
            Placement::Split(share) => write!(f, "split={share}"),
        }
    }
}

impl FromStr for Placement {
    type Err = Error;

    /// Reads `auto`, `cpu`, `gpu`, `gpu:K` or `split=F`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |why: String| Error::new(ErrorKind::NoSuchDevice, format!("placement `{text}`: {why}"));
        match text {
            "auto" => Ok(Placement::Auto),
            "cpu" => Ok(Placement::Cpu),
            "gpu" => Ok(Placement::Gpu(None)),
            _ => {
                if let Some(k) = text.strip_prefix("gpu:") {
                    let k =
                        k.parse().map_err(|_| bad("the part after `gpu:` is a device number, as in `gpu:0`".into()))?;
                    Ok(Placement::Gpu(Some(k)))
                } else if let Some(share) = text.strip_prefix("split=") {
                    match share.parse::<f64>() {
                        Ok(share) if (0.0..=1.0).contains(&share) => Ok(Placement::Split(share)),
                        _ => Err(bad("the CPU's share is a number from 0 to 1, as in `split=0.5`".into())),
                    }
                } else {
                    let known = ["auto", "cpu", "gpu", "gpu:0", "split=0.5"];
                    Err(bad(format!("not a placement{}", did_you_mean(text, known))))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_agree() {
        for text in ["auto", "cpu", "gpu", "gpu:3", "split=0.37"] {
            assert_eq!(text.parse::<Placement>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn one_device_is_a_number_and_back() {
        for device in 0..4 {
            assert_eq!(Placement::on(device).device(), Some(device));
        }
        for several in [Placement::Auto, Placement::Gpu(None), Placement::Split(0.5), Placement::Gpu(Some(usize::MAX))]
        {
            assert_eq!(several.device(), None, "{several}");
        }
    }

    #[test]
    fn a_bad_share_or_device_is_refused_with_what_would_be_right() {
        for text in ["split=1.5", "split=NaN", "split=x", "gpu:x", "gqu", ""] {
            assert_eq!(text.parse::<Placement>().unwrap_err().kind(), ErrorKind::NoSuchDevice, "{text}");
        }
    }
}
