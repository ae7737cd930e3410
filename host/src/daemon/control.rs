//! The daemon's control socket. A node does its work without one all the same.

use std::path::Path;
use std::sync::Arc;

use kozo_ground::names::NodeName;

use crate::control::{self, ControlSocket, FolderError, SocketError, Surroundings};
use crate::introspection::Introspection;

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// Makes the control socket at `place`, or at the usual place. That there can be none is said.
pub(super) fn open(place: Option<&Path>, node: &NodeName) -> Option<ControlSocket> {
    match try_open(place, node) {
        Ok(socket) => {
            tracing::debug!(target: "control", path = %socket.path().display(), "listening");
            Some(socket)
        }
        Err(error) => {
            warn(&error);
            None
        }
    }
}

/// Answers on the socket until the future is dropped.
pub(super) async fn serve(socket: Option<ControlSocket>, node: Arc<Introspection>) {
    if let Some(socket) = socket
        && let Err(error) = control::serve(socket, node).await
    {
        warn(&error);
    }
}

fn try_open(place: Option<&Path>, node: &NodeName) -> Result<ControlSocket, OpenError> {
    let path = match place {
        Some(place) => place.to_owned(),
        None => Surroundings::read().place_for(node)?,
    };
    Ok(ControlSocket::open(&path)?)
}

fn warn(error: &dyn std::error::Error) {
    tracing::warn!(
        target: "control",
        "`kozo status` cannot ask this daemon, which runs on: {error}",
    );
}
