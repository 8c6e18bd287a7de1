//! Subgroup operations, component by component. Every exchange is a shuffle with its lane computed here.

use super::lower::{Lower, Lowered};
use crate::{
    error::Error,
    ir::{BinaryOp, Builtin, SUBGROUP_LANES, SubgroupOp, Ty, Value},
};
use naga::{BuiltIn, CollectiveOperation, Direction, Expression, GatherMode, Handle, SubgroupOperation};

impl Lower<'_> {
    /// A subgroup built-in input.
    pub(super) fn subgroup_input(&mut self, builtin: BuiltIn) -> Option<Value> {
        Some(match builtin {
            BuiltIn::SubgroupSize => self.b.u32(SUBGROUP_LANES),
            BuiltIn::NumSubgroups => self.b.u32(self.workgroup_size.iter().product::<u32>().div_ceil(SUBGROUP_LANES)),
            BuiltIn::SubgroupInvocationId => self.subgroup_lane(),
            BuiltIn::SubgroupId => {
                let (index, bits) = (self.b.builtin(Builtin::LocalIndex), self.b.u32(SUBGROUP_LANES.ilog2()));
                self.b.binary(BinaryOp::Shr, index, bits)
            }
            _ => return None,
        })
    }

    /// This invocation's place in its subgroup.
    fn subgroup_lane(&mut self) -> Value {
        let (index, mask) = (self.b.builtin(Builtin::LocalIndex), self.b.u32(SUBGROUP_LANES - 1));
        self.b.binary(BinaryOp::And, index, mask)
    }

    /// `subgroupBallot`: the bits, and three words for lanes that there are none of.
    pub(super) fn ballot(
        &mut self,
        predicate: Option<Handle<Expression>>,
        result: Handle<Expression>,
    ) -> Result<(), Error> {
        let holds = match predicate {
            Some(predicate) => self.condition(predicate)?,
            None => self.b.bool(true),
        };
        let (bits, none) = (self.b.subgroup(SubgroupOp::Ballot, holds, None), self.b.u32(0));
        self.cache(result, Lowered::Value([bits, none, none, none].into()));
        Ok(())
    }

    /// Reductions and scans.
    pub(super) fn collective(
        &mut self,
        op: SubgroupOperation,
        kind: CollectiveOperation,
        argument: Handle<Expression>,
        result: Handle<Expression>,
    ) -> Result<(), Error> {
        let combine = match op {
            SubgroupOperation::All | SubgroupOperation::And => BinaryOp::And,
            SubgroupOperation::Any | SubgroupOperation::Or => BinaryOp::Or,
            SubgroupOperation::Xor => BinaryOp::Xor,
            SubgroupOperation::Add => BinaryOp::Add,
            SubgroupOperation::Mul => BinaryOp::Mul,
            SubgroupOperation::Min => BinaryOp::Min,
            SubgroupOperation::Max => BinaryOp::Max,
        };
        let op = match kind {
            CollectiveOperation::Reduce => SubgroupOp::Reduce(combine),
            CollectiveOperation::InclusiveScan => SubgroupOp::InclusiveScan(combine),
            CollectiveOperation::ExclusiveScan => SubgroupOp::ExclusiveScan(combine),
        };
        let ty = self.scalar_of(argument)?;
        let values = self.value(argument)?;
        let mut results: Vec<Value> = values.iter().map(|v| self.b.subgroup(op, *v, None)).collect();
        if op == SubgroupOp::ExclusiveScan(BinaryOp::Add) && ty.is_some_and(Ty::is_float) {
            // Nothing before the first lane adds up to +0, the identity is -0.
            results.iter_mut().for_each(|sum| {
                let zero = self.float(self.b.ty(*sum), 0.0);
                *sum = self.add(*sum, zero);
            });
        }
        let results = self.all_narrowed(ty.filter(|ty| ty.is_memory_only()), results);
        self.cache(result, Lowered::Value(results.into()));
        Ok(())
    }

    /// Broadcasts, shuffles and quad operations.
    pub(super) fn gather(
        &mut self,
        mode: GatherMode,
        argument: Handle<Expression>,
        result: Handle<Expression>,
    ) -> Result<(), Error> {
        let values = self.value(argument)?;
        let from = self.source_lane(mode)?;
        let op = if from.is_some() { SubgroupOp::Shuffle } else { SubgroupOp::First };
        let gathered = values.iter().map(|v| self.b.subgroup(op, *v, from)).collect();
        self.cache(result, Lowered::Value(gathered));
        Ok(())
    }

    /// The lane that is read, `None` for the first active one. Quads are four lanes from a multiple of four on.
    fn source_lane(&mut self, mode: GatherMode) -> Result<Option<Value>, Error> {
        let lane = self.subgroup_lane();
        let (op, with) = match mode {
            GatherMode::BroadcastFirst => return Ok(None),
            GatherMode::Broadcast(index) | GatherMode::Shuffle(index) => return self.scalar(index).map(Some),
            GatherMode::ShuffleDown(delta) => (BinaryOp::Add, self.scalar(delta)?),
            GatherMode::ShuffleUp(delta) => (BinaryOp::Sub, self.scalar(delta)?),
            GatherMode::ShuffleXor(mask) => (BinaryOp::Xor, self.scalar(mask)?),
            GatherMode::QuadBroadcast(index) => {
                let (quad, index) = (self.b.u32(!3), self.scalar(index)?);
                let first = self.b.binary(BinaryOp::And, lane, quad);
                return Ok(Some(self.add(first, index)));
            }
            GatherMode::QuadSwap(Direction::X) => (BinaryOp::Xor, self.b.u32(1)),
            GatherMode::QuadSwap(Direction::Y) => (BinaryOp::Xor, self.b.u32(2)),
            GatherMode::QuadSwap(Direction::Diagonal) => (BinaryOp::Xor, self.b.u32(3)),
        };
        Ok(Some(self.b.binary(op, lane, with)))
    }
}
