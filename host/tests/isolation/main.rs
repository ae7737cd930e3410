//! Roles in processes of their own: real daemons, real crashes.

#[path = "../network/process.rs"]
#[allow(dead_code)] // Shared with the tests of networks.
mod process;
#[path = "../network/scene.rs"]
#[allow(dead_code)] // As above.
mod scene;
#[path = "../sdk/toolchain.rs"]
#[allow(dead_code)] // As above.
mod toolchain;

mod crashes;
mod fixture;
mod measure;
mod privacy;
mod works;
