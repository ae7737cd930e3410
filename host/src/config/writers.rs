//! Who else can change the configuration file. It says which modules run, whom they believe and where
//! they write, so whoever can change it acts with the rights of the daemon.

use std::path::Path;

use kozo_access::{ChangeError, Choice, Writer, check_unchangeable};
use kozo_description::Problem;

/// What is odd about who can change the file at `path`, if anything is. That every user can, and the
/// daemon would run as root, is an error. That a single other one can is a warning: it may well be the
/// administrator's own.
pub(super) fn check(path: &Path) -> Option<Problem> {
    // What comes through a pipe or from a terminal is nobody's file.
    if !path.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return None;
    }
    let user = rustix::process::geteuid().as_raw();
    let error = check_unchangeable(path, Choice::Named, user).err()?;
    let ChangeError::Changeable { writer, .. } = &error else {
        return None;
    };
    let message = error.to_string();
    Some(match writer {
        Writer::Everybody => Problem::error(None, "", message),
        Writer::Group | Writer::Owner(_) => Problem::warning(None, "", message),
    })
}
