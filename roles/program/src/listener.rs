//! The thread that does what the program says on its standard output.

use std::sync::Arc;
use std::time::Duration;

use kozo_abi::{Kind, SendError};
use kozo_child::{Lines, Reader};
use kozo_data::{Packed, Unpacked};

use crate::CHUNK;
use crate::questions::ask;
use crate::said::{self, Id, Said, Unusable, beginning};
use crate::shared::Shared;
use crate::told::Outcome;

/// The thread's whole work.
pub(crate) fn read(output: Reader, shared: &Arc<Shared>) {
    let mut lines = Lines::new(output, shared.max_line);
    loop {
        if shared.outbox.pending() >= CHUNK || !lines.has_line() {
            // No answer waits for more of the program's lines.
            shared.outbox.flush(Duration::ZERO);
        }
        let Ok(Some(line)) = lines.next_line() else {
            return;
        };
        if !shared.pace() {
            return;
        }
        if line.left_out > 0 {
            let (length, most) = (line.text.len() as u64 + line.left_out, shared.max_line);
            let reason = format!("it has {length} bytes, and `maxLine` is {most}");
            refuse(shared, line.text, said::first_id(line.text), &reason);
        } else if !line.text.trim_ascii().is_empty() {
            match said::read(line.text) {
                Ok(said::Line { said, id }) => act(shared, said, id),
                Err(Unusable { id, reason }) => refuse(shared, line.text, id, &reason),
            }
        }
    }
}

fn refuse(shared: &Shared, line: &[u8], id: Option<Id>, reason: &str) {
    match id {
        Some(id) => shared.answer(Some(&id), Err(reason.to_owned())),
        None => {
            let shown = beginning(line);
            shared.complain(&format!(
                "a line of the program is dropped, for {reason}: `{shown}`"
            ));
        }
    }
}

fn act(shared: &Arc<Shared>, said: Said<'_>, id: Option<Id>) {
    let host = &shared.host;
    let outcome = match said {
        Said::Send {
            kind,
            type_name,
            channel,
            data,
            wait,
        } => {
            let message = match kind {
                Kind::Order => host.order(&type_name),
                Kind::Event | Kind::Log => host.event(&type_name),
            };
            let message = match &channel {
                Some(channel) => message.channel(channel),
                None => message,
            };
            let sent = message.paced(wait).send_bytes(data.as_slice());
            taken(sent, id.is_some())
        }
        Said::Log(text) => taken(host.send_log(&text), id.is_some()),
        Said::Print { text, level } => {
            host.log(level, &text);
            Ok(Outcome::nothing())
        }
        Said::Status(text) => {
            host.set_status(&text);
            Ok(Outcome::nothing())
        }
        Said::Load => match host.load::<Packed>() {
            Ok(value) => Ok(value.map_or_else(Outcome::nothing, Outcome::Value)),
            Err(error) => Err(error.to_string()),
        },
        Said::Store(value) => match host.store(&Unpacked(value.as_slice())) {
            Ok(()) => Ok(Outcome::nothing()),
            Err(error) => Err(error.to_string()),
        },
        Said::Ask { question, wait } => return ask(shared, id, question, wait),
    };
    shared.answer(id.as_ref(), outcome);
}

/// Whether a message was taken; where nobody is told so, that it was not is something that went wrong.
fn taken(sent: Result<(), SendError>, is_answered: bool) -> Result<Outcome, String> {
    match sent {
        Ok(()) => Ok(Outcome::Bool(true)),
        Err(SendError::NoRoom) if is_answered => Ok(Outcome::Bool(false)),
        Err(error) => Err(error.to_string()),
    }
}
