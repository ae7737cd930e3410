//! The thread that the role's functions are called on, one after another.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use kozo_abi::{InboxLimits, Pace};

use super::error::ChildError;
use super::remote::Remote;
use crate::modules::{RoleInstance, RoleModule};
use crate::roles::isolated::protocol::{Call, CallReturn, PaceOutcome, bounded};

/// Makes the role and does what the host asks for, up to the role's end.
pub(super) fn serve(
    remote: &Arc<Remote>,
    module: Result<(Arc<RoleModule>, Vec<u8>), ChildError>,
    calls: &Receiver<Call>,
) {
    let created =
        module.and_then(|(module, options)| Ok(module.create(Arc::clone(remote) as _, &options)?));
    let mut role = match created {
        Ok(role) => role,
        Err(error) => return remote.done(Err(error)),
    };
    remote.done(Ok(outcome(&mut role, None)));
    while let Ok(call) = calls.recv() {
        let mut inbox = None;
        let result = match call {
            Call::Run => role.run(),
            Call::Reopen => role.reopen(),
            Call::Stop => role.stop(),
            Call::Inbox { length, size } => role
                .inbox(InboxLimits { length, size })
                .map(|wanted| inbox = Some((wanted.length, wanted.size))),
            Call::Drop => {
                // What its own threads may look at before `drop` waits for them.
                remote.stop();
                drop(role);
                let pace = Ok(PaceOutcome::AtOnce);
                return remote.done(Ok(CallReturn { pace, inbox }));
            }
        };
        remote.done(match result {
            Ok(()) => Ok(outcome(&mut role, inbox)),
            Err(error) => Err(error.into()),
        });
    }
}

fn outcome(role: &mut RoleInstance, inbox: Option<(u64, u64)>) -> CallReturn {
    let pace = role.pace().map(|pace| match pace {
        Pace::AtOnce => PaceOutcome::AtOnce,
        Pace::Every(interval) => PaceOutcome::Every(interval),
        Pace::EveryOrMessage(interval) => PaceOutcome::EveryOrMessage(interval),
    });
    let pace = pace.map_err(|error| bounded(&error.to_string()));
    CallReturn { pace, inbox }
}
