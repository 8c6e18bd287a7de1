//! The `evener` binary; everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    quiet_mesa();
    evener_cli::main()
}

/// Mesa's layer that orders devices for a display complains on standard error where there is no display. Only
/// a user who chooses devices with it needs it.
fn quiet_mesa() {
    let var = std::env::var_os;
    if cfg!(target_os = "linux") && var("MESA_VK_DEVICE_SELECT").is_none() && var("NODEVICE_SELECT").is_none() {
        // SAFETY: the process has no other thread yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}
