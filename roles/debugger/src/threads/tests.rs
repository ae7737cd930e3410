//! The stacks of threads of this test's own process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use super::{Stacks, Thread, Trace, threads_of};

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

/// A thread that never waits, until it is told to end.
struct Turning {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Turning {
    fn start(name: &str) -> (Self, Thread) {
        let ends = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ends);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || a_function_that_never_waits(&end))
            .unwrap();
        let found = loop {
            let threads = threads_of(std::process::id()).unwrap();
            if let Some(found) = threads.into_iter().find(|one| one.is_named(name)) {
                break found;
            }
        };
        (Self { ends, thread }, found)
    }

    fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

fn is_that_of_one_that_never_waits(trace: Result<Trace, String>) {
    match trace {
        Ok(trace) => {
            let mut names = trace
                .frames
                .iter()
                .filter_map(|frame| frame.function.as_deref());
            assert!(
                names.any(|name| name.contains("a_function_that_never_waits")),
                "{trace:#x?}"
            );
        }
        Err(error) => {
            println!("skipped: {error}");
            assert!(error.contains("gdb"), "{error}");
        }
    }
}

#[test]
fn the_stack_of_a_thread_that_never_waits_is_told_by_gdb() {
    let (turning, thread) = Turning::start("turns-round");
    let trace = Stacks::new(thread.process).unwrap().of(&thread);
    turning.end();
    is_that_of_one_that_never_waits(trace);
}

#[test]
fn all_who_ask_for_such_a_stack_at_once_are_told() {
    let (turning, thread) = Turning::start("is-asked-about");
    let traces: Vec<_> = thread::scope(|scope| {
        let ask = || Stacks::new(thread.process).unwrap().of(&thread);
        let asking: Vec<_> = (0..3).map(|_| scope.spawn(ask)).collect();
        let asking = asking.into_iter();
        asking.map(|asking| asking.join().unwrap()).collect()
    });
    turning.end();
    // A machine on which gdb cannot tell tells nobody; on one that is very busy it may take too long.
    let is_told = |trace: &&Result<Trace, String>| match trace {
        Ok(_) => true,
        Err(error) => error.contains("within"),
    };
    let told = traces.iter().filter(is_told).count();
    assert!(told == 0 || told == traces.len(), "{traces:#?}");
    traces.into_iter().for_each(is_that_of_one_that_never_waits);
}
