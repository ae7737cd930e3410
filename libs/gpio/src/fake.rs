//! Pins that exist in a test alone.
//!
//! The test makes a [`FakeChip`]; the role under test finds it by its name, in the option `chip`.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::{Board, Changed, Input, InputPin, Output, OutputPin, PinError, PinOptions, Pull};

/// All chips of the tests in this process.
static CHIPS: Mutex<Vec<(String, Weak<Chip>)>> = Mutex::new(Vec::new());

/// The board with the fake chips on it.
#[derive(Debug)]
pub enum Fake {}

impl Board for Fake {
    fn input(options: &PinOptions, pull: Pull) -> Result<Input, PinError> {
        let pin = FakePin::open(options)?;
        pin.line(|line| line.pull = Some(pull));
        Ok(Input::new(Box::new(pin), options))
    }

    fn output(options: &PinOptions, active: bool) -> Result<Output, PinError> {
        let mut pin = FakePin::open(options)?;
        pin.set(active != options.active_low)?;
        Ok(Output::new(Box::new(pin), options))
    }
}

/// A chip with as many lines as one likes. All are low at first.
pub struct FakeChip(Arc<Chip>);

impl FakeChip {
    /// Makes a chip. Tests that run at the same time give theirs different names.
    pub fn new(name: &str) -> Self {
        let chip = Arc::new(Chip::default());
        let mut chips = lock(&CHIPS);
        chips.retain(|(other, chip)| other != name && chip.strong_count() > 0);
        chips.push((name.to_owned(), Arc::downgrade(&chip)));
        Self(chip)
    }

    /// Gives an input a level from outside. Who watches it is told before this returns.
    pub fn drive(&self, line: u32, high: bool) {
        let watcher = self.0.line(line, |line| {
            let changed = line.high != high;
            line.high = high;
            if changed { line.watcher.take() } else { None }
        });
        if let Some(mut watcher) = watcher {
            watcher(high);
            self.0.line(line, |line| {
                line.watcher.get_or_insert(watcher);
            });
        }
    }

    /// Gives an input a level, but loses the edge.
    pub fn drive_unnoticed(&self, line: u32, high: bool) {
        self.0.line(line, |line| line.high = high);
    }

    /// Whether a line is high.
    pub fn is_high(&self, line: u32) -> bool {
        self.0.line(line, |line| line.high)
    }

    /// Every level that an output was set to, since this was asked for last.
    pub fn levels(&self, line: u32) -> Vec<bool> {
        self.0.line(line, |line| std::mem::take(&mut line.levels))
    }

    /// The resistor that an input was opened with.
    pub fn pull(&self, line: u32) -> Option<Pull> {
        self.0.line(line, |line| line.pull)
    }

    /// The time for which a level has to stand that a watcher asked for.
    pub fn debounce(&self, line: u32) -> Option<Duration> {
        self.0.line(line, |line| line.debounce)
    }

    /// Whether a line is open.
    pub fn is_open(&self, line: u32) -> bool {
        self.0.line(line, |line| line.open)
    }

    /// Lets everything that is done with an open line fail, or work again.
    pub fn fail(&self, line: u32, fails: bool) {
        self.0.line(line, |line| line.fails = fails);
    }
}

#[derive(Default)]
struct Chip(Mutex<HashMap<u32, Line>>);

#[derive(Default)]
struct Line {
    open: bool,
    high: bool,
    levels: Vec<bool>,
    pull: Option<Pull>,
    debounce: Option<Duration>,
    watcher: Option<Changed>,
    fails: bool,
}

impl Chip {
    fn line<T>(&self, number: u32, act: impl FnOnce(&mut Line) -> T) -> T {
        act(lock(&self.0).entry(number).or_default())
    }
}

struct FakePin {
    chip: Arc<Chip>,
    number: u32,
}

impl FakePin {
    fn open(options: &PinOptions) -> Result<Self, PinError> {
        let name = options.chip.as_deref().unwrap_or_default();
        let chips = lock(&CHIPS);
        let chip = chips.iter().find(|(other, _)| other == name);
        let chip = chip.and_then(|(_, chip)| chip.upgrade());
        let chip = chip.ok_or_else(|| PinError::NoSuchChip {
            chip: name.to_owned(),
            there: "it is none of the test's".to_owned(),
        })?;
        let line = options.line()?;
        let number = line.parse().map_err(|_| PinError::NoSuchName {
            name: line,
            chip: name.to_owned(),
        })?;
        if chip.line(number, |line| std::mem::replace(&mut line.open, true)) {
            return Err(PinError::Taken {
                line: format!("line {number} of `{name}`"),
                by: "another role of the test".to_owned(),
            });
        }
        Ok(Self { chip, number })
    }

    fn line<T>(&self, act: impl FnOnce(&mut Line) -> T) -> T {
        self.chip.line(self.number, act)
    }

    fn working<T>(&self, act: impl FnOnce(&mut Line) -> T) -> Result<T, PinError> {
        self.line(|line| {
            if line.fails {
                let source = io::Error::other("the chip is gone");
                return Err(PinError::system("use the line", source));
            }
            Ok(act(line))
        })
    }
}

impl InputPin for FakePin {
    fn is_high(&self) -> Result<bool, PinError> {
        self.working(|line| line.high)
    }

    fn watch(&mut self, debounce: Duration, changed: Changed) -> Result<(), PinError> {
        self.working(|line| {
            line.debounce = Some(debounce);
            line.watcher = Some(changed);
        })
    }
}

impl OutputPin for FakePin {
    fn set(&mut self, high: bool) -> Result<(), PinError> {
        self.working(|line| {
            line.high = high;
            line.levels.push(high);
        })
    }
}

impl Drop for FakePin {
    fn drop(&mut self) {
        self.line(|line| {
            line.open = false;
            line.watcher = None;
        });
    }
}

/// A test that panicked elsewhere is no reason to fail here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
