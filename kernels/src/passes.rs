//! The calls that a function of the library is made of, one after the other.

use crate::reports::{Done, Reports};
use evener::{
    Result,
    call::{Call, args::HostArg},
    kernel::native::NativeChunk,
    prelude::*,
    schedule::course::{Asked, Course},
};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Instant,
};

/// Calls one after the other.
pub(crate) struct Passes<'r> {
    pub(crate) runtime: &'r Runtime,
    reports: Reports,
    route: Option<Route>,
}

/// The way of a function of several calls: all on one device, as far as that is known to be good.
struct Route {
    asked: Asked,
    /// `None`: the first call leads.
    course: Option<Course>,
    began: Instant,
}

impl Route {
    fn new(runtime: &Runtime, function: &str, element: &str, data: &HostArg<'_>) -> Self {
        let began = Instant::now();
        let mut hasher = DefaultHasher::new();
        (function, element).hash(&mut hasher);
        let asked = Asked { function: hasher.finish(), size: data.bytes(), home: data.home() };
        Route { asked, course: runtime.courses().choose(&asked), began }
    }

    /// The first call has run where it was expected to end first: the others follow it, unless it was split.
    fn follow(&mut self, runtime: &Runtime, first: &Report) {
        let promised =
            first.candidates.iter().filter_map(|c| Some((Course::On(device(&c.placement)?), c.predicted_ns)));
        runtime.courses().promise(&self.asked, &promised.collect::<Vec<_>>());
        self.course = Some(device(&first.chose).map_or(Course::Free, Course::On));
    }
}

/// The number of the device that a report names; none of a split.
fn device(id: &str) -> Option<usize> {
    id.parse::<Placement>().ok()?.device()
}

impl<'r> Passes<'r> {
    /// Calls that are each placed by themselves.
    pub(crate) fn new(runtime: &'r Runtime) -> Self {
        Passes { runtime, reports: Reports::none(), route: None }
    }

    /// The calls of a function on these data that are better kept together than each placed by itself.
    pub(crate) fn of(runtime: &'r Runtime, function: &str, element: &str, data: &HostArg<'_>) -> Self {
        let open = runtime.placement() == Placement::Auto && runtime.device_count() > 1;
        let route = open.then(|| Route::new(runtime, function, element, data));
        Passes { route, ..Passes::new(runtime) }
    }

    pub(crate) fn kernel(&self, sources: &[&str]) -> Result<Kernel> {
        self.runtime.kernel(sources)
    }

    /// A kernel whose work the CPU does by `body`.
    pub(crate) fn native(
        &self,
        sources: &[&str],
        body: impl Fn(&mut NativeChunk<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Kernel> {
        self.runtime.kept_kernel_with_native(sources, body)
    }

    pub(crate) fn run(&mut self, call: Call<'_>) -> Result<()> {
        let report = match self.kept_to() {
            Some(device) => call.preferring(device).run()?,
            None => call.run()?,
        };
        if let Some(route) = self.route.as_mut().filter(|r| r.course.is_none()) {
            route.follow(self.runtime, &report);
        }
        self.reports.push(report);
        Ok(())
    }

    /// The device that the calls keep to, 0 the CPU; `None` before one leads, and where each is placed by itself.
    pub(crate) fn kept_to(&self) -> Option<usize> {
        match self.route.as_ref()?.course? {
            Course::On(device) => Some(device),
            Course::Free => None,
        }
    }

    pub(crate) fn last(&self) -> Option<&Report> {
        self.reports.last()
    }

    #[cfg(feature = "linalg")]
    pub(crate) fn reports(self) -> Reports {
        self.ended()
    }

    pub(crate) fn done<V>(self, value: V) -> Done<V> {
        Done { value, reports: self.ended() }
    }

    /// Notes what all of it took. First uses take what later ones do not.
    fn ended(self) -> Reports {
        if let Some(Route { asked, course: Some(course), began }) = self.route
            && !self.reports.iter().any(|r| r.first_use)
        {
            self.runtime.courses().observe(&asked, course, began.elapsed().as_nanos() as f64);
        }
        self.reports
    }
}
