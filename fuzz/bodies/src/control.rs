//! The control socket.

use kozo::control::Outcome;
use kozo::introspection::Request;

/// A line of either end.
pub fn control_request(line: &[u8]) {
    match Request::parse(line) {
        Ok(request) => {
            let again = Request::parse(request.line().as_bytes());
            assert_eq!(again.expect("what was written can be read"), request);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(outcome) = <Outcome>::parse(line) {
        <Outcome>::parse(outcome.line().as_bytes()).expect("what was written can be read");
    }
}
