// The least element in the order of the keys, or with `shape.flip` the greatest.
alias First = Key;
alias Second = u32;
alias Outcome = T;

struct State {
    first: First,
    second: Second,
}

fn flip() -> Key {
    return select(Key(0), LAST_KEY, shape.flip != 0u);
}

fn nothing() -> State {
    return State(LAST_KEY, 0u);
}

fn take(s: State, value: T, position: u32) -> State {
    return State(min(s.first, key_of(value) ^ flip()), 0u);
}

fn join(s: State, t: State) -> State {
    return State(min(s.first, t.first), 0u);
}

fn finish(s: State) -> Outcome {
    return of_key(s.first ^ flip());
}
