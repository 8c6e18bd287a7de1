//! The `evener` binary; everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    evener_cli::main()
}
