//! `kozo bench`: how the link with another node does under load.

use kozo_ground::text::{bytes, count, grouped, printable, span};
use kozo_status::BenchResult;

use super::arguments::BenchArguments;
use super::failure::Failure;
use super::output;
use super::reach::reach;
use crate::introspection::Request;

pub(super) fn bench(arguments: &BenchArguments) -> Result<(), Failure> {
    let daemon = reach(&arguments.asking.daemon, arguments.asking.on.as_ref())?;
    // Not among what is printed: that may be read by a program.
    crate::log::print(format!(
        "warning: this loads the link with {} for {}\n",
        arguments.peer,
        count(arguments.seconds, "second"),
    ));
    let request = Request::Bench {
        peer: arguments.peer.to_string(),
        seconds: arguments.seconds,
    };
    let result: BenchResult = daemon.ask(&request).map_err(Failure::other)?;
    if arguments.asking.json {
        return output::print_json(&result);
    }
    output::print(&render(&result))
}

fn render(result: &BenchResult) -> String {
    let way = match (&result.transport, &result.address) {
        (Some(transport), Some(address)) => {
            format!(" over {} with {}", printable(transport), printable(address))
        }
        _ => String::new(),
    };
    let trips = &result.round_trips;
    let flow = &result.throughput;
    format!(
        "{}{way}\n\
         \x20 round trips  {}, one after another: min {}, median {}, 90 % {}, 99 % {}, max {}\n\
         \x20 throughput   {}/s one way: {} in {}, {} of {} at most, {} at a time at most, the slowest took {}\n",
        result.node,
        grouped(trips.count),
        span(trips.min_seconds),
        span(trips.median_seconds),
        span(trips.p90_seconds),
        span(trips.p99_seconds),
        span(trips.max_seconds),
        bytes(flow.bytes_per_second as u64),
        bytes(flow.bytes),
        span(flow.seconds),
        count(flow.questions, "question"),
        bytes(flow.largest_bytes as u64),
        flow.parallel,
        span(flow.max_seconds),
    )
}
