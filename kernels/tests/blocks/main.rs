//! The building blocks against plain references, on the CPU, on the software GPU, split over both, and where they choose.

mod npb;
mod places;
mod random;
mod rearrange;
mod reduce;
mod scan;
mod sort;
