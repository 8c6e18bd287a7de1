//! Thousands of damaged inputs, the same in every run, for everything that reads untrusted bytes. The fuzz
//! targets in `fuzz/` go further with the same functions.

mod common;
mod untrusted;

use evener_shaders as shaders;

/// Marsaglia's xorshift64: the same sequence on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// One damage of a few bytes, or a longer part removed, repeated or moved.
    fn damage(&mut self, bytes: &mut Vec<u8>, words: &[&str]) {
        let at = self.below(bytes.len());
        let end = (at + 1 + self.below(24)).min(bytes.len());
        match self.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            1 if !bytes.is_empty() => bytes[at] = self.next() as u8,
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            4 => {
                let part = bytes[at..end].to_vec();
                let to = self.below(bytes.len());
                bytes.splice(to..to, part);
            }
            _ => {
                let word = self.pick(words).as_bytes().to_vec();
                bytes.splice(at..at, word);
            }
        }
    }

    /// Replaces one word of a text by another.
    fn replace_word(&mut self, text: &mut String, words: &[&str]) {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let starts: Vec<usize> = text
            .char_indices()
            .filter(|(i, c)| is_word(*c) && !text[..*i].ends_with(is_word))
            .map(|(i, _)| i)
            .collect();
        if starts.is_empty() {
            return;
        }
        let at = starts[self.below(starts.len())];
        let len = text[at..].find(|c| !is_word(c)).unwrap_or(text.len() - at);
        text.replace_range(at..at + len, self.pick(words));
    }
}

#[test]
fn damaged_wgsl_is_refused_or_runs() {
    let seeds = [
        common::SAXPY,
        shaders::SAXPY,
        shaders::STENCIL5,
        shaders::MANDELBROT,
        shaders::NBODY,
        shaders::HISTOGRAM,
        shaders::SHALLOW_WATER,
    ];
    let words = [
        "0",
        "1",
        "-1",
        "4294967295u",
        "-2147483648",
        "1e38",
        "0x7fffffff",
        "x",
        "i32",
        "u32",
        "f32",
        "vec3f",
        "mat3x3f",
        "array<u32>",
        "array<f32, 4>",
        "atomic<u32>",
        "workgroupBarrier();",
        "loop {",
        "}",
        "{",
        "(((((((((((((((((",
        "return;",
        "continue;",
        "break;",
        "if true {",
        "*",
        "/",
        "%",
        "<<",
        "&",
        "@workgroup_size(0)",
        "select",
        "dot",
        "arrayLength(&x)",
        "discard;",
        "ptr<function, f32>",
        "var",
        "let",
        "\u{1F30A}",
    ];
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..3000 {
        let mut source = random.pick(&seeds).to_owned();
        for _ in 0..1 + random.below(3) {
            if round % 3 == 0 {
                let mut bytes = source.into_bytes();
                random.damage(&mut bytes, &words);
                source = String::from_utf8_lossy(&bytes).into_owned();
            } else {
                // A word for a word often parses, and then the later stages have to cope.
                random.replace_word(&mut source, &words);
            }
        }
        untrusted::wgsl(&source);
    }
}

#[test]
fn damaged_npy_files_are_refused_or_read() {
    let file = |dictionary: &str, data: &[u8]| {
        let length = (dictionary.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00".as_slice(), &length, dictionary.as_bytes(), data].concat()
    };
    let seeds = [
        file("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }          \n", &[1; 24]),
        file("{'descr': '>c16', 'fortran_order': True, 'shape': (2,), }\n", &[2; 32]),
        file(
            "{'descr': [('a', '>u2', (3,)), ('b', [('c', '|V2'), ('d', '<i8')])], 'fortran_order': False, 'shape': (), }",
            &[3; 16],
        ),
    ];
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let words = ["(", "[", "'", "99999999999999999999", "4294967296", "0", ",", "'<f8'", "True", "\\", "L", ">"];
    let mut random = Random(0xD1B5_4A32_D192_ED03);
    for _ in 0..20_000 {
        let mut bytes = random.pick(&seeds).to_vec();
        for _ in 0..1 + random.below(3) {
            random.damage(&mut bytes, &words);
        }
        untrusted::npy_file(&bytes);
    }
}

#[test]
fn damaged_profiles_are_refused_or_read() {
    let dir = common::Dir::new("damaged-profile");
    // The tests' own profile, measured by the binary: a real one.
    let shown = dir.line("profile show").ok().stdout;
    let path = shown.lines().next().expect("its path").trim();
    let seed = std::fs::read(path).expect("the profile");
    untrusted::profile(&seed);
    let words = ["1e999", "-1", "null", "{", "[", "\"", "NaN", "0", ",", "\"version\": 2", "\\u0000"];
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    for _ in 0..3000 {
        let mut bytes = seed.clone();
        for _ in 0..1 + random.below(3) {
            random.damage(&mut bytes, &words);
        }
        untrusted::profile(&bytes);
    }
}
