//! What each fuzz target does with an input: every parser of bytes that come from elsewhere has one.
//!
//! A body panics when something is not as it has to be. libFuzzer calls it through
//! `fuzz/fuzz_targets`; the tests of this crate call it with each input of the corpus and with
//! mutations of them ([`Target::replay`]), on any compiler.

mod bus;
mod co2;
mod control;
mod data;
mod files;
// What a controller of IPOP reads of frames; likewise a cdylib.
#[path = "../../../roles/ipop-controller/src/core/frame.rs"]
mod frame;
mod ipop;
mod keys;
mod links;
mod mutation;
mod nat;
mod network;
mod processes;
mod radio;
mod replay;

// The notations of the message injector, which is a cdylib and so no library for others.
#[allow(
    clippy::collapsible_if,
    reason = "the role is for older compilers, too"
)]
#[path = "../../../roles/message_injector/src/command.rs"]
mod command;
mod injector;
#[path = "../../../roles/message_injector/src/literal/mod.rs"]
mod literal;
#[path = "../../../roles/message_injector/src/value.rs"]
mod value;

// What programs say, for the same reason.
mod program;
#[path = "../../../roles/program/src/said.rs"]
mod said;

// The messages of STUN, whose crate brings too much for every build.
#[allow(dead_code, reason = "the crate uses all of it")]
#[path = "../../../libs/ice/src/stun.rs"]
mod stun;

// What servers of NATS say, in a cdylib again.
mod nats;
#[allow(dead_code, reason = "the bus uses all of it")]
#[path = "../../../transports/nats/src/protocol.rs"]
mod nats_protocol;

// Frames between IPOP's network device and its links, likewise.
mod tincan;
#[allow(dead_code, reason = "the role uses all of it")]
#[path = "../../../roles/ipop-tincan/src/frames/mod.rs"]
mod tincan_frames;

pub use bus::{bus_announcement, bus_ask, bus_datagram, bus_subject};
pub use co2::co2_document;
pub use control::control_request;
pub use data::data;
pub use files::{module_file, module_metadata};
pub use injector::injector_line;
pub use ipop::{ipop_candidates, ipop_datagram, ipop_frame};
pub use keys::{public_key, signature, ssh_opening};
pub use links::{frame_body, frames, hello, message};
pub use nat::stun_message;
pub use nats::nats_stream;
pub use network::network_file;
pub use processes::isolated_frames;
pub use program::program_line;
pub use radio::service_list;
pub use replay::Target;
pub use tincan::tincan_frame;

/// All targets, by their names in `fuzz/fuzz_targets` and `fuzz/corpus`.
pub const TARGETS: [Target; 27] = [
    Target::new("bus_announcement", bus_announcement),
    Target::new("bus_ask", bus_ask),
    Target::new("bus_datagram", bus_datagram),
    Target::new("bus_subject", bus_subject),
    Target::new("co2_document", co2_document),
    Target::new("control_request", control_request),
    Target::new("data", data),
    Target::new("frame_body", frame_body),
    Target::new("frames", frames),
    Target::new("hello", hello),
    Target::new("injector_line", injector_line).with_pieces(&injector::PIECES),
    Target::new("ipop_candidates", ipop_candidates).with_pieces(&ipop::PIECES),
    Target::new("ipop_datagram", ipop_datagram),
    Target::new("ipop_frame", ipop_frame),
    Target::new("isolated_frames", isolated_frames),
    Target::new("message", message),
    Target::new("module_file", module_file),
    Target::new("module_metadata", module_metadata).with_pieces(&network::YAML_PIECES),
    Target::new("nats_stream", nats_stream),
    Target::new("network_file", network_file).with_pieces(&network::YAML_PIECES),
    Target::new("program_line", program_line).with_pieces(&program::PIECES),
    Target::new("public_key", public_key),
    Target::new("service_list", service_list),
    Target::new("signature", signature),
    Target::new("ssh_opening", ssh_opening),
    Target::new("stun_message", stun_message),
    Target::new("tincan_frame", tincan_frame),
];
