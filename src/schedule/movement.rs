//! What the arrays of a call need where its chunks run: brought there before, recorded after.
//!
//! A chunk *uses* an array at a place: on its device, or on the host. There it needs what it may read or may leave
//! unwritten, and what it wrote is valid there alone afterwards. An array is used on the host by the CPU, and by a device
//! that cannot hold it or whose part of it cannot be told apart: that device gets it as a host slice.

use super::{coexec::Job, keep::Kept, plan::Assignment, transfers, windows};
use crate::{
    backend::{Argument, Transfer},
    call::args::Pinned,
    error::Result,
    memory::{
        array::Held,
        intervals::{self, Intervals},
        places::{Moved, Places},
        residency::HOST,
        staging::ALIGN,
    },
};
use evener_lanes::{
    GroupRange,
    analysis::{Footprint, Strided},
    ir::{Binding, Space},
};
use std::{
    borrow::Cow,
    collections::HashMap,
    ops::Range,
    sync::{Arc, OnceLock},
};

/// Runs of a written set that are kept apart. Beyond them the call's writes are one run, on the host or on the only device.
const MAX_RUNS: u64 = 4096;

/// Segments of arrays start at multiples of this.
const SEGMENT_ALIGN: u64 = 256;

/// Bytes of one argument that moved between the host and a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ArgumentMoved {
    /// Index of the argument; of an array that made room, none.
    pub(crate) binding: Option<usize>,
    /// Whether it is an array, whose bytes move only where they are missing.
    pub(crate) array: bool,
    /// What moved.
    pub(crate) moved: Moved,
}

impl ArgumentMoved {
    /// Whether any byte moved.
    pub(crate) fn moves_bytes(&self) -> bool {
        self.moved.up + self.moved.down > 0
    }

    /// The same with nothing brought back.
    pub(super) fn up_alone(self) -> Self {
        ArgumentMoved { moved: Moved { down: 0, ..self.moved }, ..self }
    }

    /// What an array moved, for an argument or to make room for it.
    pub(super) fn of_array(binding: Option<usize>, moved: Moved) -> Self {
        ArgumentMoved { binding: binding.filter(|_| !moved.evicted), array: true, moved }
    }
}

/// A chunk with its arguments as its device gets them.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// Its place among the plan's assignments.
    pub(super) number: usize,
    /// What runs where.
    pub(super) assignment: Assignment,
    /// One per binding; those whose array is set are in the device's memory.
    pub(super) arguments: Cow<'a, [Argument]>,
    /// What it moves; `None`: nothing, and nothing of it is recorded.
    needs: Option<Arc<Needs>>,
}

/// What a chunk moves, wherever its arrays are: the same for each call of one decision.
#[derive(Debug)]
pub(crate) struct Needs {
    /// One per binding: what moves for host slices.
    transfers: Vec<Transfer>,
    /// Arrays.
    uses: Vec<Use>,
    /// The arguments that its device gets as host slices, although they are arrays.
    at_home: Vec<usize>,
    /// What of arrays its device has in pages, where it streams the chunk.
    kept: Option<Kept>,
}

/// What a chunk needs that works in place on what the host has.
static NOTHING: Needs = Needs { transfers: Vec::new(), uses: Vec::new(), at_home: Vec::new(), kept: None };

/// An argument's array used by a chunk. Runs are bytes of the array.
#[derive(Clone, Debug)]
struct Use {
    binding: usize,
    place: usize,
    /// What must be there in one piece, where that is not all of the array.
    piece: Option<Range<u64>>,
    needs: Vec<Range<u64>>,
    writes: Vec<Range<u64>>,
}

