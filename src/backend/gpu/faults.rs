//! wgpu's errors, panics and device losses as values.
//!
//! wgpu reports through error scopes (per thread), an uncaptured-error handler, a lost callback that fires only
//! at a poll, errors of `map_async`, and panics. [`Faults`] is where all of them end: a device is *lost* once
//! any of them says so, and stays so.

use crate::error::{Error, ErrorKind, Result};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// The text of a caught panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message")
}

/// What went wrong on one wgpu device.
#[derive(Debug, Default)]
pub(super) struct Faults {
    lost: OnceLock<String>,
    /// The last error outside any scope: a hint for the message of a later failure.
    stray: Mutex<Option<String>>,
}

impl Faults {
    /// Installs the handlers on a new device.
    pub(super) fn install(device: &wgpu::Device) -> Arc<Self> {
        let faults = Arc::new(Faults::default());
        let for_lost = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            for_lost.lose(match reason {
                wgpu::DeviceLostReason::Destroyed => "it was destroyed".into(),
                wgpu::DeviceLostReason::Unknown => message,
            });
        });
        let for_errors = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            *for_errors.stray.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        }));
        faults
    }

    /// Marks the device as lost. The first reason stays.
    pub(super) fn lose(&self, reason: String) {
        let _ = self.lost.set(reason);
    }

    /// Why the device is lost, if it is.
    pub(super) fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// A refusal may be the first sign of a loss: the lost callback fires at a poll of an idle queue only, and wgpu names
    /// a lost parent in the error's causes.
    fn look_for_loss(&self, device: &wgpu::Device, error: &wgpu::Error) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| device.poll(wgpu::PollType::Poll))) {
            self.lose(panic_text(&*panic).to_owned());
        }
        let mut cause = Some(error as &dyn std::error::Error);
        while let Some(e) = cause {
            if e.to_string().contains("device is lost") {
                self.lose(e.to_string());
            }
            cause = e.source();
        }
    }

    /// The last error that no scope caught, for a message.
    pub(super) fn take_stray(&self) -> Option<String> {
        self.stray.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Fails if the device is lost.
    pub(super) fn check(&self) -> Result<()> {
        match self.lost() {
            None => Ok(()),
            Some(reason) => Err(lost_error(reason)),
        }
    }

    /// Runs `f` with all of wgpu's errors on this thread caught, and its panics.
    ///
    /// # Errors
    /// Memory, a lost device, or a refusal of the driver while `what` was done; or `f`'s own.
    pub(super) fn scoped<T>(&self, device: &wgpu::Device, what: &str, f: impl FnOnce() -> Result<T>) -> Result<T> {
        self.check()?;
        let filters = [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory];
        let scopes = filters.map(|filter| device.push_error_scope(filter));
        let result = catch_unwind(AssertUnwindSafe(f));
        // Scopes are a stack: popped in reverse, which also looks at memory first, the cause of the others.
        let errors = scopes.into_iter().rev().filter_map(|scope| pollster::block_on(scope.pop()));
        let error = errors.reduce(|first, _| first);
        let value = match result {
            Ok(value) => value,
            Err(panic) => {
                self.lose(format!("the driver failed: {}", panic_text(&*panic)));
                return self.check().and(Err(Error::new(ErrorKind::Device, what.to_owned())));
            }
        };
        if let Some(error) = &error {
            self.look_for_loss(device, error);
        }
        self.check()?;
        match error {
            None => value,
            Some(error) => Err(refusal(what, error)),
        }
    }
}

/// A device that is gone.
pub(super) fn lost_error(reason: &str) -> Error {
    Error::new(ErrorKind::DeviceLost, format!("the GPU was lost: {reason}"))
}

fn refusal(what: &str, error: wgpu::Error) -> Error {
    let kind = match error {
        wgpu::Error::OutOfMemory { .. } => ErrorKind::OutOfMemory,
        _ => ErrorKind::Device,
    };
    let message = match kind {
        ErrorKind::OutOfMemory => format!("the GPU has no memory left while {what}"),
        _ => format!("the GPU driver refused while {what}: {error}"),
    };
    Error::new(kind, message).with_source(error)
}
