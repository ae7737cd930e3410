//! One life of the process of the plug-ins.

use std::io::BufReader;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use kozo_abi::Error;
use kozo_child::{Child, Interrupt, Lines, Reader, Writer};
use kozo_co2::value::sendable;
use kozo_co2::{Fault, Struct, Value, Wide};

use super::frame::{self, Heard};
use super::start::{Started, start};
use super::told::Told;
use super::{Control, tell_missed};
use crate::options::Plugins as Settings;
use crate::shared::{Shared, lock};

/// How long plug-ins may take to be loaded before the one that is at it is named.
const LOAD_LIMIT: Duration = Duration::from_secs(30);

/// How long the process may take to be gone once it has closed its output.
const END_LIMIT: Duration = Duration::from_secs(1);

/// The longest line of the error output, in bytes.
const MAX_LINE: usize = 4000;

/// What a frame weighs beside its texts, in bytes: for the limits of the outbox.
const OVERHEAD: usize = 100;

/// A process that runs.
pub(super) struct Life<'a> {
    shared: &'a Arc<Shared>,
    control: &'a Control,
    started: Started,
    /// What is being loaded.
    loading: Mutex<String>,
    ready: AtomicBool,
    /// The last line of its error output, which says most about its end.
    last_line: Mutex<String>,
}

impl<'a> Life<'a> {
    /// Starts it, and lets it load the plug-ins.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn begin(
        shared: &'a Arc<Shared>,
        control: &'a Control,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let started = start(&settings.python, &settings.home)
            .map_err(|error| format!("cannot be started: {error}"))?;
        control.runs(Some(started.child.handle()));
        if let Some(frames) = &shared.frames {
            frames.restart(first_frames(settings)?);
        }
        tell_missed(shared);
        // A stop that came before has had its last word dropped with the rest.
        if control.is_stopping() {
            started.child.handle().kill();
        }
        Ok(Self {
            shared,
            control,
            started,
            loading: Mutex::default(),
            ready: AtomicBool::new(false),
            last_line: Mutex::default(),
        })
    }

    /// Takes what it tells until it ends; how it ended.
    ///
    /// # Errors
    /// It cannot be spoken with.
    pub(super) fn live(self) -> Result<String, Error> {
        let Self {
            shared,
            control,
            started,
            loading,
            ready,
            last_line,
        } = self;
        let Started {
            mut child,
            stdin,
            stdout,
            stderr,
        } = started;
        let interrupt = Interrupt::new()?;
        let mut writer = Writer::new(stdin, interrupt.clone())?;
        let reader = Reader::new(stdout, interrupt.clone())?;
        let errors = Reader::new(stderr, interrupt.clone())?;
        let handle = Arc::clone(child.handle());
        let frames = shared.frames.as_ref();
        let heard = std::thread::scope(|scope| -> Result<(), Error> {
            let threads: Result<Vec<_>, std::io::Error> = (|| {
                Ok(vec![
                    spawn(scope, "co2 writer", || {
                        while let Some(frame) = frames.and_then(|frames| frames.next()) {
                            writer.buffer().extend_from_slice(&frame);
                            if !writer.flush(None).unwrap_or(false) {
                                return;
                            }
                        }
                    })?,
                    spawn(scope, "co2 errors", || {
                        let mut lines = Lines::new(errors, MAX_LINE);
                        while let Ok(Some(line)) = lines.next_line() {
                            let text = String::from_utf8_lossy(line.text);
                            let text = text.trim_end();
                            if !text.is_empty() {
                                shared.host.info(&format!("plug-ins: {text}"));
                                text.clone_into(&mut lock(&last_line));
                            }
                        }
                    })?,
                    spawn(scope, "co2 watch", || {
                        if !handle.wait(LOAD_LIMIT) {
                            if !ready.load(Ordering::SeqCst) {
                                shared.host.error(&format!(
                                    "`{}` has not been loaded for {} s: the plug-ins behind it wait",
                                    lock(&loading),
                                    LOAD_LIMIT.as_secs()
                                ));
                            }
                            handle.wait(Duration::MAX);
                        }
                        // What it has started may keep its streams open.
                        interrupt.raise();
                    })?,
                ])
            })();
            let threads = match threads {
                Ok(threads) => threads,
                Err(error) => {
                    handle.kill();
                    if let Some(frames) = frames {
                        frames.close();
                    }
                    return Err(error.into());
                }
            };
            let mut input = BufReader::new(reader);
            let mut has_spoken = false;
            let heard = loop {
                match frame::read(&mut input) {
                    Ok(Heard::Frame(frame)) => {
                        // Until then, callers of the methods of the life before hear that it has ended.
                        if !std::mem::replace(&mut has_spoken, true) {
                            shared.forget_plugins();
                        }
                        match Told::of(frame) {
                            Some(told) => take(shared, told, &loading, &ready),
                            None => shared.host.warn("the plug-ins' process says something unknown"),
                        }
                    }
                    Ok(Heard::Unreadable(error)) => shared.host.warn(&format!(
                        "something that a plug-in has sent was dropped, for it cannot be read: {error}"
                    )),
                    Ok(Heard::End) => break Ok(()),
                    Err(error) => break Err(error.into()),
                }
            };
            // Whatever it does now, it is not understood any more.
            if heard.is_err() || !handle.wait(END_LIMIT) {
                handle.kill();
            }
            if let Some(frames) = frames {
                frames.close();
            }
            for thread in threads {
                let _ = thread.join();
            }
            heard
        });
        heard?;
        Ok(how(&mut child, &lock(&last_line), control.is_stopping()))
    }
}

