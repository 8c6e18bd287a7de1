//! Pointers, loads and stores.

use super::{
    Machine, OUTSIDE, Pointer, Root, Value,
    scalar::Kind,
    shape::{Layout, Shape},
};
use std::rc::Rc;

impl Machine<'_, '_> {
    /// A pointer to the part that a constant index selects.
    pub(super) fn part_of(&self, pointer: &Pointer, index: u32, active: &[usize]) -> Result<Pointer, String> {
        let len = self.len_of(pointer);
        let (offset, shape) = pointer.shape.part(index, pointer.root.layout()).ok_or("an index of a scalar")?;
        let mut at = vec![OUTSIDE; self.lanes];
        if u64::from(index) < len {
            for &l in active {
                at[l] = advance(pointer.at[l], offset);
            }
        }
        Ok(Pointer { root: pointer.root, shape, at })
    }

    /// A pointer to the part that each invocation selects; outside where its index is.
    pub(super) fn element_of(
        &self,
        pointer: &Pointer,
        index: &Value,
        kind: Kind,
        active: &[usize],
    ) -> Result<Pointer, String> {
        let len = self.len_of(pointer);
        let (stride, shape) = pointer.shape.part(1, pointer.root.layout()).ok_or("an index of a scalar")?;
        let mut at = vec![OUTSIDE; self.lanes];
        for &l in active {
            let i = unsigned(index.data[l], kind);
            if i < len {
                at[l] = advance(pointer.at[l], i * stride);
            }
        }
        Ok(Pointer { root: pointer.root, shape, at })
    }

    /// Parts of what a pointer points to.
    fn len_of(&self, pointer: &Pointer) -> u64 {
        match (pointer.shape.parts(), pointer.root) {
            (Some(n), _) => n.into(),
            (None, Root::Buffer(i)) => self.runtime_len(i, &pointer.shape),
            (None, _) => 0,
        }
    }

    /// Elements of the runtime-sized array `shape` at the end of a buffer.
    pub(super) fn runtime_len(&self, buffer: usize, shape: &Shape) -> u64 {
        let fixed = self.globals.values().find(|(root, _)| *root == Root::Buffer(buffer));
        let fixed = fixed.and_then(|(_, whole)| whole.runtime_array()).map_or(0, |(fixed, _)| fixed);
        let stride = shape.runtime_array().map_or(1, |(_, stride)| stride);
        (self.buffers[buffer].bytes.len() as u64).saturating_sub(fixed.into()) / u64::from(stride)
    }

    pub(super) fn load(&self, pointer: &Pointer, active: &[usize]) -> Value {
        let mut data = Vec::with_capacity(pointer.shape.leaves() * self.lanes);
        pointer.shape.each_leaf(0, pointer.root.layout(), &mut |offset, kind| {
            let start = data.len();
            data.resize(start + self.lanes, 0);
            for &l in active {
                data[start + l] = self.read(pointer.root, advance(pointer.at[l], offset), kind, l);
            }
        });
        Value { data }
    }

    pub(super) fn store(&mut self, pointer: &Pointer, value: &Value, active: &[usize]) {
        let mut leaf = 0;
        let lanes = self.lanes;
        pointer.shape.each_leaf(0, pointer.root.layout(), &mut |offset, kind| {
            for &l in active {
                self.write(pointer.root, advance(pointer.at[l], offset), kind, l, value.data[leaf * lanes + l]);
            }
            leaf += 1;
        });
    }

    pub(super) fn read(&self, root: Root, at: u64, kind: Kind, l: usize) -> u64 {
        if at == OUTSIDE {
            return 0;
        }
        let at = at as usize;
        match root {
            Root::Workgroup(i) => self.workgroup[i][at],
            Root::Private(i) => self.private[i][at * self.lanes + l],
            Root::Local(frame, i) => self.frames[frame].locals[i][at * self.lanes + l],
            Root::Buffer(i) => {
                let bytes = &self.buffers[i].bytes[at..at + kind.bytes()];
                let mut bits = [0; 8];
                bits[..bytes.len()].copy_from_slice(bytes);
                u64::from_le_bytes(bits)
            }
        }
    }

    pub(super) fn write(&mut self, root: Root, at: u64, kind: Kind, l: usize, bits: u64) {
        if at == OUTSIDE {
            return;
        }
        let at = at as usize;
        match root {
            Root::Workgroup(i) => self.workgroup[i][at] = bits,
            Root::Private(i) => self.private[i][at * self.lanes + l] = bits,
            Root::Local(frame, i) => self.frames[frame].locals[i][at * self.lanes + l] = bits,
            Root::Buffer(i) => {
                let n = kind.bytes();
                self.buffers[i].bytes[at..at + n].copy_from_slice(&bits.to_le_bytes()[..n]);
            }
        }
    }

    /// The part of a value that each invocation selects; zero where its index is out of range.
    pub(super) fn element_of_value(
        &self,
        value: &Value,
        shape: &Shape,
        index: &Value,
        kind: Kind,
        active: &[usize],
    ) -> Result<Value, String> {
        let parts = u64::from(shape.parts().ok_or("an index of a runtime-sized value")?);
        let (_, part) = shape.part(0, Layout::Leaves).ok_or("an index of a scalar")?;
        let width = part.leaves();
        let mut data = vec![0; width * self.lanes];
        for &l in active {
            let i = unsigned(index.data[l], kind);
            if i < parts {
                for k in 0..width {
                    data[k * self.lanes + l] = value.data[(i as usize * width + k) * self.lanes + l];
                }
            }
        }
        Ok(Value { data })
    }

    /// A variable's memory as a pointer to all of it.
    pub(super) fn whole(&self, root: Root, shape: Rc<Shape>) -> Pointer {
        Pointer { root, shape, at: vec![0; self.lanes] }
    }
}

/// An offset further; what is outside stays so.
fn advance(at: u64, by: u64) -> u64 {
    if at == OUTSIDE { OUTSIDE } else { at + by }
}

/// An index as an unsigned number: a negative one is far out of range.
fn unsigned(bits: u64, kind: Kind) -> u64 {
    match kind {
        Kind::I32 => i64::from(bits as u32 as i32) as u64,
        _ => bits,
    }
}
