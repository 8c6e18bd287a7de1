//! What machine code reads and writes besides bindings: the context of a batch, and the area for helpers.

use crate::run::check::Bound;
use std::mem::offset_of;

/// The context of a batch, in a pinned register.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Context {
    /// Row: global id of lane 0. Group: the work-group's id.
    pub(crate) first: [u32; 3],
    /// Lanes of the batch.
    pub(crate) lanes: u32,
    /// `num_workgroups`.
    pub(crate) groups: [u32; 3],
    /// Rows of the batch, one above the other.
    pub(crate) rows: u32,
    /// 0 where results go past the caches, else 1.
    pub(crate) cached: u32,
    /// Loop iterations that a block of lanes may make.
    pub(crate) fuel: u64,
    /// Iterations left to loops around barriers.
    pub(crate) outer_fuel: u64,
    pub(crate) bound: *const Bound,
    pub(crate) workgroup: *mut u8,
    pub(crate) private: *mut u8,
    /// Values kept from one barrier region to the next.
    pub(crate) slots: *mut u8,
    /// Linear: global ids of the lanes. Group: local ids.
    pub(crate) ids: [*const u32; 3],
    /// 64 zero bytes: what uniform loads out of bounds read.
    pub(crate) zeros: *const u8,
    /// The dispatcher of helpers.
    pub(crate) helper: extern "sysv64" fn(*mut Area),
}

pub(super) const FIRST: i32 = offset_of!(Context, first) as i32;
pub(super) const LANES: i32 = offset_of!(Context, lanes) as i32;
pub(super) const GROUPS: i32 = offset_of!(Context, groups) as i32;
pub(super) const FUEL: i32 = offset_of!(Context, fuel) as i32;
pub(super) const OUTER_FUEL: i32 = offset_of!(Context, outer_fuel) as i32;
pub(super) const ROWS: i32 = offset_of!(Context, rows) as i32;
pub(super) const CACHED: i32 = offset_of!(Context, cached) as i32;
pub(super) const BOUND: i32 = offset_of!(Context, bound) as i32;
pub(super) const WORKGROUP: i32 = offset_of!(Context, workgroup) as i32;
pub(super) const PRIVATE: i32 = offset_of!(Context, private) as i32;
pub(super) const SLOTS: i32 = offset_of!(Context, slots) as i32;
pub(super) const IDS: i32 = offset_of!(Context, ids) as i32;
pub(super) const ZEROS: i32 = offset_of!(Context, zeros) as i32;
pub(super) const HELPER: i32 = offset_of!(Context, helper) as i32;

/// Offsets in [`Bound`].
pub(super) const BOUND_BYTES: i32 = size_of::<Bound>() as i32;
pub(super) const BOUND_PTR: i32 = offset_of!(Bound, ptr) as i32;
pub(super) const BOUND_LEN: i32 = offset_of!(Bound, runtime_len) as i32;

/// Bytes of a lane slot of the area: 16 lanes of 64 bits.
pub(super) const SLOT: i32 = 128;

/// What a helper gets and gives, on the stack of the machine code.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Area {
    /// Index of the request in the code's table.
    pub(crate) request: u32,
    /// Live lanes.
    pub(crate) mask: u32,
    /// Address that lane offsets are relative to.
    pub(crate) base: *mut u8,
    /// The table.
    pub(crate) requests: *const super::helper::Request,
    pub(crate) padding: [u64; 5],
    /// Operands and result, a lane an element of the operand's type.
    pub(crate) slots: [[u64; 16]; 4],
}

pub(super) const AREA_REQUEST: i32 = offset_of!(Area, request) as i32;
pub(super) const AREA_MASK: i32 = offset_of!(Area, mask) as i32;
pub(super) const AREA_BASE: i32 = offset_of!(Area, base) as i32;
pub(super) const AREA_TABLE: i32 = offset_of!(Area, requests) as i32;
pub(super) const AREA_SLOTS: i32 = offset_of!(Area, slots) as i32;
pub(super) const AREA_BYTES: i32 = size_of::<Area>() as i32;
