//! Which options of the file hold secrets, by their names.

/// An option with one of these in its name holds a secret, however it is written.
const PARTS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "credential",
    "apikey",
    "api_key",
    "authkey",
    "bearer",
    "psk",
];

/// The same, where that is all of the name. Bridges to Tor are for those who know them.
const NAMES: [&str; 3] = ["pass", "auth", "bridges"];

/// Whether the option of this name, or the entry of one, holds a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    PARTS.iter().any(|part| lower.contains(part)) || NAMES.contains(&lower.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_however_they_are_written() {
        for name in ["password", "API_TOKEN", "clientSecret", "wifiPsk", "Pass"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["port", "passage", "author", "privateKey"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