/// The only part of a plan: what it moves is that of an earlier call where one has found it.
pub(super) fn only<'a>(job: &'a Job<'_>, assignment: Assignment) -> Part<'a> {
    if let Some(needs) = job.needs.and_then(OnceLock::get) {
        return Part::new(job, (0, assignment), Some(needs.clone()));
    }
    if job.footprints.is_empty() {
        return Part::new(job, (0, assignment), None);
    }
    let needs = needs_of(job, &[assignment]).swap_remove(0);
    if let Some(kept) = job.needs.filter(|_| needs.kept.is_none()) {
        // Of two calls at once either may be first: they are the same.
        let _ = kept.set(needs.clone());
    }
    Part::new(job, (0, assignment), Some(needs))
}

/// The parts of a plan of several, in the order of its assignments.
pub(super) fn parts<'a>(job: &'a Job<'_>, assignments: &[Assignment]) -> Vec<Part<'a>> {
    let needs = needs_of(job, assignments).into_iter().map(Some);
    assignments.iter().copied().enumerate().zip(needs).map(|(part, needs)| Part::new(job, part, needs)).collect()
}

/// What the parts of a plan move, in the order of its assignments.
fn needs_of(job: &Job<'_>, assignments: &[Assignment]) -> Vec<Arc<Needs>> {
    let (bindings, sizes) = (job.kernel.bindings(), job.shape.sizes);
    let moved: Vec<Vec<Transfer>> =
        job.footprints.iter().map(|f| transfers::of_footprint(f, bindings, sizes)).collect();
    let fine: Vec<bool> = (0..job.arguments.len())
        .map(|b| moved.iter().filter_map(|t| t.get(b)).flat_map(|t| &t.download).any(|set| set.count() > MAX_RUNS))
        .collect();
    // What merges is combined on the host.
    let merges = |b: usize| job.footprints.iter().filter_map(|f| f.bindings.get(b)).any(|f| !f.merges.is_empty());
    let at_home = |b: usize, place: usize| place == HOST || (assignments.len() > 1 && (fine[b] || merges(b)));
    (assignments.iter().zip(moved))
        .map(|(assignment, transfers)| {
            // What goes through a device in windows is at home on the host.
            let streamed = job.windowed(assignment.device).is_some();
            let pieces = pieces(job.places, assignment.device, job.arguments).filter(|_| !streamed);
            let place_of = |b, place| if pieces.is_some() && !at_home(b, place) { place } else { HOST };
            // Of a set of many runs, the gaps would have to be valid where the runs are.
            let may = |b: usize| !at_home(b, assignment.device) && !fine[b] && in_words(&job.arguments[b]);
            let kept = if streamed { Kept::choose(job, assignment, &transfers, may) } else { None };
            let mut needs = needs(job, assignment.device, (transfers, kept), &fine, place_of);
            needs.in_pieces(job.arguments, &pieces.unwrap_or_default());
            if let Some(repeat) = job.repeat.filter(|r| r.steps > 1) {
                needs.alternate(repeat.swap);
            }
            Arc::new(needs)
        })
        .collect()
}

/// Whether the arguments are arrays in the memory of the device that runs the only part of a plan, all of them.
pub(crate) fn is_resident(job: &Job<'_>, assignment: Assignment) -> bool {
    job.windowed(assignment.device).is_none() && only(job, assignment).is_resident(job)
}

/// A chunk that runs on the CPU after a device failed.
pub(super) fn recovery<'a>(job: &'a Job<'_>, failed: &Part<'_>) -> Part<'a> {
    let assignment = Assignment { device: HOST, range: failed.assignment.range };
    let uses = failed.needs().uses.iter().map(|u| Use {
        binding: u.binding,
        place: HOST,
        piece: None,
        needs: u.needs.clone(),
        writes: u.writes.clone(),
    });
    let needs = Needs::of_arrays(uses.collect());
    Part::new(job, (failed.number, assignment), Some(Arc::new(needs)))
}

