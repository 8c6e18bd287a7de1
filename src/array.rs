//! Arrays that stay where they were last used.
//!
//! An [`Array`] is memory on the host and on every device that used it, with a record of which bytes are valid where. A call
//! moves only what its device lacks, results stay on the device that computed them, and the host gets them when it looks.

use crate::{
    call::args::{HostArg, IntoArg},
    error::{Error, ErrorKind, Result},
    kernel::layout::Element,
    memory::{array::ArrayMemory, places::Places},
};
use std::{
    fmt,
    marker::PhantomData,
    ops::{Bound, Deref, DerefMut, Range, RangeBounds},
    sync::Arc,
};

/// An array of a [`Runtime`](crate::Runtime), made by [`Runtime::array`](crate::Runtime::array) or
/// [`Runtime::zeros`](crate::Runtime::zeros).
///
/// Bound to a call like a slice, `&u` where the kernel reads and `&mut v` where it writes. Its elements are wherever the
/// last call left them; [`Array::read`], [`Array::to_vec`] and [`Array::write`] bring them to the host.
///
/// ```
/// # use evener::prelude::*;
/// # fn main() -> evener::Result<()> {
/// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
/// let double = rt.kernel(
///     "@group(0) @binding(0) var<storage, read_write> x: array<f32>;
///      @compute @workgroup_size(64) fn double(@builtin(global_invocation_id) id: vec3u) { x[id.x] *= 2.0; }",
/// )?;
/// let mut x = rt.array(&[1.0f32, 2.0, 3.0])?;
/// for _ in 0..10 {
///     double.call().arg("x", &mut x).items(3).run()?;
/// }
/// assert_eq!(x.to_vec()?, [1024.0, 2048.0, 3072.0]);
/// # Ok(()) }
/// ```
pub struct Array<T: Element> {
    memory: Arc<ArrayMemory>,
    len: usize,
    _elements: PhantomData<T>,
}

impl<T: Element> Array<T> {
    fn over(memory: Arc<ArrayMemory>, len: usize) -> Self {
        Array { memory, len, _elements: PhantomData }
    }

    pub(crate) fn zeros(places: &Arc<Places>, len: usize) -> Result<Self> {
        let bytes = (len as u64).checked_mul(size_of::<T>() as u64).ok_or_else(|| {
            Error::new(ErrorKind::OutOfMemory, format!("{len} elements of {} are more than 2^64 bytes", T::TYPE))
        })?;
        Ok(Array::over(ArrayMemory::zeroed(places, bytes)?, len))
    }

    pub(crate) fn of_slice(places: &Arc<Places>, elements: &[T]) -> Result<Self> {
        let mut array = Array::zeros(places, elements.len())?;
        array.copy_from(elements)?;
        Ok(array)
    }

    pub(crate) fn of_vec(places: &Arc<Places>, elements: Vec<T>) -> Self {
        let len = elements.len();
        Array::over(ArrayMemory::of_vec(places, elements), len)
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements on the host; what only a device has is copied first.
    ///
    /// # Errors
    /// `DeviceLost`: the only valid copy was on a device that was lost. Memory.
    pub fn read(&self) -> Result<Read<'_, T>> {
        self.view(..)?.read()
    }

    /// The elements on the host, to be changed; what only a device has is copied first. Devices get the new values at their
    /// next use.
    ///
    /// # Errors
    /// As [`Array::read`].
    pub fn write(&mut self) -> Result<Write<'_, T>> {
        self.view_mut(..)?.into_write()
    }

    /// A copy of the elements.
    ///
    /// # Errors
    /// As [`Array::read`].
    pub fn to_vec(&self) -> Result<Vec<T>> {
        Ok(self.read()?.to_vec())
    }

    /// Replaces all elements; nothing is copied from a device for it.
    ///
    /// # Errors
    /// `ArgumentSize`: another number of elements.
    pub fn copy_from(&mut self, elements: &[T]) -> Result<()> {
        self.view_mut(..)?.copy_from(elements)
    }

    /// A part, to be read.
    ///
    /// # Errors
    /// `ArgumentSize`: not inside the array.
    pub fn view(&self, range: impl RangeBounds<usize>) -> Result<View<'_, T>> {
        Ok(View { part: Part::new(self, range)?, _array: PhantomData })
    }

    /// A part, to be read or written.
    ///
    /// # Errors
    /// `ArgumentSize`: not inside the array.
    pub fn view_mut(&mut self, range: impl RangeBounds<usize>) -> Result<ViewMut<'_, T>> {
        Ok(ViewMut { part: Part::new(self, range)?, _array: PhantomData })
    }

    /// Several parts at once, of which some may be read and others written by one call.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut a = rt.array(&[1u32, 2, 3, 4])?;
    /// let [left, mut right] = a.views_mut([0..2, 2..4])?;
    /// rt.map("x + y").arg("x", &left).arg("y", &mut right).run()?;
    /// assert_eq!(a.to_vec()?, [1, 2, 4, 6]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `ArgumentSize`: one is not inside the array; `Aliasing`: two overlap.
    pub fn views_mut<const N: usize>(&mut self, ranges: [Range<usize>; N]) -> Result<[ViewMut<'_, T>; N]> {
        for (k, a) in ranges.iter().enumerate() {
            Part::new(self, a.clone())?;
            if let Some(b) = ranges[..k].iter().find(|b| a.start.max(b.start) < a.end.min(b.end)) {
                let why =
                    format!("the views {b:?} and {a:?} of one array overlap: each may be written, so they are apart");
                return Err(Error::new(ErrorKind::Aliasing, why));
            }
        }
        let part = |range: Range<usize>| Part { memory: self.memory.clone(), start: range.start, len: range.len() };
        Ok(ranges.map(|range| ViewMut { part: part(range), _array: PhantomData }))
    }
}

