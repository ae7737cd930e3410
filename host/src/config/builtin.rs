//! The tables of all options that are Kōzō's own, the one place where they are described.

use std::sync::LazyLock;

use kozo_auth::algorithms::{CIPHERS, MACS};

use super::disclosure::Disclosure;
use kozo_description::common::{queue_length, queue_size};
use kozo_description::{BYTES, DefaultValue, Format, KIB, MIB, OptionSpec, Value, ValueKind};

use DefaultValue::{None as Nothing, Required};

/// The option of a node that names those with whom it has links in spite of a common bus.
pub(super) const DIRECT: &str = "direct";

/// The block of a node with root options for this node alone.
pub(super) const OVERRIDE: &str = "overrideMainConfiguration";

const CONNECT_POLICIES: [&str; 3] = ["constant", "ondemand", "never"];

const SECONDS: &str = "seconds";

/// The shortest time that an option may ask for: below it, a network would do nothing else.
const SHORTEST: f64 = 0.1;
const DAY: f64 = 86_400.0;
const WEEK: f64 = 7.0 * DAY;
const YEAR: f64 = 365.0 * DAY;

/// The options at the root of the file.
pub fn root() -> &'static [OptionSpec] {
    static OPTIONS: LazyLock<Vec<OptionSpec>> = LazyLock::new(|| {
        let mut options = vec![OptionSpec::new(
            "system",
            ValueKind::Block,
            Required,
            "The network: a block for each node, under the node's name.",
        )];
        options.push(OptionSpec::new(
            "buses",
            ValueKind::Block,
            Nothing,
            "The buses: a block for each engine that carries messages between nodes (docs/fleet.md), under the bus's name. A node is on a bus when one of its `transports` is called so.",
        ));
        options.extend(settings().iter().cloned());
        options
    });
    &OPTIONS
}

/// The root options but `system`; a node's `overrideMainConfiguration` takes these.
pub fn settings() -> &'static [OptionSpec] {
    static OPTIONS: LazyLock<Vec<OptionSpec>> = LazyLock::new(|| {
        vec![
            seconds("heartbeat", 10, DAY, "How often a node lets each connected node know that it is there. One that is silent for three of its heartbeats is gone."),
            seconds("connectionRetry", 60, WEEK, "The longest wait between two attempts to connect; the first ones come sooner."),
            queue_length("outgoingQueueLength", 128, "How many messages wait for a node that cannot be reached, for each node. A further one pushes the oldest out."),
            queue_size("outgoingQueueSize", 4 * MIB, "How many bytes of messages wait for a node that cannot be reached, for each node."),
            OptionSpec::new(
                "maxBufferReadSize",
                ValueKind::Integer,
                integer(64 * KIB),
                "How much is read from a link at a time, and the largest SSH packet that is asked for. A longer message has more time to arrive, in proportion.",
            )
            .measured(BYTES, 4.0 * KIB as f64, 16.0 * MIB as f64),
            OptionSpec::new(
                "cipher",
                ValueKind::List,
                Nothing,
                "The ciphers that links may use, the best first. Without it, the ones that this processor is fastest at come first. Two nodes need one in common.",
            )
            .one_of(&CIPHERS),
            OptionSpec::new(
                "hmac",
                ValueKind::List,
                Nothing,
                "The message authentication codes that links may use, the best first. The `gcm` and `poly1305` ciphers need none. Two nodes need one in common.",
            )
            .one_of(&MACS),
            OptionSpec::new(
                "sshOnly",
                ValueKind::Boolean,
                DefaultValue::Value(Value::Boolean(false)),
                "Whether links speak SSH all the time. Otherwise two nodes that may both do so go over to Noise, with the same cipher, as soon as SSH has proven who they are: it costs less. Only where that cipher is AES-256-GCM or ChaCha20-Poly1305.",
            ),
            folders("rolePath", "Folders with role modules, looked through before the installed ones and after those of the variable `KOZOROLEPATH`."),
            folders("transportPath", "Folders with transport modules, looked through before the installed ones and after those of the variable `KOZOTRANSPORTPATH`."),
            folders("importPath", "Folders with libraries that modules need, looked through after those of the variable `KOZOIMPORTPATH`."),
            seconds("messageMaxAge", 300, YEAR, "How old an event or a log message may be when it is handed to a node. Older ones are dropped, and counted."),
            seconds("orderMaxAge", 30, YEAR, "How old an order may be when it is handed to a node. Older ones are dropped, and counted: nobody wants the garage opened an hour later."),
            seconds("idleTimeout", 60, YEAR, "How long a link that is made on demand may be idle before it is closed."),
        ]
    });
    &OPTIONS
}