/// The piece of each array that a device must hold for these arguments to be bound where they are: all of it where all of
/// all arrays fits, else what the arguments span. `None` where it does not hold that, or has no memory of its own.
fn pieces(places: &Places, place: usize, arguments: &[Argument]) -> Option<HashMap<u64, Range<u64>>> {
    let arrays = || arguments.iter().filter_map(|a| Some((a.array?, a.len)));
    if place == HOST || arrays().next().is_none() {
        return (place == HOST).then(HashMap::new);
    }
    let largest = places.device(place).info().limits.buffer_bytes;
    let fit = |pieces: &HashMap<u64, Range<u64>>| {
        let bytes = || pieces.values().map(|piece| piece.end - piece.start);
        bytes().all(|b| b <= largest) && bytes().sum::<u64>() <= places.limit(place)
    };
    let wholes: HashMap<u64, Range<u64>> = arrays().map(|(a, _)| (a.id, 0..a.bytes)).collect();
    if fit(&wholes) {
        return Some(wholes);
    }
    let mut spans: HashMap<u64, Range<u64>> = HashMap::new();
    for (array, len) in arrays() {
        let part = array.offset / SEGMENT_ALIGN * SEGMENT_ALIGN..array.offset + len;
        let span = spans.entry(array.id).or_insert_with(|| part.clone());
        *span = span.start.min(part.start)..span.end.max(part.end);
    }
    // A segment that has more than that cannot be made smaller.
    for (id, span) in &mut spans {
        *span = places.covering(place, *id, span).unwrap_or_else(|| span.clone());
    }
    fit(&spans).then_some(spans)
}

fn needs(
    job: &Job<'_>,
    device: usize,
    (mut transfers, kept): (Vec<Transfer>, Option<Kept>),
    fine: &[bool],
    place_of: impl Fn(usize, usize) -> usize,
) -> Needs {
    let (mut uses, mut at_home) = (Vec::new(), Vec::new());
    for (binding, argument) in job.arguments.iter().enumerate() {
        let Some(array) = argument.array else { continue };
        let place = if in_words(argument) { place_of(binding, device) } else { HOST };
        let pages = kept.as_ref().and_then(|kept| kept.pages(binding));
        if let (Some(transfer), Some(pages)) = (transfers.get(binding), pages) {
            let all = Use::new(binding, HOST, transfer, array.offset, fine[binding]);
            uses.extend(all.divide(device, pages.bytes()));
            continue;
        }
        if let Some(transfer) = transfers.get_mut(binding) {
            uses.push(Use::new(binding, place, transfer, array.offset, fine[binding]));
            if place != HOST {
                *transfer = Transfer::default();
            }
        }
        if place == HOST {
            at_home.push(binding);
        }
    }
    Needs { transfers, uses, at_home, kept }
}

/// Whether an argument is whole words of its array: one that is only in part the argument's could not be moved without its
/// neighbours.
fn in_words(argument: &Argument) -> bool {
    let Some(array) = argument.array else { return false };
    let end = array.offset + argument.len;
    array.offset.is_multiple_of(ALIGN) && (end.is_multiple_of(ALIGN) || end == array.bytes)
}

impl Use {
    /// What of a use on the host is on a device instead, and the rest.
    fn divide(&self, place: usize, held: &Intervals) -> [Use; 2] {
        let ([needs, needs_home], [writes, writes_home]) = (held.divide(&self.needs), held.divide(&self.writes));
        let part = |place, needs, writes| Use { binding: self.binding, place, piece: None, needs, writes };
        [part(place, needs, writes), part(HOST, needs_home, writes_home)]
    }

    fn new(binding: usize, place: usize, transfer: &Transfer, offset: u64, fine: bool) -> Self {
        let shift = |r: Range<u64>| r.start + offset..r.end + offset;
        let mut needs: Intervals = transfer.upload.iter().cloned().map(shift).collect();
        let mut writes = Intervals::default();
        for set in &transfer.download {
            if fine {
                let hull = shift(set.start..set.end());
                needs.insert(hull.clone());
                writes.insert(hull);
            } else {
                set.for_each_run(|run| writes.insert(shift(run)));
            }
        }
        Use { binding, place, piece: None, needs: needs.runs().to_vec(), writes: writes.runs().to_vec() }
    }
}

