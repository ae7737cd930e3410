//! The stacks of threads that wait.
//!
//! Nothing is stopped for that. The system tells where in its code, and at which end of its stack, a
//! thread has called into the system (`/proc/PID/task/TID/syscall`); the stack is read from its
//! memory, and walked by the tables that compilers leave for exceptions. What is missing is one
//! register, the frame pointer, which some functions find their frame by: all places in the stack
//! where it can have pointed to are tried, and the one is taken from which the walk ends where the
//! thread began, by calls that lead from each function to the next.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::thread::sleep;
use std::time::Duration;

use super::gdb;
use super::images::{Image, Mapping, images};
use super::list::Thread;

/// How much of a stack is read at most, in bytes.
const MAX_STACK: u64 = 512 * 1024;

/// How many frames are shown at most.
const MAX_FRAMES: usize = 128;

/// How many places the frame pointer is tried at.
const MAX_PLACES: usize = 16 * 1024;

/// How many walks that end well are compared.
const MAX_WALKS: usize = 32;

/// How often, and with which pauses, a thread is looked at that does not wait.
const LOOKS: u32 = 20;
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Whether it is known how stacks of this kind of processor look.
const IS_KNOWN: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// Walks the stacks of one process.
pub(crate) struct Stacks {
    process: u32,
    mappings: Vec<Mapping>,
    images: Vec<Image>,
    walker: Walker,
    memory: File,
}

/// A stack, innermost function first.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) frames: Vec<Frame>,
    /// Whether it reaches to where the thread began.
    pub(crate) is_whole: bool,
}

#[derive(Debug)]
pub(crate) struct Frame {
    /// Where it is, in the file that holds it.
    pub(crate) place: u64,
    /// The function's name, where the file has it.
    pub(crate) function: Option<String>,
    /// The file that holds it.
    pub(crate) image: String,
}

/// Where a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Registers {
    pub(super) code: u64,
    pub(super) stack: u64,
    /// The frame pointer, where it is known.
    pub(super) frame: Option<u64>,
}

/// A piece of a stack.
pub(super) struct Words {
    pub(super) start: u64,
    pub(super) bytes: Vec<u8>,
}

impl Words {
    /// The first address behind it.
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes.len() as u64)
    }

    pub(super) fn at(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.start)?).ok()?;
        let word = self.bytes.get(at..at.checked_add(8)?)?;
        Some(u64::from_ne_bytes(word.try_into().ok()?))
    }
}

impl Stacks {
    /// Reads what is mapped into a process.
    ///
    /// # Errors
    /// There is no such process, or it may not be looked at.
    pub(crate) fn new(process: u32) -> io::Result<Self> {
        let memory = File::open(format!("/proc/{process}/mem"))?;
        let mappings = Mapping::all(process)?;
        let mut images = images(process, &mappings);
        let mut walker = Walker::new();
        for image in &mut images {
            if let Some(module) = image.module() {
                walker.add(module);
            }
        }
        Ok(Self {
            process,
            mappings,
            images,
            walker,
            memory,
        })
    }

    /// The stack of a thread of this process.
    ///
    /// # Errors
    /// Why it cannot be had, for people.
    pub(crate) fn of(&mut self, thread: &Thread) -> Result<Trace, String> {
        if !IS_KNOWN {
            return Err("stacks of this kind of processor are not known here".to_owned());
        }
        let path = format!("/proc/{}/task/{}/syscall", self.process, thread.id);
        let look =
            || fs::read_to_string(&path).map_err(|error| format!("it cannot be had: {error}"));
        for _ in 0..LOOKS {
            let line = look()?;
            if let Some(registers) = registers(&line) {
                let words = self.words(registers.stack)?;
                // One that has gone on meanwhile has another stack than that at its place.
                if look()? == line {
                    return Ok(self.walk(registers, &words));
                }
            }
            sleep(LOOK_PAUSE);
        }
        let (registers, words) = gdb::ask(self.process, thread.id)
            .map_err(|error| format!("the thread does not wait, and {error}"))?;
        Ok(self.walk(registers, &words))
    }

    fn words(&self, stack: u64) -> Result<Words, String> {
        let mut mappings = self.mappings.iter();
        let mapping = mappings
            .find(|mapping| mapping.addresses.contains(&stack))
            .ok_or("its stack is nowhere")?;
        let length = (mapping.addresses.end - stack).min(MAX_STACK);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.memory
            .read_exact_at(&mut bytes, stack)
            .map_err(|error| format!("its stack cannot be read: {error}"))?;
        Ok(Words {
            start: stack,
            bytes,
        })
    }

