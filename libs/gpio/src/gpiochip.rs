//! The kernel's character devices, `/dev/gpiochipN`: on any board.
//!
//! The kernel lets one process have a line at a time, and frees it when the process is gone,
//! however that happened.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gpiocdev::chip::{self, Chip};
use gpiocdev::line::{Bias, EdgeDetection, Offset, Value};
use gpiocdev::request::{Config, Request};
use rustix::io::Errno;

use crate::edges::Edges;
use crate::{Changed, InputPin, OutputPin, PinError, PinOptions, Pull, raspberry};

/// What others see as the user of the line.
const CONSUMER: &str = "kozo";

/// Where the kernel names all chips of the machine, also those whose devices a process is not shown.
const KNOWN_CHIPS: &str = "/sys/bus/gpio/devices";

/// Opens a line to read it.
pub(crate) fn input(options: &PinOptions, pull: Pull) -> Result<Box<dyn InputPin>, PinError> {
    let line = Line::find(options)?;
    let bias = match pull {
        Pull::None => Bias::Disabled,
        Pull::Up => Bias::PullUp,
        Pull::Down => Bias::PullDown,
    };
    let mut config = Config::default();
    config.with_line(line.offset).as_input().with_bias(bias);
    let request = Arc::new(line.request(&config)?);
    Ok(Box::new(ChipInput {
        edges: None,
        request,
        config,
        line,
    }))
}

/// Opens a line to set it.
pub(crate) fn output(options: &PinOptions, high: bool) -> Result<Box<dyn OutputPin>, PinError> {
    let line = Line::find(options)?;
    let mut config = Config::default();
    config.with_line(line.offset).as_output(value(high));
    let request = line.request(&config)?;
    Ok(Box::new(ChipOutput { request, line }))
}

/// Who has a line of a chip with one of these labels, if somebody has.
pub(crate) fn consumer(labels: &[&str], offset: Offset) -> Option<String> {
    let chip = labelled(|label| labels.contains(&label)).into_iter().next();
    let info = chip?.chip.line_info(offset).ok()?;
    info.used.then(|| name_of(info.consumer))
}

struct ChipInput {
    // Dropped first: its thread reads from the request.
    edges: Option<Edges>,
    request: Arc<Request>,
    config: Config,
    line: Line,
}

impl InputPin for ChipInput {
    fn is_high(&self) -> Result<bool, PinError> {
        let value = self.request.lone_value();
        let value = value.map_err(|error| self.line.failed("read", error))?;
        Ok(value == Value::Active)
    }

    fn watch(&mut self, debounce: Duration, changed: Changed) -> Result<(), PinError> {
        self.edges = None;
        self.config.with_edge_detection(EdgeDetection::BothEdges);
        self.config.with_debounce_period(debounce);
        let configured = self.request.reconfigure(&self.config);
        configured.map_err(|error| self.line.failed("watch", error))?;
        let edges = Edges::watch(Arc::clone(&self.request), changed);
        let failed = |error| PinError::system(format!("watch {}", self.line.text()), error);
        self.edges = Some(edges.map_err(failed)?);
        Ok(())
    }
}

struct ChipOutput {
    request: Request,
    line: Line,
}

impl OutputPin for ChipOutput {
    fn set(&mut self, high: bool) -> Result<(), PinError> {
        let set = self.request.set_lone_value(value(high));
        set.map_err(|error| self.line.failed("set", error))
    }
}

fn value(high: bool) -> Value {
    if high { Value::Active } else { Value::Inactive }
}

/// A line of a chip.
struct Line {
    chip: OpenChip,
    offset: Offset,
}

impl Line {
    fn find(options: &PinOptions) -> Result<Self, PinError> {
        let line = options.line()?;
        let chip = OpenChip::find(options.chip.as_deref())?;
        let offset = match line.parse::<Offset>() {
            Ok(offset) if offset < chip.lines => offset,
            Ok(offset) => {
                return Err(PinError::NoSuchLine {
                    line: offset,
                    chip: chip.text(),
                    last: chip.lines.saturating_sub(1),
                });
            }
            Err(_) => match chip.chip.find_line_info(&line) {
                Some(info) => info.offset,
                None => {
                    return Err(PinError::NoSuchName {
                        name: line,
                        chip: chip.text(),
                    });
                }
            },
        };
        Ok(Self { chip, offset })
    }

    fn request(&self, config: &Config) -> Result<Request, PinError> {
        Request::from_config(config.clone())
            .on_chip(self.chip.chip.path())
            .with_consumer(CONSUMER)
            .request()
            .map_err(|error| self.failed("open", error))
    }

    fn failed(&self, what: &str, error: gpiocdev::Error) -> PinError {
        let source = io_error(error);
        match Errno::from_io_error(&source) {
            Some(Errno::BUSY) => PinError::Taken {
                line: self.text(),
                by: self.consumer(),
            },
            Some(Errno::ACCESS | Errno::PERM) => PinError::Permission {
                path: self.chip.chip.path().to_owned(),
            },
            _ => PinError::system(format!("{what} {}", self.text()), source),
        }
    }

