//! The stacks of threads of this test's own process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use super::{Stacks, Thread, threads_of};

/// The thread of this name, once it waits.
fn waiting(name: &str) -> Thread {
    loop {
        let threads = threads_of(std::process::id()).unwrap();
        let found = threads.into_iter().find(|one| one.is_named(name));
        if let Some(thread) = found.filter(|thread| thread.state.text() == "waits") {
            return thread;
        }
        thread::yield_now();
    }
}

fn functions(thread: &Thread) -> (Vec<String>, bool) {
    let trace = Stacks::new(thread.process).unwrap().of(thread).unwrap();
    let names = trace.frames.iter();
    let names = names.map(|frame| frame.function.clone().unwrap_or_default());
    (names.collect(), trace.is_whole)
}

#[inline(never)]
fn a_function_that_hangs(receiver: &mpsc::Receiver<u64>) -> u64 {
    receiver.recv().unwrap_or_default() + 1
}

#[inline(never)]
fn the_function_that_calls_it(receiver: &mpsc::Receiver<u64>, depth: u32) -> u64 {
    match depth {
        0 => a_function_that_hangs(receiver) * 2,
        _ => the_function_that_calls_it(receiver, depth - 1) + 1,
    }
}

#[test]
fn the_stack_of_a_thread_that_hangs_has_the_names_of_its_functions() {
    let (sender, receiver) = mpsc::channel();
    let hangs = thread::Builder::new()
        .name("hangs-in-a-test-for-stacks".to_owned())
        .spawn(move || the_function_that_calls_it(&receiver, 3))
        .unwrap();
    let thread = waiting("hangs-in-a-test-for-stacks");
    assert_eq!(thread.call.as_deref(), Some("futex"));
    let (names, is_whole) = functions(&thread);
    assert!(is_whole, "{names:#?}");
    let at = |part: &str| names.iter().position(|name| name.contains(part));
    let calls = names
        .iter()
        .filter(|name| name.ends_with("the_function_that_calls_it"));
    assert_eq!(calls.count(), 4, "{names:#?}");
    assert!(
        at("a_function_that_hangs") < at("the_function_that_calls_it"),
        "{names:#?}"
    );
    assert!(at("a_function_that_hangs").is_some(), "{names:#?}");
    drop(sender);
    hangs.join().unwrap();
}

#[test]
fn threads_that_sleep_and_read_have_stacks_as_well() {
    let (reader, writer) = std::io::pipe().unwrap();
    let reads = thread::Builder::new()
        .name("reads-a-pipe".to_owned())
        .spawn(move || {
            let mut reader = reader;
            std::io::Read::read(&mut reader, &mut [0; 8]).unwrap()
        })
        .unwrap();
    let thread = waiting("reads-a-pipe");
    assert_eq!(thread.call.as_deref(), Some("read"));
    let (names, is_whole) = functions(&thread);
    assert!(is_whole, "{names:#?}");
    assert!(
        names
            .iter()
            .any(|name| name.contains("threads_that_sleep_and_read")),
        "{names:#?}"
    );
    drop(writer);
    reads.join().unwrap();
}

#[inline(never)]
fn a_function_that_never_waits(ends: &AtomicBool) -> u64 {
    let mut count = 0_u64;
    while !ends.load(Ordering::Relaxed) {
        count = std::hint::black_box(count.wrapping_add(1));
    }
    count
}

#[test]
fn the_stack_of_a_thread_that_never_waits_is_told_by_gdb() {
    let ends = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ends);
    let turns = thread::Builder::new()
        .name("turns-round".to_owned())
        .spawn(move || a_function_that_never_waits(&ends))
        .unwrap();
    let thread = loop {
        let threads = threads_of(std::process::id()).unwrap();
        if let Some(found) = threads.into_iter().find(|one| one.is_named("turns-round")) {
            break found;
        }
    };
    let trace = Stacks::new(thread.process).unwrap().of(&thread);
    end.store(true, Ordering::Relaxed);
    turns.join().unwrap();
    match trace {
        Ok(trace) => {
            let names = trace
                .frames
                .iter()
                .filter_map(|frame| frame.function.as_deref());
            let names: Vec<_> = names.collect();
            assert!(
                names
                    .iter()
                    .any(|name| name.contains("a_function_that_never_waits")),
                "{names:#?}"
            );
        }
        Err(error) => {
            println!("skipped: {error}");
            assert!(error.contains("gdb"), "{error}");
        }
    }
}
