//! The client's side of SCRAM (RFC 5802, RFC 7677): it proves that it knows the password without telling it, and
//! has the server prove that it knows it, too.

use std::num::NonZeroU32;

use base64ct::{Base64, Encoding};
use ring::{digest, hmac, pbkdf2, rand};

/// How many rounds of hashing a server may ask for. Servers have 4,096 to some 100,000; a million takes a second or so.
const MAX_ROUNDS: u32 = 1_000_000;

const NONCE: usize = 18;

/// Which hash is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        }
    }
}

/// What binds the login to the encrypted connection that it goes over (RFC 9266), so that nobody can be between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Binding {
    /// The two ends use it.
    Exporter(Vec<u8>),
    /// This end could, but the server has not offered to.
    NotOffered,
    /// This end cannot.
    None,
}

impl Binding {
    fn header(&self) -> &'static str {
        match self {
            Self::Exporter(_) => "p=tls-exporter,,",
            Self::NotOffered => "y,,",
            Self::None => "n,,",
        }
    }

    /// The header and the data, as the proof has them.
    fn input(&self) -> String {
        let mut input = self.header().as_bytes().to_vec();
        if let Self::Exporter(data) = self {
            input.extend_from_slice(data);
        }
        Base64::encode_string(&input)
    }
}

/// Why a login does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// What the server said is no SCRAM.
    NotUnderstood(&'static str),
    /// The server does not know the password.
    FalseServer,
    /// The password cannot be used.
    Password,
    /// The system gives no random numbers.
    Random,
}

/// A login that is going on.
#[derive(Debug)]
pub(crate) struct Scram {
    hash: Hash,
    binding: Binding,
    password: String,
    nonce: String,
    /// The first message, without what it says about the binding.
    first: String,
    server: Server,
}

/// What is known of the server.
#[derive(Debug)]
enum Server {
    /// Nothing yet.
    Unknown,
    /// It has to prove that it knows the password, with a signature of `message`.
    HasToProve { key: hmac::Key, message: String },
    /// It has done so.
    Proven,
}

impl Scram {
    pub(crate) fn new(
        hash: Hash,
        binding: Binding,
        user: &str,
        password: &str,
    ) -> Result<Self, Fault> {
        let random: [u8; NONCE] = rand::generate(&rand::SystemRandom::new())
            .map_err(|_| Fault::Random)?
            .expose();
        Self::with_nonce(
            hash,
            binding,
            user,
            password,
            Base64::encode_string(&random),
        )
    }

    fn with_nonce(
        hash: Hash,
        binding: Binding,
        user: &str,
        password: &str,
        nonce: String,
    ) -> Result<Self, Fault> {
        let user = stringprep::saslprep(user).map_err(|_| Fault::Password)?;
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let password = stringprep::saslprep(password).map_err(|_| Fault::Password)?;
        if password.is_empty() {
            return Err(Fault::Password);
        }
        Ok(Self {
            hash,
            binding,
            password: password.into_owned(),
            first: format!("n={user},r={nonce}"),
            nonce,
            server: Server::Unknown,
        })
    }

    /// What this end says first.
    pub(crate) fn initial(&self) -> String {
        format!("{}{}", self.binding.header(), self.first)
    }

    /// What it answers to the server's challenge. The last one may be empty.
    pub(crate) fn response(&mut self, challenge: &[u8]) -> Result<String, Fault> {
        let challenge = std::str::from_utf8(challenge)
            .map_err(|_| Fault::NotUnderstood("a challenge that is no text"))?;
        if !matches!(self.server, Server::Unknown) {
            self.finish(challenge)?;
            return Ok(String::new());
        }
        let value = |key: &str| {
            let mut values = challenge.split(',');
            values
                .find_map(|part| part.strip_prefix(key))
                .ok_or(Fault::NotUnderstood("a challenge with parts missing"))
        };
        let (nonce, salt, rounds) = (value("r=")?, value("s=")?, value("i=")?);
        if challenge.starts_with("m=")
            || !nonce.starts_with(&self.nonce)
            || nonce.len() == self.nonce.len()
        {
            return Err(Fault::NotUnderstood(
                "a challenge that is not for this login",
            ));
        }
        let salt = Base64::decode_vec(salt)
            .map_err(|_| Fault::NotUnderstood("a challenge with a broken salt"))?;
        let rounds = rounds
            .parse()
            .ok()
            .filter(|rounds: &NonZeroU32| rounds.get() <= MAX_ROUNDS)
            .ok_or(Fault::NotUnderstood(
                "a number of rounds that is not possible",
            ))?;

        let mut salted = vec![0; self.hash.digest().output_len()];
        let password = self.password.as_bytes();
        pbkdf2::derive(self.hash.pbkdf2(), rounds, &salt, password, &mut salted);
        let salted = hmac::Key::new(self.hash.hmac(), &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = digest::digest(self.hash.digest(), client_key.as_ref());
        let server_key = hmac::sign(&salted, b"Server Key");

        let last = format!("c={},r={nonce}", self.binding.input());
        let message = format!("{},{challenge},{last}", self.first);
        let stored_key = hmac::Key::new(self.hash.hmac(), stored_key.as_ref());
        let signature = hmac::sign(&stored_key, message.as_bytes());
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(key, signature)| key ^ signature)
            .collect();
        self.server = Server::HasToProve {
            key: hmac::Key::new(self.hash.hmac(), server_key.as_ref()),
            message,
        };
        Ok(format!("{last},p={}", Base64::encode_string(&proof)))
    }

