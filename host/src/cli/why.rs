//! `kozo why`: why there is a link with another node, or none.

use kozo_status::PeerDetails;

use super::arguments::WhyArguments;
use super::failure::Failure;
use super::output;
use super::reach::{reach, reach_about};
use crate::explain::sentences;
use crate::introspection::Request;

pub(super) fn why(arguments: &WhyArguments) -> Result<(), Failure> {
    let by = arguments.asking.on.as_ref();
    let peer = arguments.peer.to_string();
    let (daemon, request) = match &arguments.of {
        None => (reach(&arguments.asking.daemon, by)?, Request::Why { peer }),
        Some(of) => {
            let node = of.to_string();
            let daemon = reach_about(&arguments.asking.daemon, by, of)?;
            (daemon, Request::WhyOf { node, peer })
        }
    };
    let report: PeerDetails = daemon.ask(&request).map_err(Failure::other)?;
    if arguments.asking.json {
        return output::print_json(&report);
    }
    output::print(&(sentences(&report).join("\n") + "\n"))
}