    fn walk(&mut self, registers: Registers, words: &Words) -> Trace {
        let addresses = match registers.frame {
            Some(_) => self.walker.walk(registers, words),
            None => self.best_walk(registers, words),
        };
        let Walk { code, is_whole } = addresses;
        let frames = code
            .into_iter()
            .map(|address| self.frame(address))
            .collect();
        Trace { frames, is_whole }
    }

    /// The walk with the frame pointer that fits best.
    fn best_walk(&mut self, registers: Registers, words: &Words) -> Walk {
        let with = |frame| Registers {
            frame: Some(frame),
            ..registers
        };
        // Nowhere: a walk that needs it goes no further. (At 0 it would count as the end of the stack.)
        let plain = self.walker.walk(with(1), words);
        if plain.is_whole {
            return plain;
        }
        let places = (words.start..).step_by(8).take(MAX_PLACES);
        let mut best: Option<(usize, Walk)> = None;
        let mut walks = 0;
        for place in places {
            let Some(back) = words.at(place + 8) else {
                break;
            };
            if !self.is_code(back) || self.call_before(back).is_none() {
                continue;
            }
            let walk = self.walker.walk(with(place), words);
            if !walk.is_whole {
                continue;
            }
            let odd = self.odd_calls(&walk.code);
            if best.as_ref().is_none_or(|(least, _)| odd < *least) {
                best = Some((odd, walk));
            }
            walks += 1;
            if odd == 0 || walks == MAX_WALKS {
                break;
            }
        }
        best.map_or(plain, |(_, walk)| walk)
    }

    fn is_code(&self, address: u64) -> bool {
        let mut code = self.images.iter().flat_map(|image| &image.code);
        code.any(|range| range.contains(&address))
    }

    /// What is called by the instruction before an address, if that is a call: where it leads,
    /// where it says so.
    fn call_before(&self, back: u64) -> Option<Option<u64>> {
        let mut bytes = [0; 8];
        let start = back.checked_sub(8)?;
        self.memory.read_exact_at(&mut bytes, start).ok()?;
        call_at_end(bytes, back)
    }

    /// How many of the calls in a walk lead elsewhere than to the function that the walk has next. A walk
    /// that ends elsewhere than threads begin is odder than any other.
    fn odd_calls(&mut self, code: &[u64]) -> usize {
        let last = code.last().map(|&last| self.frame(last));
        let begins_there = last.is_some_and(|last| {
            last.image.starts_with("libc.") || last.function.is_some_and(|name| name == "_start")
        });
        let mut odd = if begins_there { 0 } else { code.len() };
        for pair in code.windows(2) {
            let called = self.call_before(pair[1]).flatten();
            let begins = self.function(pair[0]).map(|(_, start)| start);
            // A call by way of a table of the linker's leads to no function that has a name.
            let is_known = called.is_some_and(|called| self.function(called).is_some());
            odd += usize::from(is_known && begins.is_some() && called != begins);
        }
        odd
    }

    fn image(&mut self, address: u64) -> Option<&mut Image> {
        let mut images = self.images.iter_mut();
        images.find(|image| image.addresses.contains(&address))
    }

    fn function(&mut self, address: u64) -> Option<(String, u64)> {
        let (name, start) = self.image(address)?.function(address)?;
        Some((name.to_owned(), start))
    }

    fn frame(&mut self, address: u64) -> Frame {
        let function = self.function(address);
        let image = self.image(address);
        let image = image.map(|image| (image.name.clone(), image.bias));
        let (image, bias) = image.unwrap_or_else(|| ("?".to_owned(), 0));
        Frame {
            place: address.wrapping_sub(bias),
            function: function.map(|(name, _)| format!("{:#}", rustc_demangle::demangle(&name))),
            image,
        }
    }
}

/// Where a thread has called into the system, by the system's line about it; None while it runs.
fn registers(line: &str) -> Option<Registers> {
    let mut fields = line.split_whitespace().rev();
    let number = |field: Option<&str>| u64::from_str_radix(field?.strip_prefix("0x")?, 16).ok();
    let code = number(fields.next())?;
    let stack = number(fields.next())?;
    Some(Registers {
        code,
        stack,
        frame: None,
    })
}

/// Whether the bytes before `back` are a call, and where it leads, if it says so.
#[cfg(target_arch = "x86_64")]
fn call_at_end(bytes: [u8; 8], back: u64) -> Option<Option<u64>> {
    if let [.., 0xe8, a, b, c, d] = bytes {
        let distance = i32::from_le_bytes([a, b, c, d]);
        return Some(Some(back.wrapping_add_signed(distance.into())));
    }
    // By a register or from memory: `ff /2`, of two to seven bytes.
    let is_indirect = (2..=7).any(|length| {
        let at = bytes.len() - length;
        bytes[at] == 0xff && bytes[at + 1] >> 3 & 7 == 2
    });
    is_indirect.then_some(None)
}

