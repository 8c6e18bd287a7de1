//! Labels, alignment and the pool.

use iced_x86::{Code, Decoder, DecoderOptions, Mnemonic};

use super::super::{Asm, Cond, Gpr, Isa, Len, Mem, RmV, Size, VOp};
use super::{Operand, Wanted, assert_code};

#[test]
fn jumps_lead_to_their_labels_whichever_way() {
    let mut asm = Asm::new(Isa::Avx2);
    let (start, end) = (asm.label(), asm.label());
    asm.bind(start);
    asm.jcc(Cond::Ne, end);
    asm.jcc(Cond::Ne, start);
    asm.jmp(start);
    asm.jmp(end);
    asm.call_label(start);
    asm.call_label(end);
    let position = asm.position() as u64;
    asm.bind(end);
    asm.ret();
    let to = |name: &str, to| Wanted::new(name, [Operand::Branch(to)]);
    let wanted = [
        to("jne", position),
        to("jne", 0),
        to("jmp", 0),
        to("jmp", position),
        to("call", 0),
        to("call", position),
        Wanted::new("ret", []),
    ];
    assert_code(asm, &wanted);
}

#[test]
fn conditions_are_those_named() {
    use Cond::*;
    let names = [
        (O, "jo"),
        (No, "jno"),
        (B, "jb"),
        (Ae, "jae"),
        (E, "je"),
        (Ne, "jne"),
        (Be, "jbe"),
        (A, "ja"),
        (S, "js"),
        (Ns, "jns"),
        (P, "jp"),
        (Np, "jnp"),
        (L, "jl"),
        (Ge, "jge"),
        (Le, "jle"),
        (G, "jg"),
    ];
    let mut asm = Asm::new(Isa::Avx2);
    let (before, after) = (asm.label(), asm.label());
    asm.bind(before);
    for (cond, _) in names {
        asm.jcc(cond, before);
        asm.jcc(cond, after);
    }
    let end = asm.position() as u64;
    asm.bind(after);
    let both = |(_, name)| [0, end].map(|to| Wanted::new(name, [Operand::Branch(to)]));
    assert_code(asm, &names.into_iter().flat_map(both).collect::<Vec<_>>());
}

#[test]
fn a_jump_back_takes_one_byte_up_to_128_bytes() {
    for (between, expected) in [(126, Code::Jmp_rel8_64), (127, Code::Jmp_rel32_64)] {
        let mut asm = Asm::new(Isa::Avx2);
        let label = asm.label();
        asm.bind(label);
        (0..between).for_each(|_| asm.cdq());
        asm.jmp(label);
        let code = asm.finish(&[]);
        let jump = Decoder::with_ip(64, &code[between..], between as u64, DecoderOptions::NONE).decode();
        assert_eq!((jump.code(), jump.near_branch_target()), (expected, 0));
    }
}

#[test]
fn alignment_is_as_few_no_operations_as_can_be() {
    for start in 0..64_usize {
        let mut asm = Asm::new(Isa::Avx2);
        (0..start).for_each(|_| asm.cdq());
        asm.align(32);
        assert_eq!(asm.position(), start.next_multiple_of(32));
        let end = asm.position();
        let code = asm.finish(&[]);
        let nops: Vec<_> = Decoder::new(64, &code[start..end], DecoderOptions::NONE).iter().collect();
        assert!(nops.iter().all(|nop| nop.mnemonic() == Mnemonic::Nop));
        assert_eq!(nops.len(), (end - start).div_ceil(9));
    }
}

#[test]
fn the_pool_starts_a_cache_line_and_is_reached_past_immediates() {
    let mut asm = Asm::new(Isa::Avx512);
    asm.vec(VOp::Cmpd, Len::L512, 1, 2, RmV::Bcast(Mem::pool(4)), Some(1), None);
    asm.mov_store_imm(Size::D, Mem::pool(8), 7);
    asm.lea(Size::Q, Gpr::RAX, Mem { disp: 3, ..Mem::pool(0) });
    let code = asm.finish(&[1; 12]);
    assert_eq!((code.len(), &code[64..]), (64 + 12, &[1; 12][..]));
    let decoded: Vec<_> = Decoder::new(64, &code, DecoderOptions::NONE).iter().take(3).collect();
    let reached: Vec<_> = decoded.iter().map(|is| is.ip_rel_memory_address()).collect();
    assert_eq!(reached, [68, 72, 67]);
}

#[test]
#[should_panic(expected = "a label jumped to is bound")]
fn a_label_never_bound_is_refused() {
    let mut asm = Asm::new(Isa::Avx2);
    let label = asm.label();
    asm.jmp(label);
    asm.finish(&[]);
}

#[test]
#[should_panic(expected = "constant at 8, pool of 8 bytes")]
fn a_constant_outside_the_pool_is_refused() {
    let mut asm = Asm::new(Isa::Avx2);
    asm.mov_load(Size::D, Gpr::RAX, Mem::pool(8));
    asm.finish(&[0; 8]);
}