impl<T: Element> fmt::Debug for Array<T> {
    // Elements never reach logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array({} of {})", self.len, T::TYPE)
    }
}

/// Elements `start..start + len` of an array.
#[derive(Clone, Debug)]
struct Part {
    memory: Arc<ArrayMemory>,
    start: usize,
    len: usize,
}

impl Part {
    fn new<T: Element>(array: &Array<T>, range: impl RangeBounds<usize>) -> Result<Self> {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => array.len,
        };
        if start > end || end > array.len {
            let why = format!("the view {start}..{end} is not inside the array of {} elements", array.len);
            return Err(Error::new(ErrorKind::ArgumentSize, why));
        }
        Ok(Part { memory: array.memory.clone(), start, len: end - start })
    }

    fn bytes<T: Element>(&self) -> Range<u64> {
        let size = size_of::<T>() as u64;
        self.start as u64 * size..(self.start + self.len) as u64 * size
    }

    fn first<T: Element>(&self) -> *mut T {
        // In bounds of the array by construction.
        self.memory.host().cast::<T>().wrapping_add(self.start)
    }

    fn bring<T: Element>(&self) -> Result<()> {
        self.memory.bring(self.bytes::<T>())
    }

    /// The elements.
    ///
    /// # Safety
    /// They are valid on the host, and nobody writes them during `'a`.
    unsafe fn elements<'a, T: Element>(&self) -> &'a [T] {
        if self.len == 0 || size_of::<T>() == 0 {
            return &[];
        }
        // SAFETY: inside the array's allocation, aligned for T; the caller says the rest.
        unsafe { std::slice::from_raw_parts(self.first::<T>(), self.len) }
    }

    fn argument<'a, T: Element>(&self, writable: bool) -> HostArg<'a> {
        HostArg::resident::<T>(self.memory.clone(), &self.bytes::<T>(), self.len, writable)
    }
}

/// A part of an [`Array`], to be read.
#[derive(Clone, Debug)]
pub struct View<'a, T: Element> {
    part: Part,
    _array: PhantomData<&'a T>,
}

impl<'a, T: Element> View<'a, T> {
    /// Elements.
    pub fn len(&self) -> usize {
        self.part.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.part.len == 0
    }

    /// Whether the array is of the runtime of these places.
    pub(crate) fn is_of(&self, places: &Arc<Places>) -> bool {
        self.part.memory.is_of(places)
    }

    /// The array's memory, and the bytes of it that are the view's.
    pub(crate) fn place(&self) -> (&Arc<ArrayMemory>, Range<u64>) {
        (&self.part.memory, self.part.bytes::<T>())
    }

    /// The elements on the host.
    ///
    /// # Errors
    /// As [`Array::read`].
    pub fn read(&self) -> Result<Read<'a, T>> {
        self.part.bring::<T>()?;
        // SAFETY: valid now; the array is borrowed for 'a, so no call and no guard writes it.
        let elements = unsafe { self.part.elements() };
        Ok(Read { elements, _memory: self.part.memory.clone() })
    }
}

/// A part of an [`Array`], to be read or written.
#[derive(Debug)]
pub struct ViewMut<'a, T: Element> {
    part: Part,
    _array: PhantomData<&'a mut T>,
}

