fn take_value(i: u32) {
}

fn shift_value(j: u32) {
}

fn put_value(j: u32) {
}
