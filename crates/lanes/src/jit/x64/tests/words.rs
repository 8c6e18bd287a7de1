//! What the rows of the table are meant to say, in words of their own.

/// One line an operation: its name, that of the VEX and of the EVEX instruction (`=` the same, `-` there is none), and
/// the operands in the order they are written: `d` `dst`, `a`, `A` (`a` with VEX, not there with EVEX), `b`, `i` the
/// immediate. After the colon, how wide it is: `v` the length, `h` half of it, `q` a quarter of it (none is less than
/// a register), `x` 128 and `y` 256 bits, `k` a mask register, `K` a mask register with EVEX and `v` with VEX, `r4` and
/// `r8` general registers. Of memory, this is how many bytes are accessed, or `/m` says how many; `/b` is the element
/// that EVEX can broadcast.
pub(super) const WORDS: &str = "
Addps          vaddps         =                d:v a:v b:v/b4
Addpd          vaddpd         =                d:v a:v b:v/b8
Subps          vsubps         =                d:v a:v b:v/b4
Subpd          vsubpd         =                d:v a:v b:v/b8
Mulps          vmulps         =                d:v a:v b:v/b4
Mulpd          vmulpd         =                d:v a:v b:v/b8
Divps          vdivps         =                d:v a:v b:v/b4
Divpd          vdivpd         =                d:v a:v b:v/b8
Minps          vminps         =                d:v a:v b:v/b4
Minpd          vminpd         =                d:v a:v b:v/b8
Maxps          vmaxps         =                d:v a:v b:v/b4
Maxpd          vmaxpd         =                d:v a:v b:v/b8
Sqrtps         vsqrtps        =                d:v b:v/b4
Sqrtpd         vsqrtpd        =                d:v b:v/b8
Roundps        vroundps       vrndscaleps      d:v b:v/b4 i
Roundpd        vroundpd       vrndscalepd      d:v b:v/b8 i
Cmpps          vcmpps         =                d:K a:v b:v/b4 i
Cmppd          vcmppd         =                d:K a:v b:v/b8 i
Fmadd132ps     vfmadd132ps    =                d:v a:v b:v/b4
Fmadd132pd     vfmadd132pd    =                d:v a:v b:v/b8
Fmadd213ps     vfmadd213ps    =                d:v a:v b:v/b4
Fmadd213pd     vfmadd213pd    =                d:v a:v b:v/b8
Fmadd231ps     vfmadd231ps    =                d:v a:v b:v/b4
Fmadd231pd     vfmadd231pd    =                d:v a:v b:v/b8
Fmsub132ps     vfmsub132ps    =                d:v a:v b:v/b4
Fmsub132pd     vfmsub132pd    =                d:v a:v b:v/b8
Fmsub213ps     vfmsub213ps    =                d:v a:v b:v/b4
Fmsub213pd     vfmsub213pd    =                d:v a:v b:v/b8
Fmsub231ps     vfmsub231ps    =                d:v a:v b:v/b4
Fmsub231pd     vfmsub231pd    =                d:v a:v b:v/b8
Fnmadd132ps    vfnmadd132ps   =                d:v a:v b:v/b4
Fnmadd132pd    vfnmadd132pd   =                d:v a:v b:v/b8
Fnmadd213ps    vfnmadd213ps   =                d:v a:v b:v/b4
Fnmadd213pd    vfnmadd213pd   =                d:v a:v b:v/b8
Fnmadd231ps    vfnmadd231ps   =                d:v a:v b:v/b4
Fnmadd231pd    vfnmadd231pd   =                d:v a:v b:v/b8
Fnmsub132ps    vfnmsub132ps   =                d:v a:v b:v/b4
Fnmsub132pd    vfnmsub132pd   =                d:v a:v b:v/b8
Fnmsub213ps    vfnmsub213ps   =                d:v a:v b:v/b4
Fnmsub213pd    vfnmsub213pd   =                d:v a:v b:v/b8
Fnmsub231ps    vfnmsub231ps   =                d:v a:v b:v/b4
Fnmsub231pd    vfnmsub231pd   =                d:v a:v b:v/b8
And            vpand          vpandd           d:v a:v b:v/b4
Andq           vpand          vpandq           d:v a:v b:v/b8
Or             vpor           vpord            d:v a:v b:v/b4
Orq            vpor           vporq            d:v a:v b:v/b8
Xor            vpxor          vpxord           d:v a:v b:v/b4
Xorq           vpxor          vpxorq           d:v a:v b:v/b8
Andn           vpandn         vpandnd          d:v a:v b:v/b4
Andnq          vpandn         vpandnq          d:v a:v b:v/b8
Ternlogd       -              vpternlogd       d:v a:v b:v/b4 i
Ternlogq       -              vpternlogq       d:v a:v b:v/b8 i
Addd           vpaddd         =                d:v a:v b:v/b4
Subd           vpsubd         =                d:v a:v b:v/b4
Mulld          vpmulld        =                d:v a:v b:v/b4
Minsd          vpminsd        =                d:v a:v b:v/b4
Minud          vpminud        =                d:v a:v b:v/b4
Maxsd          vpmaxsd        =                d:v a:v b:v/b4
Maxud          vpmaxud        =                d:v a:v b:v/b4
Addq           vpaddq         =                d:v a:v b:v/b8
Subq           vpsubq         =                d:v a:v b:v/b8
Muludq         vpmuludq       =                d:v a:v b:v/b8
Muldq          vpmuldq        =                d:v a:v b:v/b8
Mullq          -              vpmullq          d:v a:v b:v/b8
Minsq          -              vpminsq          d:v a:v b:v/b8
Minuq          -              vpminuq          d:v a:v b:v/b8
Maxsq          -              vpmaxsq          d:v a:v b:v/b8
Maxuq          -              vpmaxuq          d:v a:v b:v/b8
Absd           vpabsd         =                d:v b:v/b4
Absq           -              vpabsq           d:v b:v/b8
Lzcntd         -              vplzcntd         d:v b:v/b4
Lzcntq         -              vplzcntq         d:v b:v/b8
Cmpeqd         vpcmpeqd       -                d:v a:v b:v
Cmpgtd         vpcmpgtd       -                d:v a:v b:v
Cmpeqq         vpcmpeqq       -                d:v a:v b:v
Cmpgtq         vpcmpgtq       -                d:v a:v b:v
Cmpd           -              vpcmpd           d:k a:v b:v/b4 i
Cmpud          -              vpcmpud          d:k a:v b:v/b4 i
Cmpq           -              vpcmpq           d:k a:v b:v/b8 i
Cmpuq          -              vpcmpuq          d:k a:v b:v/b8 i
Testmd         -              vptestmd         d:k a:v b:v/b4
Testmq         -              vptestmq         d:k a:v b:v/b8
Testnmd        -              vptestnmd        d:k a:v b:v/b4
Sllvd          vpsllvd        =                d:v a:v b:v/b4
Srlvd          vpsrlvd        =                d:v a:v b:v/b4
Sravd          vpsravd        =                d:v a:v b:v/b4
Sllvq          vpsllvq        =                d:v a:v b:v/b8
Srlvq          vpsrlvq        =                d:v a:v b:v/b8
Sravq          -              vpsravq          d:v a:v b:v/b8
Rolvd          -              vprolvd          d:v a:v b:v/b4
Rorvd          -              vprorvd          d:v a:v b:v/b4
Slldi          vpslld         =                d:v b:v/b4 i
Srldi          vpsrld         =                d:v b:v/b4 i
Sradi          vpsrad         =                d:v b:v/b4 i
Sllqi          vpsllq         =                d:v b:v/b8 i
Srlqi          vpsrlq         =                d:v b:v/b8 i
Sraqi          -              vpsraq           d:v b:v/b8 i
Roldi          -              vprold           d:v b:v/b4 i
Rordi          -              vprord           d:v b:v/b4 i
Pshufb         vpshufb        =                d:v a:v b:v
Packssdw       vpackssdw      =                d:v a:v b:v/b4
Packusdw       vpackusdw      =                d:v a:v b:v/b4
Packsswb       vpacksswb      =                d:v a:v b:v
Packuswb       vpackuswb      =                d:v a:v b:v
Blendmps       -              vblendmps        d:v a:v b:v/b4
Blendmpd       -              vblendmpd        d:v a:v b:v/b8
Blendmd        -              vpblendmd        d:v a:v b:v/b4
Blendmq        -              vpblendmq        d:v a:v b:v/b8
Blendps        vblendps       -                d:v a:v b:v i
Cvtdq2ps       vcvtdq2ps      =                d:v b:v/b4
Cvtps2dq       vcvtps2dq      =                d:v b:v/b4
Cvttps2dq      vcvttps2dq     =                d:v b:v/b4
Cvtudq2ps      -              vcvtudq2ps       d:v b:v/b4
Cvttps2udq     -              vcvttps2udq      d:v b:v/b4
Cvtps2pd       vcvtps2pd      =                d:v b:h/b4
Cvtdq2pd       vcvtdq2pd      =                d:v b:h/b4
Cvtudq2pd      -              vcvtudq2pd       d:v b:h/b4
Cvttps2qq      -              vcvttps2qq       d:v b:h/b4
Cvttps2uqq     -              vcvttps2uqq      d:v b:h/b4
Cvtpd2ps       vcvtpd2ps      =                d:h b:v/b8
Cvttpd2dq      vcvttpd2dq     =                d:h b:v/b8
Cvttpd2udq     -              vcvttpd2udq      d:h b:v/b8
Cvtqq2ps       -              vcvtqq2ps        d:h b:v/b8
Cvtuqq2ps      -              vcvtuqq2ps       d:h b:v/b8
Cvtqq2pd       -              vcvtqq2pd        d:v b:v/b8
Cvtuqq2pd      -              vcvtuqq2pd       d:v b:v/b8
Cvttpd2qq      -              vcvttpd2qq       d:v b:v/b8
Cvttpd2uqq     -              vcvttpd2uqq      d:v b:v/b8
Cvtph2ps       vcvtph2ps      =                d:v b:h
Cvtps2ph       vcvtps2ph      =                b:h d:v i
Movzxdq        vpmovzxdq      =                d:v b:h
Movsxdq        vpmovsxdq      =                d:v b:h
Movzxwd        vpmovzxwd      =                d:v b:h
Movsxwd        vpmovsxwd      =                d:v b:h
Movzxbd        vpmovzxbd      =                d:v b:q
Movqd          -              vpmovqd          b:h d:v
Movdw          -              vpmovdw          b:h d:v
Movaps         vmovaps        =                d:v b:v
MovapsSt       vmovaps        =                b:v d:v
Movups         vmovups        =                d:v b:v
MovupsSt       vmovups        =                b:v d:v
MovntpsSt      vmovntps       =                b:v d:v
Movupd         vmovupd        =                d:v b:v
MovupdSt       vmovupd        =                b:v d:v
Movdqu         vmovdqu        vmovdqu32        d:v b:v
MovdquSt       vmovdqu        vmovdqu32        b:v d:v
Movdqu16       vmovdqu        vmovdqu16        d:v b:v
Movdqu16St     vmovdqu        vmovdqu16        b:v d:v
Maskmovps      vmaskmovps     -                d:v a:v b:v
MaskmovpsSt    vmaskmovps     -                b:v a:v d:v
Maskmovpd      vmaskmovpd     -                d:v a:v b:v
MaskmovpdSt    vmaskmovpd     -                b:v a:v d:v
Broadcastss    vbroadcastss   =                d:v b:x/m4
Broadcastsd    vbroadcastsd   =                d:v b:x/m8
Pbroadcastw    vpbroadcastw   =                d:v b:x/m2
Pbroadcastd    vpbroadcastd   =                d:v b:x/m4
Pbroadcastq    vpbroadcastq   =                d:v b:x/m8
PbroadcastdGpr -              vpbroadcastd     d:v b:r4
PbroadcastqGpr -              vpbroadcastq     d:v b:r8
Gatherdd       vpgatherdd     =                d:v b:v/m4 A:v
Gatherdq       vpgatherdq     =                d:v b:h/m8 A:v
Gatherqd       vpgatherqd     =                d:h b:v/m4 A:h
Gatherqq       vpgatherqq     =                d:v b:v/m8 A:v
Gatherdps      vgatherdps     =                d:v b:v/m4 A:v
Gatherdpd      vgatherdpd     =                d:v b:h/m8 A:v
Scatterdd      -              vpscatterdd      b:v/m4 d:v
Scatterdq      -              vpscatterdq      b:h/m8 d:v
Scatterqd      -              vpscatterqd      b:v/m4 d:h
Scatterqq      -              vpscatterqq      b:v/m8 d:v
Permd          vpermd         =                d:v a:v b:v/b4
Permps         vpermps        =                d:v a:v b:v/b4
Permq          vpermq         =                d:v b:v/b8 i
Permpd         vpermpd        =                d:v b:v/b8 i
Permvarq       -              vpermq           d:v a:v b:v/b8
Permvarpd      -              vpermpd          d:v a:v b:v/b8
Perm2i128      vperm2i128     -                d:v a:v b:v i
Shufps         vshufps        =                d:v a:v b:v/b4 i
Shufpd         vshufpd        =                d:v a:v b:v/b8 i
Pshufd         vpshufd        =                d:v b:v/b4 i
Unpcklps       vunpcklps      =                d:v a:v b:v/b4
Unpcklpd       vunpcklpd      =                d:v a:v b:v/b8
Unpckhps       vunpckhps      =                d:v a:v b:v/b4
Unpckhpd       vunpckhpd      =                d:v a:v b:v/b8
Unpckldq       vpunpckldq     =                d:v a:v b:v/b4
Unpckhdq       vpunpckhdq     =                d:v a:v b:v/b4
Unpcklqdq      vpunpcklqdq    =                d:v a:v b:v/b8
Unpckhqdq      vpunpckhqdq    =                d:v a:v b:v/b8
Extract128     vextracti128   vextracti32x4    b:x d:v i
Extract256     -              vextracti64x4    b:y d:v i
Insert128      vinserti128    vinserti32x4     d:v a:v b:x i
Insert256      -              vinserti64x4     d:v a:v b:y i
Permt2d        -              vpermt2d         d:v a:v b:v/b4
Permt2q        -              vpermt2q         d:v a:v b:v/b8
Permt2ps       -              vpermt2ps        d:v a:v b:v/b4
Permt2pd       -              vpermt2pd        d:v a:v b:v/b8
Permi2d        -              vpermi2d         d:v a:v b:v/b4
Valignd        -              valignd          d:v a:v b:v/b4 i
";