    /// Looks at what came with the server's success; nothing, if that was in a last challenge.
    pub(crate) fn success(&mut self, data: &[u8]) -> Result<(), Fault> {
        let data = std::str::from_utf8(data).map_err(|_| Fault::FalseServer)?;
        match &self.server {
            Server::Proven if data.is_empty() => Ok(()),
            _ => self.finish(data),
        }
    }

    fn finish(&mut self, last: &str) -> Result<(), Fault> {
        let Server::HasToProve { key, message } = &self.server else {
            return Err(Fault::FalseServer);
        };
        let proof = last
            .split(',')
            .next()
            .and_then(|part| part.strip_prefix("v="));
        let proof = proof.and_then(|proof| Base64::decode_vec(proof).ok());
        let proof = proof.ok_or(Fault::FalseServer)?;
        hmac::verify(key, message.as_bytes(), &proof).map_err(|_| Fault::FalseServer)?;
        self.server = Server::Proven;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1: (&str, &str, &str, &str) = (
        "fyko+d2lbbFgONRv9qkxdawL",
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    );

    const SHA256: (&str, &str, &str, &str) = (
        "rOprNGfwEbeRWgbNEkqO",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    );

    fn login(hash: Hash, nonce: &str) -> Result<Scram, Fault> {
        Scram::with_nonce(hash, Binding::None, "user", "pencil", nonce.to_owned())
    }

    #[test]
    fn the_examples_of_the_standards_come_out() -> Result<(), Fault> {
        for (hash, (nonce, challenge, response, proof)) in
            [(Hash::Sha1, SHA1), (Hash::Sha256, SHA256)]
        {
            let mut scram = login(hash, nonce)?;
            assert_eq!(scram.initial(), format!("n,,n=user,r={nonce}"));
            assert_eq!(scram.response(challenge.as_bytes())?, response);
            scram.success(proof.as_bytes())?;
            // Some servers put the proof into a challenge, and nothing into the success.
            let mut scram = login(hash, nonce)?;
            scram.response(challenge.as_bytes())?;
            assert_eq!(scram.response(proof.as_bytes())?, "");
            scram.success(b"")?;
        }
        Ok(())
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() -> Result<(), Fault> {
        let (nonce, challenge, _, _) = SHA1;
        for proof in [
            "",
            "v=",
            "v=AAAA",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKR=",
            "e=other-error",
        ] {
            let mut scram = login(Hash::Sha1, nonce)?;
            scram.response(challenge.as_bytes())?;
            assert_eq!(
                scram.success(proof.as_bytes()),
                Err(Fault::FalseServer),
                "{proof}"
            );
        }
        // Nor may it leave the challenge out.
        assert_eq!(
            login(Hash::Sha1, nonce)?.success(b""),
            Err(Fault::FalseServer)
        );
        Ok(())
    }

    #[test]
    fn challenges_that_make_no_sense_are_refused() -> Result<(), Fault> {
        let nonce = SHA1.0;
        for challenge in [
            "".to_owned(),
            "r=other,s=QSXCR+Q6sek8bf92,i=4096".to_owned(),
            format!("r={nonce},s=QSXCR+Q6sek8bf92,i=4096"),
            format!("r={nonce}x,s=?,i=4096"),
            format!("r={nonce}x,s=QSXCR+Q6sek8bf92,i=0"),
            format!("r={nonce}x,s=QSXCR+Q6sek8bf92,i=4000000000"),
            format!("m=ext,r={nonce}x,s=QSXCR+Q6sek8bf92,i=4096"),
        ] {
            let answer = login(Hash::Sha1, nonce)?.response(challenge.as_bytes());
            assert!(
                matches!(answer, Err(Fault::NotUnderstood(_))),
                "{challenge}: {answer:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn names_are_escaped_and_the_binding_is_part_of_the_proof() -> Result<(), Fault> {
        let binding = Binding::Exporter(vec![1, 2, 3]);
        let mut scram = Scram::with_nonce(Hash::Sha1, binding, "a=b,c", "x", "nonce".to_owned())?;
        assert_eq!(scram.initial(), "p=tls-exporter,,n=a=3Db=2Cc,r=nonce");
        let response = scram.response(b"r=nonce2,s=QSXCR+Q6sek8bf92,i=1")?;
        let expected = Base64::encode_string(b"p=tls-exporter,,\x01\x02\x03");
        assert!(
            response.starts_with(&format!("c={expected},r=nonce2,p=")),
            "{response}"
        );
        Ok(())
    }
}
