//! The methods of CO2, in one table.

use super::{Builtin, Host};

/// What a method is called with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// A struct of which nothing is needed, or nothing.
    Anything,
    /// The name of a method, as a text or in a struct.
    Name,
    /// A struct with keys: their names, and what they are.
    Keys(&'static [(&'static str, &'static str)]),
}

/// A method of CO2's own.
pub(super) struct Row {
    pub(super) builtin: Builtin,
    /// Which hosts have it; none: both kinds.
    pub(super) host: Option<Host>,
    /// The first is the name of its own, the others mean the same.
    pub(super) names: &'static [&'static str],
    pub(super) takes: Takes,
    pub(super) help: &'static str,
}

const HOST_ID: (&str, &str) = (
    "host_id",
    "string: the id that the relay gave the satellite",
);

pub(super) const ROWS: &[Row] = &[
    Row {
        builtin: Builtin::Ping,
        host: None,
        names: &["ping", "web.ping"],
        takes: Takes::Anything,
        help: "Answers OK, which shows that this host is there.",
    },
    Row {
        builtin: Builtin::Test,
        host: None,
        names: &["test", "web.test"],
        takes: Takes::Anything,
        help: "Gives back the struct that it is called with, and the caller's address in it.",
    },
    Row {
        builtin: Builtin::MethodNames,
        host: None,
        names: &[
            "co2.get_method_names",
            "co2.co2_get_method_names",
            "sys.listMethods",
            "system.listMethods",
            "web.get_method_names",
        ],
        takes: Takes::Anything,
        help: "Lists the names of all methods of this host, an array of strings.",
    },
    Row {
        builtin: Builtin::MethodHelp,
        host: None,
        names: &[
            "co2.get_method_help",
            "sys.methodHelp",
            "system.methodHelp",
            "web.get_method_help",
        ],
        takes: Takes::Name,
        help: "Tells in words what a method does. Takes the method's name, as a string.",
    },
    Row {
        builtin: Builtin::MethodSignature,
        host: None,
        names: &[
            "co2.get_method_signature",
            "sys.methodSignature",
            "system.methodSignature",
            "web.get_method_signature",
        ],
        takes: Takes::Name,
        help: "Tells what a method is called with: a struct with args, the keys of its argument, and args_d, what each \
               of them is. args_v and args_kw are empty. Takes the method's name, as a string.",
    },
    Row {
        builtin: Builtin::Properties,
        host: None,
        names: &[
            "sys.get_properties",
            "system.get_properties",
            "web.get_properties",
        ],
        takes: Takes::Anything,
        help: "Describes this host and the machine that it runs on, in a struct.",
    },
    Row {
        builtin: Builtin::CallMethod,
        host: None,
        names: &[
            "call_method",
            "web.call_method",
            "method_call",
            "web.method_call",
        ],
        takes: Takes::Keys(&[("method_name", "string: the method to call")]),
        help: "Calls the method that the key method_name names with the rest of the struct, on nobody's behalf: \
               what a satellite does as itself cannot be done through it.",
    },
    Row {
        builtin: Builtin::Register,
        host: Some(Host::Relay),
        names: &["relay.register"],
        takes: Takes::Keys(&[
            ("port", "int: the TCP port on which the satellite listens"),
            (
                "plugins",
                "array of string: the plug-ins that it has loaded",
            ),
            ("nick", "string: what it is called"),
            (
                "notify_pass",
                "string: what this relay has to show when it calls notify",
            ),
        ]),
        help: "Makes the caller a satellite of this relay, and gives back the host_id that it has from now on.",
    },
    Row {
        builtin: Builtin::Deregister,
        host: Some(Host::Relay),
        names: &["relay.deregister"],
        takes: Takes::Keys(&[HOST_ID]),
        help: "Ends a satellite's registration. Only its own machine can do that.",
    },
    Row {
        builtin: Builtin::Relay,
        host: Some(Host::Relay),
        names: &["relay.relay"],
        takes: Takes::Keys(&[HOST_ID, ("data", "any: the message")]),
        help: "Passes data on to all other satellites. OK means that it has been queued.",
    },
    Row {
        builtin: Builtin::MaxSatellites,
        host: Some(Host::Relay),
        names: &["relay.get_max_satellites"],
        takes: Takes::Anything,
        help: "Tells how many satellites there can be at a time, an int.",
    },
    Row {
        builtin: Builtin::NumSatellites,
        host: Some(Host::Relay),
        names: &[
            "relay.get_num_satellites",
            "co2.get_num_satellites",
            "web.get_num_satellites",
        ],
        takes: Takes::Anything,
        help: "Tells how many satellites there are, an int.",
    },
    Row {
        builtin: Builtin::Satellites,
        host: Some(Host::Relay),
        names: &[
            "relay.get_satellites",
            "co2.get_satellites",
            "web.get_satellites",
        ],
        takes: Takes::Anything,
        help: "Lists the host_ids of all satellites, an array of strings.",
    },
    Row {
        builtin: Builtin::SatelliteProps,
        host: Some(Host::Relay),
        names: &[
            "relay.get_satellite_props",
            "co2.get_satellite_props",
            "web.get_satellite_props",
            "co2.get_satellite",
        ],
        takes: Takes::Keys(&[HOST_ID]),
        help: "Describes a satellite, and what has passed between it and this relay, in a struct.",
    },
    Row {
        builtin: Builtin::SatelliteCtime,
        host: Some(Host::Relay),
        names: &[
            "relay.get_satellite_ctime",
            "co2.get_satellite_ctime",
            "web.get_satellite_ctime",
        ],
        takes: Takes::Keys(&[HOST_ID]),
        help: "Tells when a satellite has registered, in seconds since 1970, a double.",
    },
    Row {
        builtin: Builtin::SatellitePropsRaw,
        host: Some(Host::Relay),
        names: &[
            "relay.get_satellite_props_raw",
            "co2.get_satellite_props_raw",
            "web.get_satellite_props_raw",
        ],
        takes: Takes::Keys(&[HOST_ID]),
        help: "As relay.get_satellite_props, with all times in seconds since 1970, as doubles.",
    },
    Row {
        builtin: Builtin::Notify,
        host: Some(Host::Satellite),
        names: &["notify"],
        takes: Takes::Keys(&[
            ("host_id", "string: the satellite that sent the message"),
            ("data", "any: the message"),
            ("notify_pass", "string: the password from the registration"),
        ]),
        help: "Takes a message of another satellite, which the relay passes on.",
    },
];
