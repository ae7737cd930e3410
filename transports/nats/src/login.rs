//! Who this node is for a server: a user with a password, a token, a key, or credentials (a key with what an account
//! says about it). The files are read anew for each connection: they are renewed.

use std::path::{Path, PathBuf};

use base64ct::{Base64UrlUnpadded, Encoding};
use kozo_tls::{FileFault, first_line, read_secret};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::Serialize;

use crate::fault::Fault;

/// What the options name; never more than one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Login {
    None,
    Password { user: String, file: PathBuf },
    Token(PathBuf),
    Key(PathBuf),
    Credentials(PathBuf),
}

/// The fields of `CONNECT` that say who this is.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Proof {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pass: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nkey: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sig: Option<String>,
    /// What the credentials say about how long they hold, in words.
    #[serde(skip)]
    pub(crate) about: String,
}

impl Login {
    /// Proves to a server who this is; `nonce` is what it wants to have signed.
    ///
    /// # Errors
    /// A file cannot be used, or the server wants nothing signed.
    pub(crate) fn prove(&self, nonce: Option<&str>) -> Result<Proof, Fault> {
        let signed = |option, path: &Path, text: &str| {
            let key = Key::parse(text)
                .map_err(|reason| Fault::File(FileFault::unusable(option, path, &reason)))?;
            let nonce = nonce
                .filter(|nonce| !nonce.is_empty())
                .ok_or(Fault::NoNonce)?;
            Ok::<_, Fault>((key.public_key(), key.sign(nonce)))
        };
        match self {
            Self::None => Ok(Proof::default()),
            Self::Password { user, file } => Ok(Proof {
                user: Some(user.clone()),
                pass: Some(line("passwordFile", file)?),
                ..Proof::default()
            }),
            Self::Token(file) => Ok(Proof {
                auth_token: Some(line("tokenFile", file)?),
                ..Proof::default()
            }),
            Self::Key(file) => {
                let text = text("nkeyFile", file)?;
                let seed = text
                    .lines()
                    .map(str::trim)
                    .find(|line| line.starts_with('S'));
                let (nkey, sig) = signed("nkeyFile", file, seed.unwrap_or_default())?;
                Ok(Proof {
                    nkey: Some(nkey),
                    sig: Some(sig),
                    ..Proof::default()
                })
            }
            Self::Credentials(file) => {
                let text = text("credentialsFile", file)?;
                let between = |name| {
                    section(&text, name).ok_or_else(|| {
                        let reason = format!("there is no `BEGIN {name}` in it");
                        Fault::File(FileFault::unusable("credentialsFile", file, &reason))
                    })
                };
                let jwt = between("NATS USER JWT")?;
                let (_, sig) = signed("credentialsFile", file, between("USER NKEY SEED")?)?;
                Ok(Proof {
                    about: expiry(jwt)
                        .map(|end| format!(" (the credentials say that they hold until {end})"))
                        .unwrap_or_default(),
                    jwt: Some(jwt.to_owned()),
                    sig: Some(sig),
                    ..Proof::default()
                })
            }
        }
    }
}

fn text(option: &str, path: &Path) -> Result<String, Fault> {
    let bytes = read_secret(option, path)?;
    String::from_utf8(bytes).map_err(|_| FileFault::unusable(option, path, &"it is no text").into())
}

fn line(option: &str, path: &Path) -> Result<String, Fault> {
    let line = first_line(text(option, path)?.into_bytes());
    match line.is_empty() {
        true => Err(FileFault::unusable(option, path, &"its first line is empty").into()),
        // What was a text up to a line feed is one.
        false => Ok(String::from_utf8_lossy(&line).into_owned()),
    }
}

/// What stands between `-----BEGIN NAME-----` and the next such line, which has some dashes more in some files.
fn section<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("BEGIN {name}-"))?;
    let (_, rest) = rest.split_once('\n')?;
    let (inside, _) = rest.split_once("---")?;
    let inside = inside.trim();
    (!inside.is_empty() && !inside.contains(char::is_whitespace)).then_some(inside)
}

