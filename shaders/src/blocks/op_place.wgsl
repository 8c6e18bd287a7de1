// The least element in the order of the keys, or with `shape.flip` the greatest, and the first place where it is.
alias First = Key;
alias Second = u32;
alias Outcome = u32;

struct State {
    first: First,
    second: Second,
}

fn flip() -> Key {
    return select(Key(0), LAST_KEY, shape.flip != 0u);
}

fn nothing() -> State {
    return State(LAST_KEY, 0xffffffffu);
}

// Positions come in rising order: only a key that is less replaces one that is there.
fn take(s: State, value: T, position: u32) -> State {
    let key = key_of(value) ^ flip();
    let better = key < s.first || s.second == 0xffffffffu;
    return State(select(s.first, key, better), select(s.second, position, better));
}

fn join(s: State, t: State) -> State {
    let better = t.first < s.first || (t.first == s.first && t.second < s.second);
    return State(select(s.first, t.first, better), select(s.second, t.second, better));
}

fn finish(s: State) -> Outcome {
    return s.second;
}