fn spawn<'scope, F>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: F,
) -> std::io::Result<ScopedJoinHandle<'scope, ()>>
where
    F: FnOnce() + Send + 'scope,
{
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, work)
}

fn how(child: &mut Child, last_line: &str, is_stopping: bool) -> String {
    let ended = match child.end(END_LIMIT) {
        Ok(ended) => ended.to_string(),
        Err(error) => format!("cannot be waited for: {error}"),
    };
    match last_line {
        "" => ended,
        _ if is_stopping => ended,
        line => format!("{ended}; its last line is `{line}`"),
    }
}

/// What it is told first.
fn first_frames(settings: &Settings) -> Result<Vec<Vec<u8>>, Error> {
    let text = |text: String| Value::String(text);
    let path = |path: &std::path::Path| text(path.to_string_lossy().into_owned());
    let packages = settings
        .packages
        .iter()
        .cloned()
        .map(Value::String)
        .collect();
    let wide = match settings.allowed.wide {
        Wide::Error => "error",
        Wide::Double => "double",
        Wide::I8 => "i8",
    };
    let load = Struct::from([
        ("folder".to_owned(), path(&settings.folder)),
        ("home".to_owned(), path(&settings.home)),
        ("packages".to_owned(), Value::Array(packages)),
        ("wide".to_owned(), text(wide.to_owned())),
        ("nil".to_owned(), Value::Boolean(settings.allowed.nil)),
    ]);
    let mut frames = Vec::new();
    if let Some(config) = &settings.config {
        let file = Struct::from([("file".to_owned(), path(config))]);
        frames.push(frame::write("configure", file)?);
    }
    frames.push(frame::write("load", load)?);
    Ok(frames)
}

/// Does what it says.
fn take(shared: &Shared, told: Told, loading: &Mutex<String>, ready: &AtomicBool) {
    let host = &shared.host;
    match told {
        Told::Loading { name } => *lock(loading) = name,
        Told::Plugin { title } => {
            host.info(&format!("plug-in {title} is loaded"));
            shared.add_plugin(title);
        }
        Told::Method {
            name,
            help,
            signature,
        } => shared.publish(&name, &help, signature),
        Told::Skipped { name, reason } => {
            host.error(&format!("plug-in {name} is not loaded: {reason}"));
        }
        Told::Ready => {
            ready.store(true, Ordering::SeqCst);
            shared.loaded.send_replace(true);
        }
        Told::Send { plugin, data } => match sendable(data, shared.settings.allowed, "data") {
            Ok(data) => {
                let size = OVERHEAD + weight(&data);
                shared.send(data, size);
            }
            Err(error) => host.warn(&format!("{plugin}: a message cannot be sent: {error}")),
        },
        Told::Log {
            plugin,
            text,
            debug: false,
        } => host.info(&format!("{plugin}: {text}")),
        Told::Log { plugin, text, .. } => host.debug(&format!("{plugin}: {text}")),
        Told::Result { id, result } => {
            let result = result.map_err(|text| Fault {
                code: kozo_co2::fault::CODE,
                text,
            });
            let result = result.and_then(|value| {
                sendable(value, shared.settings.allowed, "value")
                    .map_err(|error| Fault::new(kozo_co2::fault::VALUE_ERROR, error))
            });
            if !shared.end_call(&id, result) {
                host.warn("a plug-in's method answered too late: nobody waits for it any more");
            }
        }
        Told::Slow { plugin, what } => host.warn(&format!(
            "plug-in {plugin} takes more than 1 s in {what}: what takes long belongs into a thread of its own"
        )),
        Told::Late {
            plugin,
            what,
            seconds,
        } => host.info(&format!("plug-in {plugin} took {seconds:.1} s in {what}")),
        Told::Failed {
            plugin,
            what,
            reason,
        } => host.error(&format!("plug-in {plugin} failed in {what}: {reason}")),
        Told::Dropped { plugin, count } => host.warn(&format!(
            "{count} messages for plug-in {plugin} were dropped: it was still busy with older ones"
        )),
        // This was told when the options were read.
        Told::Configured { .. } => {}
        Told::Unconfigured { reason } => host.error(&format!("`config`: {reason}")),
    }
}

/// About how many bytes a value has when it is sent.
fn weight(value: &Value) -> usize {
    const TAGS: usize = 30;
    TAGS + match value {
        Value::String(text) => text.len(),
        Value::Base64(bytes) => bytes.len() * 4 / 3,
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Struct(members) => members
            .iter()
            .map(|(key, value)| TAGS + key.len() + weight(value))
            .sum(),
        _ => 0,
    }
}