impl Needs {
    fn of_arrays(uses: Vec<Use>) -> Self {
        Needs { transfers: Vec::new(), uses, at_home: Vec::new(), kept: None }
    }

    /// Notes what must be where it is used in one piece.
    fn in_pieces(&mut self, arguments: &[Argument], pieces: &HashMap<u64, Range<u64>>) {
        for u in self.uses.iter_mut().filter(|u| u.place != HOST) {
            let array = arguments[u.binding].array;
            let piece = array.and_then(|a| Some((pieces.get(&a.id)?, 0..a.bytes)));
            u.piece = piece.filter(|(piece, whole)| *piece != whole).map(|(piece, _)| piece.clone());
        }
    }

    /// Both arrays of a swap are used in both roles, the second first as it is.
    fn alternate(&mut self, (a, b): (usize, usize)) {
        let of = |k: usize| self.uses.iter().position(|u| u.binding == k);
        let (Some(a), Some(b)) = (of(a), of(b)) else { return };
        let all = |runs: &[&Vec<Range<u64>>]| runs.iter().copied().flatten().cloned().collect::<Intervals>();
        let (needs_a, needs_b) = (&self.uses[a].needs, &self.uses[b].needs);
        // What the first step certainly writes, the second does not need from before.
        let mut later = all(&[needs_a]);
        let mut certain = all(&[&self.uses[b].writes]);
        needs_b.iter().for_each(|run| certain.remove(run.clone()));
        certain.runs().iter().for_each(|run| later.remove(run.clone()));
        let later = later.runs().to_vec();
        let (of_a, of_b) = (all(&[needs_a, needs_b]), all(&[&later, needs_b]));
        let writes = all(&[&self.uses[a].writes, &self.uses[b].writes]);
        for (k, needs) in [(a, of_a), (b, of_b)] {
            self.uses[k].needs = needs.runs().to_vec();
            self.uses[k].writes = writes.runs().to_vec();
        }
    }
}

impl<'a> Part<'a> {
    fn new(job: &'a Job<'_>, (number, assignment): (usize, Assignment), needs: Option<Arc<Needs>>) -> Self {
        let mut arguments = Cow::Borrowed(job.arguments);
        for &binding in needs.iter().flat_map(|needs| &needs.at_home) {
            if arguments[binding].array.is_some() {
                arguments.to_mut()[binding].array = None;
            }
        }
        Part { number, assignment, arguments, needs }
    }

    fn needs(&self) -> &Needs {
        self.needs.as_deref().unwrap_or(&NOTHING)
    }

    /// Whether it moves nothing.
    pub(super) fn is_in_place(&self) -> bool {
        self.needs.is_none()
    }

    /// One per binding: what moves for host slices.
    pub(super) fn transfers(&self) -> &[Transfer] {
        &self.needs().transfers
    }

    /// Whether all its storage is arrays in its device's own memory.
    pub(super) fn is_resident(&self, job: &Job<'_>) -> bool {
        let storage = job.kernel.bindings().iter().zip(job.arguments).filter(|(b, _)| b.space == Space::Storage);
        storage.map(|(_, argument)| argument).all(|a| a.array.is_some())
            && self.needs().uses.iter().all(|u| u.place != HOST)
    }