/// When credentials expire. Nothing is decided by that: it is for people.
fn expiry(jwt: &str) -> Option<jiff::Timestamp> {
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: Option<i64>,
    }
    let claims = jwt.split('.').nth(1)?;
    let claims = Base64UrlUnpadded::decode_vec(claims).ok()?;
    let end = serde_json::from_slice::<Claims>(&claims).ok()?.exp?;
    jiff::Timestamp::from_second(end).ok()
}

/// A user's key, as NATS writes it: base32 of two bytes that say what it is, the seed, and a checksum.
struct Key(Ed25519KeyPair);

const SEED: u8 = 18 << 3;
const USER: u8 = 20 << 3;

impl Key {
    fn parse(text: &str) -> Result<Self, &'static str> {
        const NONE: &str = "there is no seed of a user in it, which begins with `SU`";
        let bytes = base32_decode(text).ok_or(NONE)?;
        let (body, sum) = bytes.split_last_chunk::<2>().ok_or(NONE)?;
        if u16::from_le_bytes(*sum) != crc16(body) {
            return Err("there is no seed in it, or a letter of it is wrong");
        }
        match body {
            [first, second, seed @ ..]
                if first & 0xf8 == SEED && (first & 7) << 5 | second >> 3 == USER =>
            {
                let key = Ed25519KeyPair::from_seed_unchecked(seed);
                key.map(Self).map_err(|_| NONE)
            }
            _ => Err(NONE),
        }
    }

    fn public_key(&self) -> String {
        let mut bytes = vec![USER];
        bytes.extend_from_slice(self.0.public_key().as_ref());
        let sum = crc16(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        base32_encode(&bytes)
    }

    fn sign(&self, nonce: &str) -> String {
        Base64UrlUnpadded::encode_string(self.0.sign(nonce.as_bytes()).as_ref())
    }
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut count) = (0u32, 0);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        bits = bits << 5 | u32::try_from(value).ok()?;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

fn base32_encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut bits, mut count) = (0u32, 0);
    let mut push = |value: u32| text.push(char::from(ALPHABET[(value & 31) as usize]));
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            push(bits >> count);
        }
    }
    if count > 0 {
        push(bits << (5 - count));
    }
    text
}

/// CRC-16 as XMODEM has it.
fn crc16(bytes: &[u8]) -> u16 {
    let mut crc = 0u16;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = match crc & 0x8000 {
                0 => crc << 1,
                _ => crc << 1 ^ 0x1021,
            };
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    // Made with `nk -gen user`.
    const SEED_TEXT: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

    #[test]
    fn keys_are_read_as_nats_writes_them() {
        let key = Key::parse(SEED_TEXT).unwrap();
        assert_eq!(key.public_key(), PUBLIC);
        for text in [
            "",
            "SU",
            "x",
            PUBLIC,
            &SEED_TEXT[1..],
            &SEED_TEXT.replace('V', "W"),
        ] {
            assert!(Key::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn credentials_are_read_with_what_they_say_about_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.creds");
        let claims = Base64UrlUnpadded::encode_string(br#"{"exp": 1700000000, "sub": "U"}"#);
        let jwt = format!("eyJ0.{claims}.c2ln");
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n*** IMPORTANT ***\n\n\
             -----BEGIN USER NKEY SEED-----\n{SEED_TEXT}\n------END USER NKEY SEED------\n"
        );
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        write(&text);
        let login = Login::Credentials(path.clone());
        let proof = login.prove(Some("nonce")).unwrap();
        assert_eq!(proof.jwt, Some(jwt));
        assert!(
            proof.about.contains("2023-11-14T22:13:20Z"),
            "{}",
            proof.about
        );
        assert_eq!(login.prove(None).unwrap_err(), Fault::NoNonce);
        write(&text.replace("BEGIN USER NKEY SEED", "BEGIN SOMETHING"));
        let fault = login.prove(Some("nonce")).unwrap_err();
        assert!(
            fault.to_string().contains("no `BEGIN USER NKEY SEED`"),
            "{fault}"
        );
        assert!(fault.is_here());
    }

    #[test]
    fn a_checksum_is_that_of_xmodem() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }
}
