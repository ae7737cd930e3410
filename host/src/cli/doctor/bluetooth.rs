//! Bluetooth: the daemon, the adapter, the switches, and who may use them. Nothing is asked by radio.

use kozo_description::ModuleKind;

use super::case::{Case, Described};
use super::finding::Finding;
use super::machine::Machine;

/// The modules that use it, and whether they are roles.
const MODULES: [(ModuleKind, &str); 2] = [
    (ModuleKind::Transport, "bluetooth"),
    (ModuleKind::Role, "bluetooth-discover"),
];

const ADAPTERS: &str = "/sys/class/bluetooth";
const SWITCHES: &str = "/sys/class/rfkill";
const BUS: &str = "/run/dbus/system_bus_socket";

/// Where policies of D-Bus may be; one of Kōzō's lets its user talk to `bluetoothd`.
const POLICIES: [&str; 2] = ["/usr/share/dbus-1/system.d", "/etc/dbus-1/system.d"];

/// The group that bluez' own policy lets talk to it.
const GROUP: &str = "bluetooth";

const MATTERS: &str = "what goes by Bluetooth does not work";

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let uses = |it: Described<'_>| MODULES.into_iter().any(|(kind, name)| it.uses(kind, name));
    if !case.described().is_some_and(uses) {
        return Vec::new();
    }
    let mut findings = vec![daemon(&case.machine)];
    findings.extend(adapters(&case.machine));
    findings.extend(switches(&case.machine));
    findings.push(policy(case));
    findings.extend(unit(case));
    findings
}

fn daemon(machine: &Machine) -> Finding {
    const WHAT: &str = "bluetoothd";
    if machine.runs("bluetoothd") {
        return Finding::fine(WHAT, "it runs");
    }
    let found = match machine.has(BUS) {
        true => "it does not run, as far as can be seen",
        false => "it does not run, and neither does D-Bus",
    };
    Finding::fault(WHAT, found)
        .matters(MATTERS)
        .advice("`systemctl enable --now bluetooth` starts it; the package `bluez` has it")
}

fn adapters(machine: &Machine) -> Vec<Finding> {
    let names = machine.names(ADAPTERS).into_iter();
    // Connections are there, too: `hci0:11`.
    let adapters: Vec<String> = names.filter(|name| !name.contains(':')).collect();
    if adapters.is_empty() {
        return vec![
            Finding::fault(
                "adapter",
                "this machine has no Bluetooth adapter that the kernel knows",
            )
            .matters(MATTERS)
            .advice(
                "plug one in; `dmesg | grep -i bluetooth` says what became of one that is there",
            ),
        ];
    }
    let found = "the kernel knows it";
    adapters
        .into_iter()
        .map(|name| Finding::fine(format!("adapter `{name}`"), found))
        .collect()
}

/// The switches for radios that are set.
fn switches(machine: &Machine) -> Vec<Finding> {
    let of_bluetooth = machine.names(SWITCHES).into_iter().filter(|name| {
        let kind = machine.read(&format!("{SWITCHES}/{name}/type"));
        kind.is_ok_and(|kind| kind.trim() == "bluetooth")
    });
    let set = of_bluetooth.filter_map(|name| {
        let is_set = |kind| machine.number(&format!("{SWITCHES}/{name}/{kind}")) == Some(1);
        let advice = match (is_set("hard"), is_set("soft")) {
            (true, _) => "turn the switch of the machine, or see its BIOS",
            (false, true) => "`rfkill unblock bluetooth`",
            (false, false) => return None,
        };
        Some(
            Finding::fault(format!("switch `{name}`"), "it keeps Bluetooth off")
                .matters(MATTERS)
                .advice(advice),
        )
    });
    set.collect()
}

/// Whether D-Bus lets the daemon's user talk to `bluetoothd`.
fn policy(case: &Case) -> Finding {
    let (machine, person) = (&case.machine, &case.person);
    let looked_at = format!("rights of the user `{}`", person.name);
    if person.is_root() {
        return Finding::fine(looked_at, "root may talk to bluetoothd");
    }
    let mut groups = person.user.groups.iter();
    if groups.any(|group| machine.group_name(*group) == GROUP) {
        return Finding::fine(looked_at, format!("it is in the group `{GROUP}`"));
    }
    let of_user = format!("user=\"{}\"", person.name);
    let has_policy = POLICIES.iter().any(|folder| {
        machine.names(folder).iter().any(|name| {
            let text = machine
                .read(&format!("{folder}/{name}"))
                .unwrap_or_default();
            text.contains(&of_user) && text.contains("org.bluez")
        })
    });
    if has_policy {
        return Finding::fine(looked_at, "a policy of D-Bus lets it talk to bluetoothd");
    }
    Finding::warning(
        looked_at,
        format!("it is not in the group `{GROUP}`, and no policy of D-Bus names it"),
    )
    .matters("bluetoothd may refuse to talk to the daemon")
    .advice(format!(
        "install `kozo-bluetooth`, or `usermod -aG {GROUP} {}` and restart the node",
        person.name
    ))
}

/// Whether the unit lets the daemon have Bluetooth sockets.
fn unit(case: &Case) -> Option<Finding> {
    let unit = case.unit.as_ref().ok()?;
    let families = unit.property("RestrictAddressFamilies")?;
    let looked_at = unit.name();
    Some(match families.split_whitespace().any(|family| family == "AF_BLUETOOTH") || families.starts_with('~') {
        true => Finding::fine(looked_at, "it allows Bluetooth sockets"),
        false => Finding::fault(looked_at, "it allows no Bluetooth sockets")
            .matters(MATTERS)
            .advice("install `kozo-bluetooth`, or its drop-in `bluetooth.conf` (see /usr/share/doc/kozo/examples)"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::super::machine::tests::machine;
    use super::*;

    fn worst(findings: &[Finding]) -> Severity {
        findings
            .iter()
            .map(|it| it.severity)
            .max()
            .unwrap_or(Severity::Fine)
    }

    #[test]
    fn a_machine_without_a_radio_is_told_of() {
        let (_folder, none) = machine(&[]);
        assert_eq!(worst(&adapters(&none)), Severity::Fault);
        assert!(daemon(&none).found.contains("D-Bus"));
        assert!(switches(&none).is_empty());
    }

    #[test]
    fn switches_that_are_set_are_told_of_with_how_to_turn_them() {
        let switch = |soft, hard| {
            let (_folder, machine) = machine(&[
                ("/sys/class/bluetooth/hci0/uevent", ""),
                ("/sys/class/bluetooth/hci0:11/uevent", ""),
                ("/proc/9/comm", "bluetoothd\n"),
                ("/sys/class/rfkill/rfkill0/type", "wlan\n"),
                ("/sys/class/rfkill/rfkill0/soft", "1\n"),
                ("/sys/class/rfkill/rfkill1/type", "bluetooth\n"),
                ("/sys/class/rfkill/rfkill1/soft", soft),
                ("/sys/class/rfkill/rfkill1/hard", hard),
            ]);
            assert_eq!(daemon(&machine).severity, Severity::Fine);
            assert_eq!(adapters(&machine).len(), 1);
            switches(&machine).pop().and_then(|finding| finding.advice)
        };
        assert_eq!(switch("0\n", "0\n"), None);
        assert!(switch("1\n", "0\n").unwrap().contains("rfkill unblock"));
        assert!(switch("1\n", "1\n").unwrap().contains("BIOS"));
    }
}
