//! Files of modules, which are read without being run.

use std::path::Path;

use kozo::modules::Inspected;
use kozo::modules::seal::{is_sealed, seal_of};
use kozo_description::{MAX_OPTIONS, MAX_PROBLEMS, Metadata};

use crate::network::assert_sound;

/// A module's file: a seal behind it is no part of it, and tells that it is whole.
pub fn module_file(bytes: &[u8]) {
    let path = Path::new("libmodule.so");
    let inspected = Inspected::new(path, bytes);
    let sealed = [bytes, &seal_of(bytes)].concat();
    assert_eq!(is_sealed(&sealed), Ok(true));
    match inspected {
        Ok(inspected) => {
            let sealed = Inspected::new(path, &sealed).expect("a seal is behind the image");
            assert_eq!(sealed.image, inspected.image);
            assert_eq!(sealed.metadata, inspected.metadata);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The text in which a module says what it is.
pub fn module_metadata(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Metadata::parse(text) {
        Ok(metadata) => assert!(metadata.options.len() <= MAX_OPTIONS),
        Err(problems) => {
            assert!(problems.has_errors());
            assert!(problems.iter().count() <= 2 * MAX_PROBLEMS);
            assert_sound(&problems, text);
        }
    }
}
