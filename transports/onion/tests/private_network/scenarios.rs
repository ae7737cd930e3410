//! What is tried.

mod bridges;
mod clocks;
mod faults;
mod figures;
mod links;
mod strangers;
mod system;
mod takeover;

use crate::Stage;
use crate::clock::Clock;

/// One thing that is tried. It panics when it is not so.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Stage),
    /// What it needs that not every machine has; why it is skipped, where that is missing.
    pub(crate) check: fn() -> Result<(), String>,
}

/// What all need is there when one of them is run.
fn nothing_more() -> Result<(), String> {
    Ok(())
}

macro_rules! scenarios {
    ($($room:ident :: $name:ident $(needs $check:expr)?,)*) => {
        &[$(Scenario {
            name: stringify!($name),
            run: $room::$name,
            check: [$($check as fn() -> _,)? nothing_more][0],
        }),*]
    };
}

/// Those for any network.
pub(crate) const OF_DAYS: &[Scenario] = scenarios![
    links::two_nodes_link_and_messages_flow_both_ways,
    links::three_nodes_link_and_one_of_them_has_no_address,
    links::a_killed_node_comes_back_with_its_address_and_gets_what_the_other_one_held,
    links::a_frozen_node_loses_nothing,
    links::a_node_can_show_itself_to_chosen_ones_only,
    faults::a_wrong_port_an_unknown_address_and_a_wrong_key_make_no_link,
    bridges::a_node_links_through_its_bridge_and_through_nothing_else,
    clocks::a_clock_that_is_far_off_is_told_of_and_no_harm_once_it_is_set
        needs Clock::check,
    faults::damaged_and_shared_state_folders_are_told_of,
    takeover::tcp_takes_over_when_it_appears_and_tor_when_it_goes,
];

/// Those with a `tor` that is no part of the network itself.
pub(crate) const OF_TESTING: &[Scenario] = scenarios![
    system::the_machines_tor_serves_and_connects,
    system::what_is_on_its_way_when_tor_dies_arrives_when_it_is_back,
    strangers::strangers_are_ended_and_keep_nobody_out,
];

/// What is measured, when it is asked for by its name.
pub(crate) const ON_REQUEST: &[Scenario] = scenarios![
    figures::figures_of_nodes_on_one_machine,
    figures::figures_of_a_long_way,
];
