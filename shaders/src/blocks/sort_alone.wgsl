fn move_value(to: u32, at: u32) {
}
