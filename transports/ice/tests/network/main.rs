//! Daemons of two nodes behind routers, with a real XMPP server and a real relay, as an ordinary user. As root, since
//! only root can make such networks; where that or a server is missing, each test says so and is skipped.
//!
//! The program and the modules are found beside this test: `make test-ipop` builds them.

mod daemon;
mod faults;
mod figures;
mod scene;
mod strangers;
mod takeover;
mod ways;
