//! Child processes: what a node and its modules need when they run programs.
//!
//! ```text
//!  Program ──start──▶ Started { child, stdin, stdout, stderr }
//!                        │        │      └──────┴─▶ Reader ─▶ Lines
//!                        │        └─▶ Writer            ▲
//!                        │              ▲               │
//!                        │              └── Interrupt ──┘   whoever waits gives up
//!                        ├─ handle(): waits and kills, from any thread
//!                        ├─ stop():   SIGTERM, then SIGKILL, each after a limit
//!                        └─ end():    waits, kills, says how it ended ([`Ended`])
//! ```
//!
//! A child has a process group of its own, and of the environment only what ordinary programs need. With
//! a [mark](Program::mark) all that it starts is found again, in whatever group or session it is, and ends
//! with it. When a [`Child`] is dropped it is killed: none is left behind.
//!
//! Nothing here waits for ever for a child that does not read, write or end.

mod child;
mod describe;
mod environment;
mod error;
mod find;
mod handle;
mod interrupt;
mod lines;
mod mark;
mod pipe;
mod program;
mod wait;

pub use child::{Child, Ended};
pub use describe::describe;
pub use environment::ISOLATED_ROLE;
pub use error::StartError;
pub use handle::Handle;
pub use interrupt::Interrupt;
pub use lines::{Line, Lines};
pub use pipe::{Reader, Room, WriteError, Writer};
pub use program::{Program, Started};
