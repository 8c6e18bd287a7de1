//! The instructions on mask registers.

use super::super::{Asm, Isa, KOp, Size};
use super::{Operand, Random, Wanted, assert_code};

const KOPS: [(KOp, &str); 7] = [
    (KOp::And, "kandw"),
    (KOp::Andn, "kandnw"),
    (KOp::Or, "korw"),
    (KOp::Xor, "kxorw"),
    (KOp::Xnor, "kxnorw"),
    (KOp::Add, "kaddw"),
    (KOp::Unpckbw, "kunpckbw"),
];

/// Writes one of the instructions and says which.
fn any(asm: &mut Asm, random: &mut Random) -> Wanted {
    let [d, a, b] = [(); 3].map(|()| random.kreg());
    let [kd, ka, kb] = [d, a, b].map(Operand::kreg);
    let (gpr, mem) = (random.gpr(), random.mem(1));
    let general = Operand::gpr(Size::D, gpr);
    match random.below(12) {
        0 => (asm.kmov_kk(d, a), Wanted::new("kmovw", [kd, ka])).1,
        1 => (asm.kmov_from_gpr(d, gpr), Wanted::new("kmovw", [kd, general])).1,
        2 => (asm.kmov_to_gpr(gpr, a), Wanted::new("kmovw", [general, ka])).1,
        3 => (asm.kload(d, mem), Wanted::new("kmovw", [kd, Operand::mem(mem, 2)])).1,
        4 => (asm.kstore(mem, a), Wanted::new("kmovw", [Operand::mem(mem, 2), ka])).1,
        5 => (asm.kload64(d, mem), Wanted::new("kmovq", [kd, Operand::mem(mem, 8)])).1,
        6 => (asm.kstore64(mem, a), Wanted::new("kmovq", [Operand::mem(mem, 8), ka])).1,
        7 => (asm.knot(d, a), Wanted::new("knotw", [kd, ka])).1,
        8 => (asm.kortest(a, b), Wanted::new("kortestw", [ka, kb])).1,
        9 => (asm.ktest(a, b), Wanted::new("ktestw", [ka, kb])).1,
        10 => {
            let (left, by) = (random.one_in(2), random.u8(255));
            asm.kshift(left, d, a, by);
            Wanted::new(if left { "kshiftlw" } else { "kshiftrw" }, [kd, ka, Operand::Imm(8, by.into())])
        }
        _ => {
            let (kop, name) = random.pick(&KOPS);
            asm.kop(kop, d, a, b);
            Wanted::new(name, [kd, ka, kb])
        }
    }
}

#[test]
fn every_instruction_on_masks() {
    let mut random = Random(3);
    let mut asm = Asm::new(Isa::Avx512);
    let wanted: Vec<_> = (0..30_000).map(|_| any(&mut asm, &mut random)).collect();
    assert_code(asm, &wanted);
}
