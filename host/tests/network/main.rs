//! Whole networks: real daemons, keys, sockets, signals and modules.

mod greetings;
mod guest;
mod injector;
mod inside;
mod process;
mod scene;
mod ssh;

mod addresses;
mod asking;
mod bluetooth;
mod checked;
mod control;
mod debugging;
mod doctor;
mod floods;
mod foreign;
mod injecting;
mod local;
mod logger;
mod messages;
mod metrics;
mod network_changes;
mod options;
mod other_files;
mod policies;
mod protocol;
mod refusals;
mod returns;
mod service;
mod silent;
mod slow_paths;
mod starting;
mod strangers;
mod twins;
mod unread;
