//! The options that every block of a role, transport or bus has, whatever its module: a module's own
//! options have other names.

use std::sync::LazyLock;

use kozo_ground::grant::Grant;

use crate::kind::ModuleKind;
use crate::schema::{BYTES, DefaultValue, KIB, MIB, OptionSpec, ValueKind};
use crate::value::Value;
use DefaultValue::None as Nothing;

const MESSAGES: &str = "messages";

/// What a queue may hold: at least one message of a useful size, at most what a 64-bit machine
/// can spare.
const QUEUE_LENGTH: (f64, f64) = (1.0, 1_000_000.0);
const QUEUE_SIZE: (f64, f64) = (KIB as f64, 1024.0 * MIB as f64);

/// The option that limits the memory of an isolated role.
pub const MEMORY_LIMIT: &str = "memoryLimit";

/// The option that says what a role is for people and other systems.
pub const FACE: &str = "face";

/// What `memoryLimit` may be: at least what a process with a small role starts with and some room
/// for its work.
const LEAST_MEMORY: f64 = 8.0 * MIB as f64;
const MOST_MEMORY: f64 = 1024.0 * 1024.0 * MIB as f64;

/// The options that every block of a role, transport or bus has, besides those of its module.
pub fn of(kind: ModuleKind) -> &'static [OptionSpec] {
    match kind {
        ModuleKind::Role => role(),
        ModuleKind::Transport => transport(),
        ModuleKind::Bus => bus(),
    }
}

/// The options that every role block has, besides those of its module.
pub fn role() -> &'static [OptionSpec] {
    static OPTIONS: LazyLock<Vec<OptionSpec>> = LazyLock::new(|| {
        vec![
            OptionSpec::new(
                "type",
                ValueKind::Text,
                Nothing,
                "The name of the role's module. Without it, the role's own name is taken.",
            ),
            OptionSpec::new(
                "description",
                ValueKind::Text,
                Nothing,
                "What the role is there for, for people.",
            ),
            queue_length(
                "messageQueueLength",
                8,
                "How many messages wait for the role. A further one pushes the oldest out.",
            ),
            queue_size(
                "messageQueueSize",
                4 * MIB,
                "How many bytes of messages wait for the role. A larger message is still taken when it is alone.",
            ),
            OptionSpec::new(
                "acceptOrdersFrom",
                ValueKind::List,
                Nothing,
                "Who may give orders to the role: nodes (`NODE`) or roles (`ROLE@NODE`), in which `*` stands for any run of characters. Everybody without it, nobody with an empty list.",
            ),
            OptionSpec::new(
                "grant",
                ValueKind::List,
                Nothing,
                "What the role may see and do of its node. `status`: how the node is, and others as far as they tell it. `messages`: what passes the node, whoever it is for. `control`: to restart roles, to send in the node's name, to change the log's level. Nothing of it without this.",
            )
            .one_of(&Grant::ALL.map(Grant::name)),
            OptionSpec::new(
                "isolate",
                ValueKind::Boolean,
                DefaultValue::Value(Value::Boolean(false)),
                "Whether the role runs in a process of its own, so that a crash, a hang or a leak costs nothing but this role.",
            ),
            OptionSpec::new(
                MEMORY_LIMIT,
                ValueKind::Integer,
                Nothing,
                "How much memory of its own the process of an isolated role may have. Without it, as much as the system gives. Only with `isolate`.",
            )
            .measured(BYTES, LEAST_MEMORY, MOST_MEMORY),
            OptionSpec::new(
                FACE,
                ValueKind::Block,
                Nothing,
                "What the role is for people and other systems, where its module shall not decide (docs/faces.md): below the name of each face `name`, `class`, `icon`, `category`, `unit`, `enabled`, or `hidden: true`. Without the name where the role has only one. With `kind`, a face that the module does not know of.",
            ),
        ]
    });
    &OPTIONS
}

/// The options that every transport block has, besides those of its module.
pub fn transport() -> &'static [OptionSpec] {
    static OPTIONS: LazyLock<Vec<OptionSpec>> = LazyLock::new(|| {
        vec![
            OptionSpec::new(
                "type",
                ValueKind::Text,
                Nothing,
                "The name of the transport's module. Without it, the transport's own name is taken.",
            ),
            OptionSpec::new(
                "description",
                ValueKind::Text,
                Nothing,
                "What the transport is there for, for people.",
            ),
        ]
    });
    &OPTIONS
}

/// The option that names the file with a bus's secret of subjects.
pub const SUBJECT_SECRET_FILE: &str = "subjectSecretFile";

/// The options that every bus block has, besides those of its module.
pub fn bus() -> &'static [OptionSpec] {
    static OPTIONS: LazyLock<Vec<OptionSpec>> = LazyLock::new(|| {
        vec![
            OptionSpec::new(
                "type",
                ValueKind::Text,
                Nothing,
                "The name of the bus's module. Without it, the bus's own name is taken.",
            ),
            OptionSpec::new(
                "description",
                ValueKind::Text,
                Nothing,
                "What the bus is there for, for people.",
            ),
            OptionSpec::new(
                SUBJECT_SECRET_FILE,
                ValueKind::Path,
                Nothing,
                "A file with a secret that all nodes on the bus have, and whoever runs the engine has not: it hides from the engine which types, channels, roles and nodes there are. Without it, only the data is hidden.",
            ),
        ]
    });
    &OPTIONS
}

/// The option of a node on a bus that names its gateways.
pub const THROUGH: &str = "through";

/// The options that a node has on a bus, besides those of the bus's module, which it may have for itself.
pub fn on_bus() -> &'static [OptionSpec] {
    static OPTIONS: LazyLock<Vec<OptionSpec>> = LazyLock::new(|| {
        vec![OptionSpec::new(
            THROUGH,
            ValueKind::List,
            Nothing,
            "The nodes that are its gateways to the bus: it has links with them, and they hand on what is from it and for it, which they cannot read. Each speaks with the bus itself. Without it, the node does.",
        )]
    });
    &OPTIONS
}

fn integer(value: i64) -> DefaultValue {
    DefaultValue::Value(Value::Integer(value))
}

/// An option that limits how many messages a queue holds.
pub fn queue_length(name: &str, default: i64, description: &str) -> OptionSpec {
    let (least, most) = QUEUE_LENGTH;
    OptionSpec::new(name, ValueKind::Integer, integer(default), description)
        .measured(MESSAGES, least, most)
}

/// An option that limits how many bytes of messages a queue holds.
pub fn queue_size(name: &str, default: i64, description: &str) -> OptionSpec {
    let (least, most) = QUEUE_SIZE;
    OptionSpec::new(name, ValueKind::Integer, integer(default), description)
        .measured(BYTES, least, most)
}
