//! A fixed sequence of altered corpus files for every target: a few seconds of what libFuzzer does for hours. Where it cannot
//! be built, `GRAMSTEP_FUZZ=reading,3600 cargo test -p gramstep-fuzz` alters those of one target for so many seconds.

use std::path::Path;
use std::time::{Duration, Instant};

use gramstep_fuzz::{TARGETS, Target};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Inputs tried for each target.
const INPUTS: usize = 60_000;

/// Pieces that mean something in one of the formats.
const PIECES: [&[u8]; 33] = [
    b",",
    b";",
    b"\t",
    b"\n",
    b"\"",
    b"\"\"",
    b"\r\n",
    b"nan",
    b"inf",
    b"1e999",
    b"-0",
    b"4294967296",
    b"18446744073709551615",
    b"{",
    b"[",
    b"}",
    b"null",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"(1, 2)",
    b"'descr': '<f8'",
    b"\"weight\"",
    b"= ",
    b"2024-05-03",
    b"31/05/2024",
    b"1.234,5",
    b"1,234.5",
    b" kg",
    b"%",
    b"=category",
    b"=date:dmy",
    b"=number",
];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target}");
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A place within a file, and one after it.
fn range(length: usize, random: &mut ChaCha8Rng) -> std::ops::Range<usize> {
    let (a, b) = (random.random_range(0..=length), random.random_range(0..=length));
    a.min(b)..a.max(b).min(a.min(b) + 64)
}

fn mutate(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut ChaCha8Rng) {
    let place = range(bytes.len(), random);
    match random.random_range(0..7) {
        0 if !place.is_empty() => bytes[place.start] ^= 1 << random.random_range(0..8),
        1 if !place.is_empty() => bytes[place.start] = random.next_u32() as u8,
        2 => {
            bytes.drain(place);
        }
        3 => {
            let again = bytes[place.clone()].to_vec();
            bytes.splice(place.start..place.start, again);
        }
        4 => {
            let piece = PIECES[random.random_range(0..PIECES.len())];
            bytes.splice(place.start..place.start, piece.iter().copied());
        }
        5 => {
            let other = &corpus[random.random_range(0..corpus.len())];
            let piece = range(other.len(), random);
            bytes.splice(place, other[piece].iter().copied());
        }
        _ => bytes.truncate(place.end),
    }
}

#[test]
fn altered_files_are_read_or_refused_and_never_panic() {
    for (number, (name, target)) in TARGETS.into_iter().enumerate() {
        let corpus = corpus(name);
        for bytes in &corpus {
            target(bytes);
        }
        let mut random = ChaCha8Rng::seed_from_u64(number as u64);
        for input in 0..INPUTS {
            try_one((name, target), input, &corpus, &mut random);
        }
    }
}

fn try_one((name, target): (&str, Target), input: usize, corpus: &[Vec<u8>], random: &mut ChaCha8Rng) {
    let mut bytes = corpus[random.random_range(0..corpus.len())].clone();
    for _ in 0..random.random_range(1..=4) {
        mutate(&mut bytes, corpus, random);
    }
    if std::panic::catch_unwind(|| target(&bytes)).is_err() {
        let path = std::env::temp_dir().join(format!("gramstep-fuzz-{name}"));
        std::fs::write(&path, &bytes).unwrap();
        panic!("{name}: input {input}, kept in {}", path.display());
    }
}

#[test]
fn one_target_for_as_long_as_is_said() {
    let Ok(said) = std::env::var("GRAMSTEP_FUZZ") else { return };
    let (wanted, seconds) = said.split_once(',').expect("TARGET,SECONDS");
    let (name, target) = TARGETS.into_iter().find(|(name, _)| *name == wanted).expect("a target");
    let limit = Duration::from_secs(seconds.parse().expect("seconds"));
    let (corpus, begun) = (corpus(name), Instant::now());
    // Another sequence at every call.
    let seed = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut input = 0;
    while begun.elapsed() < limit {
        try_one((name, target), input, &corpus, &mut random);
        input += 1;
        if input % 100_000 == 0 {
            println!("{name}: seed {seed}, {input} inputs, {} s", begun.elapsed().as_secs());
        }
    }
    println!("{name}: seed {seed}, {input} inputs, no fault");
}