#[cfg(not(target_arch = "x86_64"))]
fn call_at_end(bytes: [u8; 8], back: u64) -> Option<Option<u64>> {
    let [.., a, b, c, d] = bytes;
    let word = u32::from_le_bytes([a, b, c, d]);
    if word >> 26 == 0b10_0101 {
        // `bl`: 26 bits of a distance in words, from the instruction on.
        let distance = (word << 6).cast_signed() >> 4;
        return Some(Some((back - 4).wrapping_add_signed(distance.into())));
    }
    (word & 0xffff_fc1f == 0xd63f_0000).then_some(None)
}

/// The addresses in the code of a stack's functions, innermost first.
struct Walk {
    code: Vec<u64>,
    is_whole: bool,
}

#[cfg(target_arch = "x86_64")]
mod walker {
    use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
    use framehop::{Module, Unwinder};

    use super::{MAX_FRAMES, Registers, Walk, Words};

    pub(super) struct Walker {
        unwinder: UnwinderX86_64<Vec<u8>>,
        cache: CacheX86_64,
    }

    impl Walker {
        pub(super) fn new() -> Self {
            Self {
                unwinder: UnwinderX86_64::new(),
                cache: CacheX86_64::new(),
            }
        }

        pub(super) fn add(&mut self, module: Module<Vec<u8>>) {
            self.unwinder.add_module(module);
        }

        pub(super) fn walk(&mut self, registers: Registers, words: &Words) -> Walk {
            let Registers { code, stack, frame } = registers;
            let mut read = |address| words.at(address).ok_or(());
            let mut frames = self.unwinder.iter_frames(
                code,
                UnwindRegsX86_64::new(code, stack, frame.unwrap_or_default()),
                &mut self.cache,
                &mut read,
            );
            let mut code = Vec::new();
            while code.len() < MAX_FRAMES {
                match frames.next() {
                    Ok(Some(frame)) => code.push(frame.address()),
                    end => {
                        return Walk {
                            is_whole: end.is_ok(),
                            code,
                        };
                    }
                }
            }
            Walk {
                code,
                is_whole: false,
            }
        }
    }
}

/// Where functions keep a chain of frames, it is all that is needed: the innermost function of a
/// thread that waits is one of the C library's, and left out where it keeps none.
#[cfg(not(target_arch = "x86_64"))]
mod walker {
    use framehop::Module;

    use super::{MAX_FRAMES, Registers, Walk, Words};

    pub(super) struct Walker;

    impl Walker {
        pub(super) fn new() -> Self {
            Self
        }

        pub(super) fn add(&mut self, _module: Module<Vec<u8>>) {}

        pub(super) fn walk(&mut self, registers: Registers, words: &Words) -> Walk {
            let mut code = vec![registers.code];
            let mut frame = registers.frame.unwrap_or_default();
            while code.len() < MAX_FRAMES {
                let (Some(next), Some(back)) = (words.at(frame), words.at(frame + 8)) else {
                    break;
                };
                // The upper bits may hold a signature of the address.
                code.push(back & 0x0000_ffff_ffff_ffff);
                if next == 0 {
                    return Walk {
                        code,
                        is_whole: true,
                    };
                }
                if next <= frame {
                    break;
                }
                frame = next;
            }
            Walk {
                code,
                is_whole: false,
            }
        }
    }
}

use walker::Walker;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_thread_has_called_into_the_system_is_read() {
        let line = "202 0x1 0x80 0x0 0x0 0x0 0x0 0x7ffd12 0x7f34ab\n";
        let expected = Registers {
            code: 0x7f_34ab,
            stack: 0x7f_fd12,
            frame: None,
        };
        assert_eq!(registers(line), Some(expected));
        for line in ["running\n", "", "-1 0 1", "0x1"] {
            assert_eq!(registers(line), None, "{line}");
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn calls_are_known() {
        let call = |bytes: [u8; 8]| call_at_end(bytes, 0x1000);
        assert_eq!(
            call([0, 0, 0, 0xe8, 0xfb, 0xff, 0xff, 0xff]),
            Some(Some(0xffb))
        );
        assert_eq!(call([0, 0, 0, 0, 0, 0, 0xff, 0xd0]), Some(None));
        assert_eq!(call([0, 0, 0xff, 0x15, 0, 0, 0, 0]), Some(None));
        assert_eq!(call([0; 8]), None);
    }
}
