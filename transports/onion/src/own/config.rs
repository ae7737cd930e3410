//! From the transport's options to arti's configuration.

use std::path::Path;
use std::time::Duration;

use arti_client::config::onion_service::OnionServiceConfigBuilder;
use arti_client::config::pt::TransportConfigBuilder;
use arti_client::config::{BoolOrAuto, CfgPath, TorClientConfigBuilder};
use arti_client::{HsClientDescEncKey, TorClientConfig};
use kozo_abi::{Error, error_text};
use tor_hsservice::OnionServiceConfig;

use crate::options::OwnSettings;

/// What the keys of the service are filed under, in the state folder. It may never change: the
/// address would.
const NICKNAME: &str = "kozo";

/// How many streams a circuit of somebody else may have open at once. A node makes a link of each.
const MAX_STREAMS_PER_CIRCUIT: u32 = 8;

/// How long one stream may take to open once there is a circuit. The host's own limit for a whole
/// connection, or a little more: it is what ends an attempt.
const STREAM_LIMIT: Duration = Duration::from_secs(60);

/// The sections of arti's configuration that a description of a network may have. The others are
/// this transport's own, or of the program that arti is as well.
const NETWORK_SECTIONS: [&str; 12] = [
    "address_filter",
    "channel",
    "circuit_timing",
    "directory_tolerance",
    "download_schedule",
    "override_net_params",
    "path_rules",
    "preemptive_circuits",
    "system",
    "tor_network",
    "use_obsolete_software",
    "vanguards",
];

/// The configuration of a client that keeps everything in `folder`.
///
/// # Errors
/// A bridge, a program or the description of the network that cannot be used.
pub(super) fn client(folder: &Path, own: &OwnSettings) -> Result<TorClientConfig, Error> {
    let mut builder = match &own.network {
        Some(file) => {
            network(file).map_err(|error| format!("`network`: `{}`: {error}", file.display()))?
        }
        None => TorClientConfig::builder(),
    };
    builder
        .storage()
        .state_dir(CfgPath::new_literal(folder.join("state")))
        .cache_dir(CfgPath::new_literal(folder.join("cache")));
    builder.stream_timeouts().connect_timeout(STREAM_LIMIT);
    builder.address_filter().allow_onion_addrs(true);
    if !own.bridges.lines.is_empty() {
        let lines = own.bridges.lines.iter().cloned();
        builder.bridges().bridges().extend(lines);
        builder.bridges().enabled(BoolOrAuto::Explicit(true));
    }
    for program in &own.bridges.programs {
        let protocol = program.name.parse().map_err(|error| {
            format!(
                "`bridgePrograms`: `{}`: {}",
                program.name,
                error_text(&error)
            )
        })?;
        let mut transport = TransportConfigBuilder::default();
        transport
            .protocols(vec![protocol])
            .path(CfgPath::new_literal(&program.path));
        builder.bridges().transports().push(transport);
    }
    let built = builder.build();
    built.map_err(|error| error_text(&error).into())
}

fn network(file: &Path) -> Result<TorClientConfigBuilder, Error> {
    let text = std::fs::read_to_string(file)?;
    let sections: toml::Table = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = 1 + before.unwrap_or_default().matches('\n').count();
        format!("line {line}: {}", error.message())
    })?;
    if let Some(unknown) = sections
        .keys()
        .find(|section| !NETWORK_SECTIONS.contains(&section.as_str()))
    {
        return Err(format!(
            "`{unknown}` does not describe a network: it may have {}",
            NETWORK_SECTIONS
                .map(|section| format!("`{section}`"))
                .join(", ")
        )
        .into());
    }
    // It names the option in a line of its own.
    let read = sections.try_into();
    read.map_err(|error: toml::de::Error| error.to_string().trim().replace('\n', " ").into())
}

/// The configuration of the node's onion service; with keys, only those who have one of them find
/// it.
///
/// # Errors
/// None, unless arti changes its mind about what is valid.
pub(super) fn service(only_for: &[HsClientDescEncKey]) -> Result<OnionServiceConfig, Error> {
    let mut builder = OnionServiceConfigBuilder::default();
    builder
        .nickname(NICKNAME.parse()?)
        .max_concurrent_streams_per_circuit(MAX_STREAMS_PER_CIRCUIT);
    if !only_for.is_empty() {
        builder.restricted_discovery().enabled(true);
    }
    for (number, key) in only_for.iter().enumerate() {
        let name = format!("client{number}").parse()?;
        let keys = builder.restricted_discovery().static_keys().access();
        keys.push((name, key.clone()));
    }
    let built = builder.build();
    built.map_err(|error| error_text(&error).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(network: &str) -> (tempfile::TempDir, OwnSettings) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("net.toml");
        std::fs::write(&file, network).unwrap();
        let own = OwnSettings {
            network: Some(file),
            ..OwnSettings::default()
        };
        (folder, own)
    }

    fn error(own: &OwnSettings) -> String {
        client(Path::new("/nowhere"), own).unwrap_err().to_string()
    }

    #[test]
    fn a_network_may_be_described_and_nothing_else() {
        let (_folder, good) = own("[path_rules]\nipv4_subnet_family_prefix = 33\n");
        client(Path::new("/nowhere"), &good).unwrap();
        for (text, expected) in [
            (
                "[storage]\nstate_dir = '/'\n",
                "`storage` does not describe a network",
            ),
            (
                "[path_rules]\nipv4_subnet_family_prefix = 'x'\n",
                "net.toml",
            ),
            ("\n[path_rules\n", "line 2: "),
        ] {
            let (_folder, bad) = own(text);
            let error = error(&bad);
            assert!(
                error.starts_with("`network`: ") && error.contains(expected),
                "{error}"
            );
        }
        let missing = OwnSettings {
            network: Some("/no/such/file".into()),
            ..OwnSettings::default()
        };
        assert!(error(&missing).contains("`/no/such/file`: No such file"));
    }
}
