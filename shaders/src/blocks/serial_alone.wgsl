fn value_forth(place: u32, i: u32) {
}

fn value_back(place: u32, i: u32) {
}
