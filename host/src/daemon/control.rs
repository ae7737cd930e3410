//! The daemon's control socket. A node does its work without one all the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::control::paths::{FolderError, Surroundings};
use crate::control::{ControlSocket, Overview, SocketError, server};
use crate::names::NodeName;

/// Why there is none.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// Serves the control socket at `place`, or at the usual place, until the future is dropped.
pub(super) async fn run(place: Option<PathBuf>, overview: Overview) {
    match open(place.as_deref(), &overview.node) {
        Ok(socket) => {
            tracing::debug!(target: "control", path = %socket.path().display(), "listening");
            if let Err(error) = server::serve(socket, Arc::new(overview)).await {
                warn(&error);
            }
        }
        Err(error) => warn(&error),
    }
}

fn open(place: Option<&Path>, node: &NodeName) -> Result<ControlSocket, OpenError> {
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
