//! `kozo log-level`: what a running node logs.

use kozo_status::LogLevels;

use super::arguments::LogLevelArguments;
use super::failure::Failure;
use super::output;
use super::reach::reach;
use crate::introspection::Request;

pub(super) fn log_level(arguments: &LogLevelArguments) -> Result<(), Failure> {
    let asking = &arguments.asking;
    let daemon = reach(&asking.daemon, asking.on.as_ref())?;
    let set = (!arguments.levels.is_empty()).then(|| arguments.levels.join(","));
    let request = Request::LogLevel {
        set,
        reset: arguments.reset,
    };
    let answer: LogLevels = daemon.ask(&request).map_err(Failure::other)?;
    if asking.json {
        return output::print_json(&answer);
    }
    let LogLevels { levels, at_start } = answer;
    let more = match levels == at_start {
        true => String::new(),
        false => format!("  (started with {at_start})"),
    };
    output::print(&format!("{levels}{more}\n"))
}
