//! The end of a call that was submitted.

use crate::{backend::Queued, error::Result, report::Report};
use std::{fmt, sync::Arc, time::Instant};

/// A call that was submitted by [`Call::submit`](crate::call::Call::submit). Dropping it changes nothing: the call runs, and
/// whatever uses its results comes after it.
pub struct Event {
    report: Box<Report>,
    /// What is still to be waited for, and when the call began.
    queued: Option<(Arc<dyn Queued>, Instant)>,
}

impl Event {
    /// Of a call that has ended.
    pub(crate) fn ended(report: Report) -> Self {
        Event { report: Box::new(report), queued: None }
    }

    /// Of a call that was recorded; `report` lacks what it will have taken.
    pub(crate) fn queued(report: Report, queued: Arc<dyn Queued>, since: Instant) -> Self {
        Event { report: Box::new(report), queued: Some((queued, since)) }
    }

    /// Whether the call has ended, or failed.
    pub fn is_done(&self) -> bool {
        self.queued.as_ref().is_none_or(|(queued, _)| queued.is_done())
    }

    /// Waits until the call has ended. The time of a kernel that shared a submission with others is its part of it.
    ///
    /// # Errors
    /// `DeviceLost`: its device was lost, and with it the results.
    pub fn wait(self) -> Result<Report> {
        let mut report = *self.report;
        if let Some((queued, since)) = self.queued {
            let run = queued.wait()?;
            report.facts_mut().into_iter().for_each(|facts| facts.ended(&run, since));
        }
        Ok(report)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({}, {})", self.report.kernel, if self.is_done() { "ended" } else { "under way" })
    }
}