    /// Brings what the chunk needs of arrays to where it runs, and returns what must live until it ended.
    ///
    /// # Errors
    /// Bytes that only a lost device had; memory; a lost device.
    pub(super) fn bring(&self, job: &Job<'_>, moved: &mut Vec<ArgumentMoved>) -> Result<Vec<Held>> {
        let mut in_pieces = Vec::new();
        let pins = |id: u64| job.arrays.iter().flatten().filter(|array| array.id() == id).count();
        let kept = self.needs().kept.as_ref();
        moved.extend(kept.iter().flat_map(|k| k.evicted()).map(|m| ArgumentMoved::of_array(None, *m)));
        for u in &self.needs().uses {
            let Some(array) = &job.arrays[u.binding] else { continue };
            let pages = kept.and_then(|kept| kept.pages(u.binding)).filter(|_| u.place != HOST);
            let mut moves = Vec::new();
            let result = match (pages, &u.piece) {
                (Some(pages), _) => pages.acquire(&u.needs, &mut moves),
                (None, None) => array.acquire(u.place, &u.needs, &mut moves),
                (None, Some(piece)) => {
                    Held::piece(array, u.place, (piece, pins(array.id())), &mut moves).and_then(|piece| {
                        let result = piece.acquire(&u.needs, &mut moves);
                        in_pieces.push(piece);
                        result
                    })
                }
            };
            moved.extend(moves.into_iter().map(|moved| ArgumentMoved::of_array(Some(u.binding), moved)));
            result?;
        }
        Ok(in_pieces)
    }

    /// What of arrays its device has in pages.
    pub(super) fn kept(&self) -> Option<&Kept> {
        self.needs().kept.as_ref()
    }

    /// Records what a streamed chunk of it wrote: pages of arrays if it `stays` on the device, else the host's bytes.
    pub(super) fn streamed(&self, job: &Job<'_>, range: GroupRange, stays: bool) {
        let place = if stays { self.assignment.device } else { HOST };
        self.chunk(job, range, place).wrote(job);
    }

    /// A part of a streamed part, with what it needs and writes of arrays at a place.
    fn chunk(&self, job: &Job<'_>, range: GroupRange, place: usize) -> Part<'a> {
        let footprint = job.kernel.analysis.footprint(&job.shape, &range);
        let transfers = transfers::of_footprint(&footprint, job.kernel.bindings(), job.shape.sizes);
        let uses = transfers.iter().enumerate().filter_map(|(binding, transfer)| {
            let offset = job.arguments[binding].array?.offset;
            let fine = transfer.download.iter().any(|set| set.count() > MAX_RUNS);
            Some(Use::new(binding, place, transfer, offset, fine))
        });
        let needs = Some(Arc::new(Needs::of_arrays(uses.collect())));
        let assignment = Assignment { range, ..self.assignment };
        Part { number: self.number, assignment, arguments: self.arguments.clone(), needs }
    }

    /// What is left of a streamed part after it failed. Where chunks left results in pages, what it needs and writes is
    /// exactly its own.
    pub(super) fn left(&self, job: &Job<'_>, range: GroupRange) -> Part<'a> {
        match self.needs().kept {
            Some(_) => self.chunk(job, range, HOST),
            None => self.rest(range),
        }
    }

    /// What is left of a part after a stream of it failed.
    pub(super) fn rest(&self, range: GroupRange) -> Part<'a> {
        let assignment = Assignment { range, ..self.assignment };
        let needs = Some(Arc::new(Needs::of_arrays(self.needs().uses.clone())));
        Part { number: self.number, assignment, arguments: self.arguments.clone(), needs }
    }

    /// A chunk of host slices that failed on its device.
    pub(super) fn of_slices(job: &'a Job<'_>, assignment: Assignment) -> Part<'a> {
        Part::new(job, (0, assignment), None)
    }

    /// Records what the chunk wrote.
    pub(super) fn wrote(&self, job: &Job<'_>) {
        let bindings = job.kernel.bindings();
        for u in self.needs().uses.iter().filter(|u| !u.writes.is_empty()) {
            if let Some(array) = &job.arrays[u.binding] {
                let writer = (bindings[u.binding].name.as_str(), job.kernel.reflection.entry.as_str());
                array.written(u.place, u.writes.iter().cloned(), writer);
            }
        }
    }

    /// Records that the chunk failed on its device: what it may have written there is unknown.
    pub(super) fn failed(&self, job: &Job<'_>) {
        for u in self.needs().uses.iter().filter(|u| u.place != HOST) {
            if let Some(array) = &job.arrays[u.binding] {
                array.forget(u.place, u.writes.iter().cloned());
            }
        }
    }

