//! The table of what splits: kernels with the axis on which a call may be cut, or the reason against, and the results
//! of a plain Rust reference. Data are 4-byte words; every kernel computes in integers, so results are exact.
#![allow(dead_code, reason = "each test binary uses a part")]

mod arrays;
mod atomics;
mod data;
mod grids;
mod refused;
mod tiles;

/// What the analysis must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It splits on this axis.
    Axis(u8),
    /// It runs whole, and the reason holds this text.
    Whole(&'static str),
}

/// A storage buffer.
#[derive(Clone, Debug)]
pub struct Buffer {
    pub name: &'static str,
    /// WGSL type.
    pub ty: &'static str,
    pub before: Vec<u32>,
    /// The words after the call, if the kernel writes it.
    pub after: Option<Vec<u32>>,
    /// Whether a device that runs the whole call needs nothing of what was in it.
    pub fresh: bool,
}

/// One kernel on one set of data.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: &'static str,
    pub expect: Expect,
    pub groups: [u32; 3],
    /// Members of the uniform `p`, all u32.
    pub uniforms: Vec<(&'static str, u32)>,
    pub buffers: Vec<Buffer>,
    size: [u32; 3],
    /// Declarations in front of the entry point.
    module: String,
    body: String,
}

/// Work-groups and items of most one-dimensional kernels.
pub const GROUPS: u32 = 23;
pub const SIZE: u32 = 16;
/// Fewer than the invocations, and no multiple of anything.
pub const N: u32 = GROUPS * SIZE - 5;

impl Case {
    /// A kernel over [`GROUPS`] work-groups of [`SIZE`] with `p.n` = [`N`], which splits on x.
    pub fn line(name: &'static str, body: &str) -> Case {
        Case {
            name,
            expect: Expect::Axis(0),
            groups: [GROUPS, 1, 1],
            uniforms: vec![("n", N)],
            buffers: Vec::new(),
            size: [SIZE, 1, 1],
            module: String::new(),
            body: body.into(),
        }
    }

    /// A kernel over `w` by `h` items in work-groups of 8 by 4 with `p.w` and `p.h`, which splits on y.
    pub fn plane(name: &'static str, [w, h]: [u32; 2], body: &str) -> Case {
        Case {
            expect: Expect::Axis(1),
            groups: [w.div_ceil(8), h.div_ceil(4), 1],
            uniforms: vec![("w", w), ("h", h)],
            size: [8, 4, 1],
            ..Case::line(name, body)
        }
    }

    pub fn expect(mut self, expect: Expect) -> Case {
        self.expect = expect;
        self
    }

    pub fn whole(self, reason: &'static str) -> Case {
        self.expect(Expect::Whole(reason))
    }

    pub fn grid(mut self, size: [u32; 3], groups: [u32; 3]) -> Case {
        (self.size, self.groups) = (size, groups);
        self
    }

    /// Another member of the uniform.
    pub fn set(mut self, name: &'static str, value: u32) -> Case {
        self.uniforms.push((name, value));
        self
    }

    /// Functions, structs and work-group variables.
    pub fn module(mut self, text: &str) -> Case {
        self.module = text.into();
        self
    }

    pub fn input(self, name: &'static str, before: &[u32]) -> Case {
        self.buffer(Buffer { name, ty: "array<u32>", before: before.to_vec(), after: None, fresh: false })
    }

    pub fn output(self, name: &'static str, before: &[u32], after: Vec<u32>) -> Case {
        self.typed(name, "array<u32>", before, after)
    }

    pub fn typed(self, name: &'static str, ty: &'static str, before: &[u32], after: Vec<u32>) -> Case {
        assert_eq!(before.len(), after.len(), "{}: {name}", self.name);
        self.buffer(Buffer { name, ty, before: before.to_vec(), after: Some(after), fresh: false })
    }

    fn buffer(mut self, buffer: Buffer) -> Case {
        self.buffers.push(buffer);
        self
    }

    /// The last buffer is certainly overwritten: it is never uploaded.
    pub fn fresh(mut self) -> Case {
        self.buffers.last_mut().expect("it has a buffer").fresh = true;
        self
    }

    pub fn wgsl(&self) -> String {
        let members: Vec<String> = self.uniforms.iter().map(|(name, _)| format!("{name}: u32")).collect();
        let mut text = format!("struct Params {{ {} }}\n{}\n", members.join(", "), self.module);
        for (k, b) in self.buffers.iter().enumerate() {
            let access = if b.after.is_some() { "read_write" } else { "read" };
            text += &format!("@group(0) @binding({k}) var<storage, {access}> {}: {};\n", b.name, b.ty);
        }
        let [x, y, z] = self.size;
        text + &format!(
            "@group(1) @binding(0) var<uniform> p: Params;
             @compute @workgroup_size({x}, {y}, {z}) fn main(@builtin(global_invocation_id) gid: vec3u,
                 @builtin(local_invocation_id) lid: vec3u, @builtin(local_invocation_index) l: u32,
                 @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u) {{
                 let i = gid.x;
                 {}
             }}",
            self.body
        )
    }
}

/// Numbers without structure, the same on every machine.
pub fn noise(n: u32, seed: u32) -> Vec<u32> {
    (0..n).map(|i| hash(i ^ seed.wrapping_mul(0x9E37_79B9))).collect()
}

pub fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ x >> 16
}

/// `before`, with `y[at]` set for every `i` for which the reference writes.
pub fn written(before: &[u32], n: u32, mut write: impl FnMut(&mut [u32], usize)) -> Vec<u32> {
    let mut after = before.to_vec();
    (0..n as usize).for_each(|i| write(&mut after, i));
    after
}

/// The table.
pub fn cases() -> Vec<Case> {
    let all: Vec<Case> =
        [arrays::cases(), grids::cases(), data::cases(), tiles::cases(), atomics::cases(), refused::cases()]
            .into_iter()
            .flatten()
            .collect();
    let names: std::collections::BTreeSet<&str> = all.iter().map(|c| c.name).collect();
    assert_eq!(names.len(), all.len(), "two cases have one name");
    all
}
