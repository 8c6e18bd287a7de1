fn item(i: u32) -> T {
    return x[i];
}
