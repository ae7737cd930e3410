//! Bridges: ways into the Tor network that are not listed in public, some of them through a program
//! that disguises the connection.

use arti_client::config::BridgeConfigBuilder;
use kozo_abi::Error;

/// What lines call a bridge that is connected to as it is.
const DIRECT: [&str; 3] = ["", "-", "bridge"];

/// Bridges, and all the programs that they need.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bridges {
    pub(crate) lines: Vec<BridgeConfigBuilder>,
    pub(crate) programs: Vec<Program>,
}

/// A program that disguises connections to bridges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// What bridge lines call the disguise: `obfs4`.
    pub(crate) name: String,
    /// The program.
    pub(crate) path: String,
}

impl Bridges {
    /// Reads the options `bridges` and `bridgePrograms`.
    ///
    /// # Errors
    /// A line that describes no bridge, or one that needs a program which is not named; a program
    /// that is not written as `NAME=PATH`.
    pub(crate) fn read(lines: &[String], programs: &[String]) -> Result<Self, Error> {
        let programs: Vec<_> = programs
            .iter()
            .map(|text| program(text))
            .collect::<Result<_, _>>()?;
        let lines = lines.iter().map(|line| bridge(line, &programs));
        Ok(Self {
            lines: lines.collect::<Result<_, _>>()?,
            programs,
        })
    }
}

fn bridge(line: &str, programs: &[Program]) -> Result<BridgeConfigBuilder, Error> {
    let fault = |reason: &str| -> Error {
        format!("`bridges`: `{line}` is no bridge, which is `ADDRESS:PORT FINGERPRINT`, or `PROGRAM ADDRESS:PORT FINGERPRINT …`: {reason}").into()
    };
    let bridge: BridgeConfigBuilder =
        line.parse()
            .map_err(|error: <BridgeConfigBuilder as std::str::FromStr>::Err| {
                fault(&error.to_string())
            })?;
    // The parser does not miss what is not there.
    if line.split_whitespace().count() < 2 {
        return Err(fault("it has no fingerprint"));
    }
    bridge.build().map_err(|error| fault(&error.to_string()))?;
    let disguise = bridge.get_transport().unwrap_or_default();
    let is_known = DIRECT.contains(&disguise) || programs.iter().any(|one| one.name == disguise);
    if !is_known {
        return Err(format!(
            "`bridges`: `{line}` needs a program for `{disguise}`: name it in `bridgePrograms`: `{disguise}=/usr/bin/obfs4proxy`, say"
        )
        .into());
    }
    Ok(bridge)
}

fn program(text: &str) -> Result<Program, Error> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && path.starts_with('/') => Ok(Program {
            name: name.to_owned(),
            path: path.to_owned(),
        }),
        _ => Err(format!(
            "`bridgePrograms`: `{text}` is not of the form `NAME=PATH`: `obfs4=/usr/bin/obfs4proxy`, say"
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "192.0.2.55:38114 316E643333645F6D79216558614D3931657A5F5F";

    fn read(line: &str, programs: &[&str]) -> Result<Bridges, String> {
        let programs: Vec<_> = programs.iter().map(|&text| text.to_owned()).collect();
        Bridges::read(&[line.to_owned()], &programs).map_err(|error| error.to_string())
    }

    #[test]
    fn bridges_are_read_as_tors_own_lines() {
        assert_eq!(read(PLAIN, &[]).unwrap().lines.len(), 1);
        read(&format!("Bridge {PLAIN}"), &[]).unwrap();
        let disguised = format!("obfs4 {PLAIN} cert=AAAA iat-mode=0");
        let bridges = read(&disguised, &["obfs4=/usr/bin/obfs4proxy"]).unwrap();
        assert_eq!(bridges.programs[0].path, "/usr/bin/obfs4proxy");
    }

    #[test]
    fn what_is_no_bridge_is_told_so_with_the_option() {
        let error = |line: &str, programs: &[&str]| read(line, programs).unwrap_err();
        for line in ["", "192.0.2.55", "192.0.2.55:38114", "192.0.2.55:38114 xyz"] {
            let error = error(line, &[]);
            assert!(
                error.starts_with(&format!("`bridges`: `{line}` is no bridge")),
                "{error}"
            );
        }
        let disguised = format!("obfs4 {PLAIN} cert=AAAA iat-mode=0");
        let error_of_program = error(&disguised, &["snowflake=/usr/bin/snowflake"]);
        assert!(
            error_of_program.contains("needs a program for `obfs4`: name it in `bridgePrograms`"),
            "{error_of_program}"
        );
        assert!(error(PLAIN, &["obfs4proxy"]).contains("of the form `NAME=PATH`"));
    }
}
