//! Devices that the node's roles use, and whether the daemon's user may.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use kozo_access::{Wish, hindrance};
use kozo_description::Claimed;

use super::case::{Case, Described};
use super::finding::Finding;

/// How claims of pins begin in the metadata of modules.
const PINS: [&str; 2] = ["GPIO line ", "line "];

/// What pins are reached by: chips of the kernel, and the registers of a Raspberry Pi.
const PIN_DEVICES: [&str; 2] = ["gpiochip", "gpiomem"];

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let Some(described) = case.described() else {
        return Vec::new();
    };
    let mut findings = pins(case, described);
    for (of, device) in named(described) {
        let looked_at = format!("`{device}` ({of})");
        findings.push(usable(case, &device, looked_at));
    }
    findings
}

fn pins(case: &Case, described: Described<'_>) -> Vec<Finding> {
    let claims = described.claims();
    let mut users = claims.iter().filter(|claim| match &claim.claimed {
        Claimed::Resource(name) => {
            PINS.iter().any(|start| name.starts_with(start)) && name.contains("GPIO")
        }
        _ => false,
    });
    let Some(user) = users.next() else {
        return Vec::new();
    };
    let devices: Vec<String> = case
        .machine
        .names("/dev")
        .into_iter()
        .filter(|name| PIN_DEVICES.iter().any(|start| name.starts_with(start)))
        .collect();
    if devices.is_empty() {
        return vec![
            Finding::fault(format!("pins ({})", user.of), "this machine has none that the kernel shows")
                .matters("roles that read or set pins fail")
                .advice("see docs/gpio.md for what a board needs; a container has to be given `/dev/gpiochip*`"),
        ];
    }
    devices
        .into_iter()
        .map(|name| {
            let device = format!("/dev/{name}");
            usable(case, &device, format!("`{device}` (pins)"))
        })
        .collect()
}

/// The devices that options of roles name.
fn named(described: Described<'_>) -> Vec<(String, String)> {
    let mut devices = Vec::new();
    for role in &described.node.roles {
        let options = role.options.iter().flat_map(|options| options.iter());
        for (_, value) in options {
            let texts = value.texts().filter(|text| text.starts_with("/dev/"));
            let of = format!("role `{}`", role.name);
            devices.extend(texts.map(|text| (of.clone(), text.to_owned())));
        }
    }
    devices.sort();
    devices.dedup();
    devices
}

fn usable(case: &Case, device: &str, looked_at: String) -> Finding {
    let path = case.machine.path(device);
    let Ok(metadata) = path.metadata() else {
        return Finding::fault(looked_at, "it is not there")
            .matters("the role that uses it fails")
            .advice(
                "is it plugged in, and called so? names under `/dev/serial/by-id` stay the same",
            );
    };
    let person = &case.person;
    match hindrance(&path, &person.user, Wish::ReadWrite) {
        Ok(None) => Finding::fine(looked_at, format!("the user `{}` may use it", person.name)),
        Ok(Some(_)) => Finding::fault(
            looked_at,
            format!("the user `{}` may not use it", person.name),
        )
        .matters("the role that uses it fails")
        .advice(advice(
            case,
            &path,
            metadata.gid(),
            metadata.file_type().is_char_device(),
        )),
        Err(error) => Finding::unknown(looked_at, error.to_string()),
    }
}

fn advice(case: &Case, path: &Path, group: u32, is_device: bool) -> String {
    let (group, user) = (case.machine.group_name(group), &case.person.name);
    if is_device && group != "root" {
        format!(
            "`usermod -aG {group} {user}` and restart the node; a unit also has to let the device in \
             (`DeviceAllow=`, `SupplementaryGroups={group}`)"
        )
    } else {
        format!(
            "let `{user}` read and write `{}`, by a rule of udev",
            path.display()
        )
    }
}