impl<T: Element> ViewMut<'_, T> {
    /// Elements.
    pub fn len(&self) -> usize {
        self.part.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.part.len == 0
    }

    /// The elements on the host.
    ///
    /// # Errors
    /// As [`Array::read`].
    pub fn read(&self) -> Result<Read<'_, T>> {
        self.part.bring::<T>()?;
        // SAFETY: valid now; this view alone may write the elements, and it is borrowed.
        let elements = unsafe { self.part.elements() };
        Ok(Read { elements, _memory: self.part.memory.clone() })
    }

    /// The elements on the host, to be changed.
    ///
    /// # Errors
    /// As [`Array::read`].
    pub fn write(&mut self) -> Result<Write<'_, T>> {
        ViewMut { part: self.part.clone(), _array: PhantomData }.into_write()
    }

    /// Replaces the elements; nothing is copied from a device for it.
    ///
    /// # Errors
    /// `ArgumentSize`: another number of elements.
    pub fn copy_from(&mut self, elements: &[T]) -> Result<()> {
        if elements.len() != self.part.len {
            let why =
                format!("{} elements are copied into {} of an array: give as many", elements.len(), self.part.len);
            return Err(Error::new(ErrorKind::ArgumentSize, why));
        }
        // First: from now on no transfer writes these host bytes.
        self.part.memory.overwritten(self.part.bytes::<T>());
        if !elements.is_empty() {
            // SAFETY: as many elements inside the array's allocation, which this view alone may write; the source is a
            // shared borrow, so it is not these.
            unsafe { std::ptr::copy_nonoverlapping(elements.as_ptr(), self.part.first::<T>(), elements.len()) };
        }
        Ok(())
    }
}

impl<'a, T: Element> ViewMut<'a, T> {
    fn into_write(self) -> Result<Write<'a, T>> {
        self.part.bring::<T>()?;
        self.part.memory.overwritten(self.part.bytes::<T>());
        let Part { memory, len, .. } = &self.part;
        let first = if *len == 0 { std::ptr::NonNull::dangling().as_ptr() } else { self.part.first::<T>() };
        // SAFETY: inside the array's allocation, aligned, valid on the host; this view alone may touch them for its life.
        let elements = unsafe { std::slice::from_raw_parts_mut(first, *len) };
        Ok(Write { elements, _memory: memory.clone() })
    }
}

/// Elements of an [`Array`] on the host.
pub struct Read<'a, T: Element> {
    elements: &'a [T],
    _memory: Arc<ArrayMemory>,
}

impl<T: Element> Deref for Read<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.elements
    }
}

impl<T: Element> fmt::Debug for Read<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Read({} of {})", self.elements.len(), T::TYPE)
    }
}

/// Elements of an [`Array`] on the host, to be changed.
pub struct Write<'a, T: Element> {
    elements: &'a mut [T],
    _memory: Arc<ArrayMemory>,
}

impl<T: Element> Deref for Write<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.elements
    }
}

impl<T: Element> DerefMut for Write<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.elements
    }
}

impl<T: Element> fmt::Debug for Write<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Write({} of {})", self.elements.len(), T::TYPE)
    }
}

impl<'a, T: Element> IntoArg<'a> for &'a Array<T> {
    fn into_arg(self) -> HostArg<'a> {
        Part { memory: self.memory.clone(), start: 0, len: self.len }.argument::<T>(false)
    }
}

impl<'a, T: Element> IntoArg<'a> for &'a mut Array<T> {
    fn into_arg(self) -> HostArg<'a> {
        let part = Part { memory: self.memory.clone(), start: 0, len: self.len };
        part.argument::<T>(true).with_handle(&mut self.memory)
    }
}

impl<'a, T: Element> IntoArg<'a> for &'a View<'_, T> {
    fn into_arg(self) -> HostArg<'a> {
        self.part.argument::<T>(false)
    }
}

impl<'a, T: Element> IntoArg<'a> for View<'a, T> {
    fn into_arg(self) -> HostArg<'a> {
        self.part.argument::<T>(false)
    }
}

impl<'a, T: Element> IntoArg<'a> for &'a ViewMut<'_, T> {
    fn into_arg(self) -> HostArg<'a> {
        self.part.argument::<T>(false)
    }
}

impl<'a, T: Element> IntoArg<'a> for &'a mut ViewMut<'_, T> {
    fn into_arg(self) -> HostArg<'a> {
        self.part.argument::<T>(true)
    }
}

impl<'a, T: Element> IntoArg<'a> for ViewMut<'a, T> {
    fn into_arg(self) -> HostArg<'a> {
        self.part.argument::<T>(true)
    }
}
