//! Instructions that do not exist are refused, not written wrongly.

use super::super::{Asm, Base, Gpr, Index, Isa, Kreg, Len, Masking, Mem, RmV, Size, VOp, Xmm};

const REG: RmV = RmV::Reg(Xmm(1));
const MASKED: Option<Masking> = Some(Masking { k: Kreg(1), zero: false });
const ZEROED: Option<Masking> = Some(Masking { k: Kreg(1), zero: true });

/// A case: instruction set and the arguments of `vec`.
type Case = (Isa, VOp, Len, u8, u8, RmV, Option<u8>, Option<Masking>);

fn mem() -> RmV {
    RmV::Mem(Mem::at(Gpr::RAX, 0))
}

fn vsib(index: u8) -> RmV {
    RmV::Mem(Mem::at(Gpr::RAX, 0).indexed(Index::Vec(Xmm(index)), 4))
}

#[test]
fn what_no_encoding_says_is_refused() {
    use Isa::*;
    use Len::*;
    let k0 = Some(Masking { k: Kreg(0), zero: false });
    let cases: &[(&str, Case)] = &[
        ("VEX has no 512 bits", (Avx2, VOp::Addps, L512, 0, 0, REG, None, None)),
        ("VEX has neither masks nor broadcasts", (Avx2, VOp::Addps, L256, 0, 0, REG, None, MASKED)),
        ("VEX has neither masks nor broadcasts", (Avx512, VOp::Perm2i128, L256, 0, 0, REG, Some(0), MASKED)),
        ("VEX shifts registers only", (Avx2, VOp::Slldi, L256, 0, 0, mem(), Some(0), None)),
        ("not with Avx2", (Avx2, VOp::Ternlogd, L256, 0, 0, REG, Some(0), None)),
        ("without a VEX encoding", (Avx2, VOp::Addps, L256, 16, 0, REG, None, None)),
        ("without an EVEX encoding", (Avx512, VOp::Addps, L256, 0, 32, REG, None, None)),
        ("not at this length", (Avx2, VOp::Permd, L128, 0, 0, REG, None, None)),
        ("not at this length", (Avx512, VOp::Extract256, L256, 0, 0, REG, Some(0), None)),
        ("an immediate too many or missing", (Avx2, VOp::Addps, L256, 0, 0, REG, Some(0), None)),
        ("an immediate too many or missing", (Avx2, VOp::Roundps, L256, 0, 0, REG, None, None)),
        ("an address a lane", (Avx2, VOp::Addps, L256, 0, 0, vsib(1), None, None)),
        ("an address a lane", (Avx2, VOp::Gatherdd, L256, 0, 0, mem(), None, None)),
        ("from general registers only", (Avx512, VOp::PbroadcastdGpr, L256, 0, 0, mem(), None, None)),
        ("from general registers only", (Avx512, VOp::PbroadcastdGpr, L256, 0, 0, RmV::Reg(Xmm(16)), None, None)),
        ("memory only", (Avx2, VOp::Maskmovps, L256, 0, 0, REG, None, None)),
        ("memory only", (Avx2, VOp::MovntpsSt, L256, 0, 0, REG, None, None)),
        ("all of it or none", (Avx512, VOp::MovntpsSt, L512, 0, 0, mem(), None, MASKED)),
        ("indices are overwritten", (Avx512, VOp::Gatherdd, L256, 7, 0, vsib(7), None, MASKED)),
        ("a register of its own", (Avx2, VOp::Gatherdd, L256, 3, 7, vsib(7), None, None)),
        ("needs a mask", (Avx512, VOp::Gatherdd, L256, 3, 0, vsib(7), None, None)),
        ("no such mask register", (Avx512, VOp::Cmpd, L256, 8, 0, REG, Some(0), None)),
        ("no broadcast", (Avx512, VOp::Pshufb, L256, 0, 0, RmV::Bcast(Mem::at(Gpr::RAX, 0)), None, None)),
        ("no zeroing", (Avx512, VOp::Cmpd, L256, 1, 0, REG, Some(0), ZEROED)),
        ("no zeroing", (Avx512, VOp::MovupsSt, L256, 1, 0, mem(), None, ZEROED)),
        ("no such mask", (Avx512, VOp::Addps, L256, 1, 0, REG, None, k0)),
    ];
    for &(why, (isa, op, len, dst, a, b, imm, mask)) in cases {
        let refused = std::panic::catch_unwind(|| Asm::new(isa).vec(op, len, dst, a, b, imm, mask));
        let message = refused.expect_err(why);
        let message = message.downcast_ref::<String>().map_or_else(|| *message.downcast_ref().unwrap(), String::as_str);
        assert!(message.contains(why), "{message} instead of {why}");
    }
}

#[test]
fn addresses_that_no_encoding_says_are_refused() {
    let index = |reg, scale| Mem::at(Gpr::RAX, 0).indexed(Index::Gpr(reg), scale);
    let cases = [
        ("rsp as an index", index(Gpr::RSP, 1)),
        ("a scale of three", index(Gpr::RCX, 3)),
        ("the pool with an index", Mem { base: Base::Pool(0), ..index(Gpr::RCX, 1) }),
        ("no such base", Mem::at(Gpr(16), 0)),
        ("lanes in a general instruction", Mem::at(Gpr::RAX, 0).indexed(Index::Vec(Xmm(0)), 1)),
    ];
    for (what, mem) in cases {
        let refused = std::panic::catch_unwind(|| Asm::new(Isa::Avx2).mov_load(Size::Q, Gpr::RAX, mem));
        assert!(refused.is_err(), "{what}");
    }
}