    /// Bytes of host slices that move for the chunk.
    pub(super) fn slices_moved(&self, job: &Job<'_>) -> impl Iterator<Item = ArgumentMoved> {
        slices_moved(job, self.assignment.device, self.transfers())
    }

    /// Bytes of device memory that the chunk takes beside arrays.
    pub(super) fn slice_bytes(&self, job: &Job<'_>) -> u64 {
        let storage =
            job.kernel.bindings().iter().zip(self.arguments.iter()).filter(|(b, _)| b.space == Space::Storage);
        storage.map(|(_, a)| a).filter(|a| a.array.is_none()).map(|a| a.len).sum()
    }
}

/// Bytes of host slices that move for a chunk.
pub(super) fn slices_moved(
    job: &Job<'_>,
    device: usize,
    transfers: &[Transfer],
) -> impl Iterator<Item = ArgumentMoved> {
    let bindings = job.kernel.bindings().iter().enumerate().zip(transfers);
    bindings.filter(|((_, b), _)| b.space == Space::Storage).map(move |((binding, _), transfer)| {
        let down = transfer.download.iter().map(Strided::bytes).sum();
        let moved = Moved { device, up: intervals::bytes(&transfer.upload), down, evicted: false, mapped: false };
        ArgumentMoved { binding: Some(binding), array: false, moved }
    })
}

/// Bytes that a stream moved, by binding: up and down.
pub(super) fn streamed_moved(
    job: &Job<'_>,
    device: usize,
    moved: &[(u64, u64)],
) -> impl Iterator<Item = ArgumentMoved> {
    let storage = job.kernel.bindings().iter().zip(moved).enumerate().filter(|(_, (b, _))| b.space == Space::Storage);
    storage.map(move |(binding, (_, &(up, down)))| {
        let moved = Moved { device, up, down, evicted: false, mapped: false };
        ArgumentMoved { binding: Some(binding), array: false, moved }
    })
}

/// What a whole call would move if it ran on one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WouldMove {
    /// Host to the device.
    pub(crate) up: u64,
    /// The device's results to the host.
    pub(crate) down: u64,
    /// From other devices to the host, before: (device, bytes).
    pub(crate) fetched: Vec<(usize, u64)>,
}

/// What a call with this footprint would move if it ran at `place`.
pub(crate) fn would_move(
    places: &Places,
    place: usize,
    footprint: &Footprint,
    bindings: &[Binding],
    arguments: &[Argument],
    arrays: &[Option<Pinned>],
) -> WouldMove {
    let sizes: Vec<u64> = arguments.iter().map(|a| a.len).collect();
    let mut total = WouldMove::default();
    let room = places.device(place).room();
    let windows = room.is_some_and(|room| windows::whole_misfit(bindings, &sizes, &room).is_some());
    let holds = !windows && pieces(places, place, arguments).is_some();
    for (b, transfer) in transfers::of_footprint(footprint, bindings, &sizes).iter().enumerate() {
        let (up, down) =
            (intervals::bytes(&transfer.upload), transfer.download.iter().map(Strided::bytes).sum::<u64>());
        let resident = arguments[b].array.zip(arrays[b].as_ref());
        let at = if holds { place } else { HOST };
        if let Some((part, array)) = resident {
            let needs: Vec<Range<u64>> =
                transfer.upload.iter().map(|r| r.start + part.offset..r.end + part.offset).collect();
            let (missing, fetched) = array.missing(at, &needs);
            total.up += if at == HOST { 0 } else { missing };
            total.fetched.extend(fetched);
        }
        if place != HOST && (resident.is_none() || !holds) {
            // What the device has of it in pages stays there.
            let kept = resident.map(|(part, array)| array.kept(place, part.offset, transfer)).unwrap_or_default();
            total.up += up - kept.0.min(up);
            total.down += down - kept.1.min(down);
        }
    }
    total
}
