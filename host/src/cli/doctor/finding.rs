//! What was found, pure: to be printed, or to be read by programs.

use serde::Serialize;

/// How bad it is, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// It is as it should be.
    Fine,
    /// It could not be looked at: nothing is said against it, and nothing for it.
    Unknown,
    /// It may be meant so, or become a fault.
    Warning,
    /// Something does not work as the file says.
    Fault,
}

impl Severity {
    /// The exit code of a command that found nothing worse.
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Fine | Self::Unknown => 0,
            Self::Warning => 1,
            Self::Fault => 2,
        }
    }
}

/// What findings are about, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Subject {
    File,
    Keys,
    Ports,
    Clock,
    Names,
    Reachability,
    Firewall,
    Tor,
    Bluetooth,
    Devices,
    Storage,
    Unit,
    Modules,
    Daemon,
    OtherFiles,
}

impl Subject {
    /// Its heading.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::File => "Configuration file",
            Self::Keys => "Keys and other files that are read",
            Self::Ports => "Ports of this node",
            Self::Clock => "Clock",
            Self::Names => "Names and DNS",
            Self::Reachability => "Ways to other nodes",
            Self::Firewall => "Firewall",
            Self::Tor => "Tor",
            Self::Bluetooth => "Bluetooth",
            Self::Devices => "Devices and groups",
            Self::Storage => "Storage",
            Self::Unit => "systemd unit",
            Self::Modules => "Modules",
            Self::Daemon => "Running daemon",
            Self::OtherFiles => "File on other nodes",
        }
    }
}

/// One thing that was looked at, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// How bad it is.
    pub(super) severity: Severity,
    /// What was looked at.
    pub(super) looked_at: String,
    /// How that is.
    pub(super) found: String,
    /// Why it matters.
    pub(super) matters: Option<String>,
    /// What to do about it.
    pub(super) advice: Option<String>,
}

impl Finding {
    fn new(severity: Severity, looked_at: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            severity,
            looked_at: looked_at.into(),
            found: found.into(),
            matters: None,
            advice: None,
        }
    }

    pub(super) fn fine(looked_at: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Severity::Fine, looked_at, found)
    }

    pub(super) fn unknown(looked_at: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Severity::Unknown, looked_at, found)
    }

    pub(super) fn warning(looked_at: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Severity::Warning, looked_at, found)
    }

    pub(super) fn fault(looked_at: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Severity::Fault, looked_at, found)
    }

    /// The same with why it matters.
    #[must_use]
    pub(super) fn matters(mut self, why: impl Into<String>) -> Self {
        self.matters = Some(why.into());
        self
    }

    /// The same with what to do about it.
    #[must_use]
    pub(super) fn advice(mut self, what: impl Into<String>) -> Self {
        self.advice = Some(what.into());
        self
    }
}

/// All that was found about one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Section {
    pub(super) subject: Subject,
    pub(super) findings: Vec<Finding>,
}

/// All that was found about a node on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Diagnosis {
    /// The node; none where nothing says which one this machine is.
    pub(super) node: Option<String>,
    /// The configuration file.
    pub(super) config: String,
    /// Why these were looked at.
    pub(super) chosen: String,
    /// What was found, in the order of the subjects. One that does not concern the node is left out.
    pub(super) sections: Vec<Section>,
}

/// How often each severity was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Counts {
    pub(super) faults: usize,
    pub(super) warnings: usize,
    pub(super) fine: usize,
    pub(super) unknown: usize,
}

impl Counts {
    pub(super) fn of(diagnoses: &[Diagnosis]) -> Self {
        let mut counts = Self::default();
        for finding in findings(diagnoses) {
            *match finding.severity {
                Severity::Fine => &mut counts.fine,
                Severity::Unknown => &mut counts.unknown,
                Severity::Warning => &mut counts.warnings,
                Severity::Fault => &mut counts.faults,
            } += 1;
        }
        counts
    }
}

/// The worst of all that was found.
pub(super) fn worst(diagnoses: &[Diagnosis]) -> Severity {
    let severities = findings(diagnoses).map(|finding| finding.severity);
    severities.max().unwrap_or(Severity::Fine)
}

fn findings(diagnoses: &[Diagnosis]) -> impl Iterator<Item = &Finding> {
    let sections = diagnoses.iter().flat_map(|diagnosis| &diagnosis.sections);
    sections.flat_map(|section| &section.findings)
}
