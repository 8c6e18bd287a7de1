//! Passes from text to text: `texts/<pass>.ir` holds cases of a title, the code of a kernel, and what it becomes.
//!
//! A case is `=== title`, the instructions, `---`, the instructions after the pass and the removal of dead code. All
//! kernels have the bindings and variables of [`HEADER`]. `EVENER_UPDATE=1` writes what the passes give.

use evener_lanes::{
    analysis::uniformity::{BatchShape, Uniformity},
    ir::{Kernel, parse::parse, verify::verify},
    passes::{
        contract_fma, convert_branches, fold_operations, hoist_invariants, number_values, optimize, recognize_products,
        reduce_divisions, remove_dead, rotate_loops, simplify_carried, unroll_loops,
    },
};
use std::{fs, path::Path};

const HEADER: &str = "kernel case workgroup_size(64, 1, 1)
  @group(0) @binding(0) uniform u: 16 bytes [read]
  @group(0) @binding(1) storage a: 0 bytes + runtime * 4 [read]
  @group(0) @binding(2) storage b: 0 bytes + runtime * 4 [read write]
  @group(0) @binding(3) storage c: 0 bytes + runtime * 4 [read write]
  workgroup w: 64 bytes
  private p: 64 bytes
body
";

fn run(pass: &str, kernel: &mut Kernel) {
    match pass {
        "contract_fma" => contract_fma(kernel),
        "convert_branches" => {
            let uniformity = Uniformity::new(kernel, BatchShape::Row);
            convert_branches(kernel, &uniformity);
        }
        "fold_operations" => fold_operations(kernel),
        "hoist_invariants" => hoist_invariants(kernel),
        "number_values" => number_values(kernel),
        "optimize" => *kernel = optimize(kernel.clone(), true),
        "recognize_products" => recognize_products(kernel),
        "reduce_divisions" => {
            reduce_divisions(kernel);
            fold_operations(kernel);
        }
        "rotate_loops" => {
            rotate_loops(kernel);
            fold_operations(kernel);
        }
        "simplify_carried" => _ = simplify_carried(kernel),
        "unroll_loops" => {
            unroll_loops(kernel);
            fold_operations(kernel);
        }
        other => panic!("no pass `{other}`"),
    }
}

/// What the pass makes of a body.
fn changed(pass: &str, title: &str, body: &str) -> String {
    let mut kernel = parse(&format!("{HEADER}{body}")).unwrap_or_else(|e| panic!("{pass}, {title}: {e}"));
    verify(&kernel).unwrap_or_else(|e| panic!("{pass}, {title}: {e}"));
    run(pass, &mut kernel);
    remove_dead(&mut kernel);
    verify(&kernel).unwrap_or_else(|e| panic!("{pass}, {title}: {e}\n{kernel}"));
    let text = kernel.to_string();
    text.split_once("body\n").expect("a body").1.to_string()
}

#[test]
fn passes_give_what_the_texts_say() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/passes/texts");
    let update = std::env::var_os("EVENER_UPDATE").is_some();
    let mut cases = 0;
    for file in fs::read_dir(&dir).expect("the texts").map(|f| f.expect("a file").path()) {
        let pass = file.file_stem().and_then(|s| s.to_str()).expect("a name").to_string();
        let text = fs::read_to_string(&file).expect("a text");
        let mut written = String::new();
        for case in text.split("=== ").skip(1) {
            let (title, rest) = case.split_once('\n').expect("a title");
            let (before, after) = rest.split_once("---\n").unwrap_or((rest, ""));
            let found = changed(&pass, title, before);
            if !update {
                assert_eq!(found.trim_end(), after.trim_end(), "{pass}: {title}\n{found}");
            }
            written += &format!("=== {title}\n{before}---\n{found}\n");
            cases += 1;
        }
        if update {
            fs::write(&file, written.trim_end().to_string() + "\n").expect("the text is written");
        }
    }
    assert!(cases >= 20, "the texts are somewhere else");
}
