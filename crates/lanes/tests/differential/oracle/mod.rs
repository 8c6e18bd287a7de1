//! A plain evaluator of naga's IR, the oracle of the differential tests: written from the WGSL specification,
//! without the crate's own front end or IR.
//!
//! All invocations of a work-group run in lock step, statement by statement, over the list of those that reach it.
//! Barriers in uniform control flow then need no work, and a program without data races has one result.
//! Where WGSL leaves a choice, it is the crate's documented one: an access out of bounds reads zero and writes
//! nothing; of NaN and a number `min` and `max` take the number.

mod atomics;
mod exec;
mod expr;
mod geometry;
mod math;
mod memory;
mod pack;
mod scalar;
mod shape;

use naga::{Expression, Function, GlobalVariable, Handle, Module, valid::ModuleInfo};
use shape::{Layout, Shape};
use std::{collections::HashMap, rc::Rc};

/// Statements executed in one run after which it is taken for endless.
const FUEL: u64 = 20_000_000;

/// A value in all invocations: scalar `i` of invocation `l` at `i * lanes + l`.
pub struct Value {
    pub data: Vec<u64>,
}

/// Which memory a pointer is into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    Buffer(usize),
    /// Shared by the group: index into [`Machine::workgroup`].
    Workgroup(usize),
    /// A private variable of the module: index into [`Machine::private`].
    Private(usize),
    /// A local variable of a frame.
    Local(usize, usize),
}

/// A pointer in all invocations.
pub struct Pointer {
    pub root: Root,
    pub shape: Rc<Shape>,
    /// Offset in each invocation, in the root's layout; [`OUTSIDE`] once an index was out of bounds.
    pub at: Vec<u64>,
}

/// The offset of a pointer that is out of bounds.
pub const OUTSIDE: u64 = u64::MAX;

impl Root {
    pub fn layout(self) -> Layout {
        if let Root::Buffer(_) = self { Layout::Host } else { Layout::Leaves }
    }
}

/// What an expression is.
#[derive(Clone)]
pub enum Slot {
    Value(Rc<Value>),
    Pointer(Rc<Pointer>),
}

/// A function being executed.
struct Frame<'a> {
    function: &'a Function,
    info: &'a naga::valid::FunctionInfo,
    arguments: Vec<Slot>,
    /// Local variables, each scalar by scalar.
    locals: Vec<Vec<u64>>,
    slots: Vec<Option<Slot>>,
    returned: Vec<u64>,
}

/// Why an invocation does not run the next statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Jump {
    None,
    Break,
    Continue,
    Return,
}

/// A buffer given to a run.
pub struct Bound<'b> {
    pub group: u32,
    pub binding: u32,
    pub bytes: &'b mut [u8],
}

/// The state of a work-group.
struct Machine<'a, 'b> {
    module: &'a Module,
    info: &'a ModuleInfo,
    buffers: &'b mut [Bound<'b>],
    globals: HashMap<Handle<GlobalVariable>, (Root, Rc<Shape>)>,
    workgroup: Vec<Vec<u64>>,
    private: Vec<Vec<u64>>,
    frames: Vec<Frame<'a>>,
    jumps: Vec<Jump>,
    lanes: usize,
    /// Every invocation.
    all: Rc<[usize]>,
    fuel: u64,
}

/// Runs an entry point, all of whose overrides have values, over a grid.
pub fn run<'b>(
    module: &Module,
    info: &ModuleInfo,
    entry: &str,
    buffers: &'b mut [Bound<'b>],
    groups: [u32; 3],
) -> Result<(), String> {
    let index = module.entry_points.iter().position(|e| e.name == entry).ok_or("no such entry point")?;
    let point = &module.entry_points[index];
    let lanes = point.workgroup_size.iter().product::<u32>() as usize;
    let mut machine = Machine {
        module,
        info,
        buffers,
        globals: HashMap::new(),
        workgroup: Vec::new(),
        private: Vec::new(),
        frames: Vec::new(),
        jumps: vec![Jump::None; lanes],
        lanes,
        all: (0..lanes).collect(),
        fuel: FUEL,
    };
    for z in 0..groups[2] {
        for y in 0..groups[1] {
            for x in 0..groups[0] {
                machine.reset()?;
                let arguments = machine.inputs(&point.function, point.workgroup_size, [x, y, z], groups)?;
                machine.call(&point.function, info.get_entry_point(index), arguments, &machine.all.clone())?;
            }
        }
    }
    Ok(())
}