    fn consumer(&self) -> String {
        let info = self.chip.chip.line_info(self.offset);
        name_of(info.map(|info| info.consumer).unwrap_or_default())
    }

    fn text(&self) -> String {
        format!("line {} of {}", self.offset, self.chip.text())
    }
}

/// A line's user may leave its name out.
fn name_of(consumer: String) -> String {
    if consumer.is_empty() {
        "something without a name".to_owned()
    } else {
        consumer
    }
}

/// A chip, and what it says about itself.
struct OpenChip {
    chip: Chip,
    name: String,
    label: String,
    lines: u32,
}

impl OpenChip {
    /// The chip that is named so; without a name, that of a Raspberry Pi.
    fn find(named: Option<&str>) -> Result<Self, PinError> {
        let Some(named) = named else {
            let mut chips = labelled(|label| raspberry::CHIPS.contains(&label)).into_iter();
            return chips
                .next()
                .ok_or_else(|| out_of_reach().unwrap_or(PinError::ChipMissing { there: there() }));
        };
        if let Some(path) = path_of(named) {
            return Self::open(&path).map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::ACCESS | Errno::PERM) => PinError::Permission { path },
                Some(Errno::NOENT | Errno::NXIO | Errno::NODEV) => {
                    hidden().unwrap_or(PinError::NoSuchChip {
                        chip: named.to_owned(),
                        there: there(),
                    })
                }
                _ => PinError::system(format!("open the GPIO chip `{}`", path.display()), error),
            });
        }
        let mut chips = labelled(|label| label == named);
        match chips.len() {
            1 => Ok(chips.remove(0)),
            // One that is out of reach may be it.
            0 => Err(out_of_reach().unwrap_or(PinError::NoSuchChip {
                chip: named.to_owned(),
                there: there(),
            })),
            _ => Err(PinError::LabelOfSeveral {
                label: named.to_owned(),
                there: there(),
            }),
        }
    }

    fn open(path: &Path) -> io::Result<Self> {
        let chip = Chip::from_path(path).map_err(io_error)?;
        let info = chip.info().map_err(io_error)?;
        Ok(Self {
            chip,
            name: info.name,
            label: info.label,
            lines: info.num_lines,
        })
    }

    fn text(&self) -> String {
        format!("`{}` ({})", self.name, self.label)
    }
}

/// The path of a chip that is named by its number, its name or its path; none for a label.
fn path_of(named: &str) -> Option<PathBuf> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if named.starts_with('/') {
        Some(PathBuf::from(named))
    } else if is_number(named) {
        Some(PathBuf::from(format!("/dev/gpiochip{named}")))
    } else if named.strip_prefix("gpiochip").is_some_and(is_number) {
        Some(Path::new("/dev").join(named))
    } else {
        None
    }
}

/// The chips whose labels fit, as far as this process may open them.
fn labelled(fits: impl Fn(&str) -> bool) -> Vec<OpenChip> {
    let chips = paths()
        .into_iter()
        .filter_map(|path| OpenChip::open(&path).ok());
    chips.filter(|chip| fits(&chip.label)).collect()
}

/// Why a chip that the machine has may not be found: this process may not open it, or is not shown it.
fn out_of_reach() -> Option<PinError> {
    let denied = |path: &PathBuf| {
        let opened = OpenChip::open(path).err();
        opened.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    let forbidden = paths().into_iter().find(denied);
    forbidden
        .map(|path| PinError::Permission { path })
        .or_else(hidden)
}

/// Whether the machine has chips, and this process is shown none: its unit or its container keeps devices
/// from it.
pub(crate) fn hidden() -> Option<PinError> {
    if !paths().is_empty() {
        return None;
    }
    let known = fs::read_dir(KNOWN_CHIPS).ok()?.flatten();
    let name = known.map(|entry| entry.file_name()).min()?;
    let path = Path::new("/dev").join(name);
    Some(PinError::Hidden { path })
}

fn paths() -> Vec<PathBuf> {
    chip::chips().unwrap_or_default()
}

/// What there is, for somebody who has to choose.
fn there() -> String {
    let chips: Vec<_> = paths()
        .iter()
        .filter_map(|path| OpenChip::open(path).ok())
        .map(|chip| format!("{} with {} lines", chip.text(), chip.lines))
        .collect();
    if chips.is_empty() {
        "this machine has none (`/dev/gpiochip*`)".to_owned()
    } else {
        format!("there is {}", chips.join(", "))
    }
}

/// The system's own error, where that is what happened.
fn io_error(error: gpiocdev::Error) -> io::Error {
    match error {
        gpiocdev::Error::Os(errno) | gpiocdev::Error::Uapi(_, gpiocdev_uapi::Error::Os(errno)) => {
            io::Error::from_raw_os_error(errno.0)
        }
        other => io::Error::other(other),
    }
}