/// The options of the block of a group: those of a node but its key, which stands in the file of members.
pub(super) fn group() -> &'static [OptionSpec] {
    static OPTIONS: LazyLock<Vec<OptionSpec>> = LazyLock::new(|| {
        let mut options = node().to_vec();
        for option in &mut options {
            if option.name == "publicKey" {
                option.default = Nothing;
            }
        }
        options
    });
    &OPTIONS
}

/// The options of a node block.
pub fn node() -> &'static [OptionSpec] {
    static OPTIONS: LazyLock<Vec<OptionSpec>> = LazyLock::new(|| {
        vec![
            OptionSpec::new("privateKey", ValueKind::Path, Required, "The file with the node's private SSH key. It is on that node only, so all nodes may have the same path here."),
            OptionSpec::new("publicKey", ValueKind::PublicKeys, Required, "The public half of that key, as the line in its `.pub` file: `ssh-ed25519`, `ecdsa-sha2-nistp256` (384, 521), or `ssh-rsa` of 2048 to 8192 bits. A list while one key replaces another."),
            OptionSpec::new("members", ValueKind::Path, Nothing, "A file that makes the block one of a group of nodes that are alike (docs/fleet.md): on each line the name of a node and its public key, `NAME ssh-ed25519 AAAA... comment`; several lines for several keys; lines that are empty or begin with `#` mean nothing. Each is a node with this block. In place of `publicKey`."),
            OptionSpec::new("roleStorage", ValueKind::Path, Nothing, "The folder in which the node's roles keep what they have to remember. Required when one of its roles does."),
            OptionSpec::new("transportStorage", ValueKind::Path, Nothing, "The folder in which the node's transports keep their own files, such as the keys of an onion address: each in a folder `NODE.TRANSPORT`. Without it, the first that fits of: the state folder that systemd gives the service (`$STATE_DIRECTORY`), `/var/lib/kozo` for root and for the user that it belongs to, `kozo` in the user's state folder (`$XDG_STATE_HOME`, else `~/.local/state`)."),
            OptionSpec::new("selfToOthersConnectPolicy", ValueKind::Text, text("constant"), "When this node connects to others. `constant`: it keeps a link at all times. `ondemand`: it makes one when there is a message. `never`: it makes none.").one_of(&CONNECT_POLICIES),
            OptionSpec::new("othersToSelfConnectPolicy", ValueKind::Text, text("constant"), "When other nodes connect to this one. `constant`: they keep a link at all times. `ondemand`: they make one when there is a message. `never`: they make none.").one_of(&CONNECT_POLICIES),
            OptionSpec::new("introspection", ValueKind::Text, text("status"), "What the node tells other nodes of itself when they ask. `none`: nothing. `status`: how its roles, links and transports are. `full`: also why there is a link with a peer, or none, and what happened with it lately.").one_of(&Disclosure::ALL.map(Disclosure::name)),
            OptionSpec::new("introspectionFor", ValueKind::List, Nothing, "Which nodes it tells that, by their names, in which `*` stands for any run of characters. All nodes of the network without it."),
            OptionSpec::new("metrics", ValueKind::Text, Nothing, "Where the node listens for those who collect metrics, Prometheus say, in plain HTTP (docs/metrics.md). Whoever reaches it reads them: let that be this machine itself, as with `127.0.0.1:9464`. Without it, nowhere.").formatted(Format::ListeningEndpoint),
            OptionSpec::new("overrideMainConfiguration", ValueKind::Block, Nothing, "Root options, all but `system`, with values for this node alone."),
            OptionSpec::new(DIRECT, ValueKind::List, Nothing, "The nodes that this one has links with although they are on a bus together, by their names, in which `*` stands for any run of characters. It is enough when one of the two says so. Without it, such nodes exchange everything over the bus."),
            OptionSpec::new("roles", ValueKind::Block, Nothing, "A block for each role of the node, under the role's name."),
            OptionSpec::new("transports", ValueKind::Block, Nothing, "A block for each transport of the node, under the transport's name; and one for each bus that it is on, under the bus's name."),
        ]
    });
    &OPTIONS
}

fn integer(value: i64) -> DefaultValue {
    DefaultValue::Value(Value::Integer(value))
}

fn text(value: &str) -> DefaultValue {
    DefaultValue::Value(Value::Text(value.to_owned()))
}

fn seconds(name: &str, default: u32, longest: f64, description: &str) -> OptionSpec {
    let default = DefaultValue::Value(Value::Number(f64::from(default)));
    OptionSpec::new(name, ValueKind::Number, default, description)
        .measured(SECONDS, SHORTEST, longest)
}

fn folders(name: &str, description: &str) -> OptionSpec {
    let empty = DefaultValue::Value(Value::List(Vec::new()));
    OptionSpec::new(name, ValueKind::Paths, empty, description)
}