impl<'a> Machine<'a, '_> {
    /// The memories at the start of a work-group.
    fn reset(&mut self) -> Result<(), String> {
        self.globals.clear();
        self.workgroup.clear();
        self.private.clear();
        for (handle, global) in self.module.global_variables.iter() {
            let shape = Shape::of(self.module, global.ty)?;
            let root = match global.space {
                naga::AddressSpace::Uniform | naga::AddressSpace::Storage { .. } => {
                    let at = global.binding.as_ref().ok_or("a buffer without a binding")?;
                    let found = self.buffers.iter().position(|b| (b.group, b.binding) == (at.group, at.binding));
                    match found {
                        Some(i) => Root::Buffer(i),
                        None => continue,
                    }
                }
                naga::AddressSpace::WorkGroup => {
                    self.workgroup.push(vec![0; shape.leaves()]);
                    Root::Workgroup(self.workgroup.len() - 1)
                }
                naga::AddressSpace::Private => {
                    let mut memory = vec![0; shape.leaves() * self.lanes];
                    if let Some(init) = global.init {
                        let value = self.constant(init)?;
                        memory.chunks_exact_mut(self.lanes).zip(value).for_each(|(m, v)| m.fill(v));
                    }
                    self.private.push(memory);
                    Root::Private(self.private.len() - 1)
                }
                other => return Err(format!("the address space {other:?}")),
            };
            self.globals.insert(handle, (root, shape));
        }
        Ok(())
    }

    /// The built-in inputs of a group.
    fn inputs(
        &self,
        function: &Function,
        size: [u32; 3],
        group: [u32; 3],
        groups: [u32; 3],
    ) -> Result<Vec<Slot>, String> {
        let mut slots = Vec::new();
        for argument in &function.arguments {
            let mut data = Vec::new();
            match &argument.binding {
                Some(binding) => self.input(binding, size, group, groups, &mut data)?,
                None => {
                    let naga::TypeInner::Struct { members, .. } = &self.module.types[argument.ty].inner else {
                        return Err("an input without a binding".into());
                    };
                    for member in members {
                        let binding = member.binding.as_ref().ok_or("an input member without a binding")?;
                        self.input(binding, size, group, groups, &mut data)?;
                    }
                }
            }
            slots.push(Slot::Value(Rc::new(Value { data })));
        }
        Ok(slots)
    }

    fn input(
        &self,
        binding: &naga::Binding,
        size: [u32; 3],
        group: [u32; 3],
        groups: [u32; 3],
        data: &mut Vec<u64>,
    ) -> Result<(), String> {
        use naga::BuiltIn as I;
        let naga::Binding::BuiltIn(builtin) = *binding else { return Err("a user-defined input".into()) };
        let local = |l: usize| {
            let l = l as u32;
            [l % size[0], l / size[0] % size[1], l / size[0] / size[1]]
        };
        let one = |l: usize, axis: usize| match builtin {
            I::GlobalInvocationId => group[axis].wrapping_mul(size[axis]).wrapping_add(local(l)[axis]),
            I::LocalInvocationId => local(l)[axis],
            I::WorkGroupId => group[axis],
            I::NumWorkGroups => groups[axis],
            _ => l as u32,
        };
        let axes = match builtin {
            I::GlobalInvocationId | I::LocalInvocationId | I::WorkGroupId | I::NumWorkGroups => 3,
            I::LocalInvocationIndex => 1,
            other => return Err(format!("the input {other:?}")),
        };
        for axis in 0..axes {
            data.extend((0..self.lanes).map(|l| u64::from(one(l, axis))));
        }
        Ok(())
    }

    /// A constant expression of the module, scalar by scalar.
    fn constant(&self, handle: Handle<Expression>) -> Result<Vec<u64>, String> {
        let module = self.module;
        Ok(match module.global_expressions[handle] {
            Expression::Literal(literal) => vec![scalar::literal(literal)?.1],
            Expression::Constant(h) => self.constant(module.constants[h].init)?,
            Expression::ZeroValue(ty) => vec![0; Shape::of(module, ty)?.leaves()],
            Expression::Compose { ref components, .. } => {
                let parts = components.iter().map(|c| self.constant(*c)).collect::<Result<Vec<_>, _>>()?;
                parts.concat()
            }
            Expression::Splat { size, value } => self.constant(value)?.repeat(size as usize),
            ref other => return Err(format!("the constant expression {other:?}")),
        })
    }

    fn frame(&mut self) -> &mut Frame<'a> {
        self.frames.last_mut().expect("a function is running")
    }

    fn spend(&mut self, n: usize) -> Result<(), String> {
        self.fuel = self.fuel.checked_sub(n as u64).ok_or("the oracle ran out of fuel")?;
        Ok(())
    }
}
