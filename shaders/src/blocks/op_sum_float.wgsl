// A compensated sum: `first` is the sum so far as rounded, `second` the sum of what the roundings lost (Knuth's TwoSum;
// Ogita, Rump and Oishi, SIAM J. Sci. Comput. 26(6), 2005, algorithm 4.4).
//
// `hide` stands before each value that a shader compiler could see through: without it `(a + b) - a` becomes `b` (on Mesa's
// lavapipe, which then loses all that was kept), and products become parts of fused operations, on some devices and not on
// others. `shape.zero` is zero, which only the caller knows.
alias First = Real;
alias Second = Real;
alias Outcome = Real;

struct State {
    first: First,
    second: Second,
}

fn nothing() -> State {
    return State(Real(0), Real(0));
}

fn take(s: State, value: Real, position: u32) -> State {
    let sum = hide(s.first + value);
    let part = hide(sum - s.first);
    return State(sum, s.second + ((s.first - (sum - part)) + (value - part)));
}

fn join(s: State, t: State) -> State {
    let both = take(s, t.first, 0u);
    return State(both.first, both.second + t.second);
}

fn finish(s: State) -> Outcome {
    // What an infinite sum lost is no number.
    return select(s.first, s.first + s.second, abs(s.first) <= LARGEST);
}
