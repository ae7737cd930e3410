//! Lets in who may see the page: everybody on this machine's own address, elsewhere those who know the password or the
//! token.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{self, HeaderMap};
use kozo_password::Hash;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;

use super::sessions::{SESSION_BYTES, Sessions};
use super::throttle::Throttle;

/// The shortest token, in characters: so it is none that could be guessed.
pub(crate) const MIN_TOKEN: usize = 20;

/// Why nobody is let in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("the password is wrong")]
    Wrong,
    #[error("wrong passwords were tried too often: wait {} s", wait.as_secs() + 1)]
    TooOften { wait: Duration },
    #[error("there is no password: use the token, or give the role a `password`")]
    NoPassword,
    #[error("the system has no random bytes for a session")]
    System,
}

/// Who may see the page.
pub(crate) struct Guard {
    password: Option<Hash>,
    /// Only a digest of it is kept, which is compared instead.
    token: Option<Vec<u8>>,
    /// The name of the cookie, which browsers do not keep apart by port.
    cookie: String,
    /// Whether the cookie is for connections by TLS alone.
    is_secure: bool,
    sessions: Mutex<Sessions>,
    throttle: Mutex<Throttle>,
    /// A password is checked after another: each takes its memory.
    checking: Semaphore,
}

impl Guard {
    pub(crate) fn new(
        password: Option<Hash>,
        token: Option<&str>,
        port: u16,
        is_secure: bool,
    ) -> Self {
        Self {
            password,
            token: token.map(|token| digest_of(token.as_bytes())),
            cookie: format!("kozo-{port}"),
            is_secure,
            sessions: Mutex::default(),
            throttle: Mutex::default(),
            checking: Semaphore::new(1),
        }
    }

    /// Whether there is anything to know.
    pub(crate) fn is_needed(&self) -> bool {
        self.password.is_some() || self.token.is_some()
    }

    /// Whether somebody who sends these headers is let in.
    pub(crate) fn admits(&self, headers: &HeaderMap, now: Instant) -> bool {
        if !self.is_needed() {
            return true;
        }
        if let (Some(known), Some(token)) = (&self.token, bearer(headers))
            && *known == digest_of(token.as_bytes())
        {
            return true;
        }
        self.session(headers)
            .is_some_and(|session| self.sessions().has(&session, now))
    }

    /// Begins a session for who knows the password. The result is what the browser shall keep.
    pub(crate) async fn log_in(
        self: &Arc<Self>,
        password: String,
        ip: IpAddr,
        now: Instant,
    ) -> Result<String, Denied> {
        let hash = self.password.clone().ok_or(Denied::NoPassword)?;
        let tried = self.throttle().try_now(ip, now);
        tried.map_err(|wait| Denied::TooOften { wait })?;
        let fits = {
            let _turn = self.checking.acquire().await;
            let checked = tokio::task::spawn_blocking(move || hash.fits(&password));
            checked.await.unwrap_or(false)
        };
        if !fits {
            return Err(Denied::Wrong);
        }
        self.throttle().right(ip);
        let mut secret = [0; SESSION_BYTES];
        let filled = SystemRandom::new().fill(&mut secret);
        filled.map_err(|_| Denied::System)?;
        let text = hex(&secret);
        self.sessions().begin(digest_of(text.as_bytes()), now);
        Ok(self.kept(&text, ""))
    }

    /// Ends the session of who sends these headers. The result is what makes the browser forget it.
    pub(crate) fn log_out(&self, headers: &HeaderMap) -> String {
        if let Some(session) = self.session(headers) {
            self.sessions().end(&session);
        }
        self.kept("", "; Max-Age=0")
    }

    fn kept(&self, value: &str, more: &str) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let cookie = &self.cookie;
        format!("{cookie}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}")
    }

    /// The digest of the session that these headers name.
    fn session(&self, headers: &HeaderMap) -> Option<Vec<u8>> {
        let cookies = headers.get_all(header::COOKIE).iter();
        let texts = cookies.filter_map(|cookie| cookie.to_str().ok());
        let mut pairs = texts.flat_map(|text| text.split(';'));
        pairs.find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == self.cookie).then(|| digest_of(value.as_bytes()))
        })
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn digest_of(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_knows_the_password_gets_a_session_which_ends() {
        let hash = kozo_password::hash("correct horse").unwrap();
        let hash = Hash::parse(&hash).unwrap();
        let guard = Arc::new(Guard::new(Some(hash), None, 7055, true));
        let (ip, now) = ([192, 0, 2, 1].into(), Instant::now());
        assert!(!guard.admits(&HeaderMap::new(), now));
        let wrong = guard.log_in("wrong".to_owned(), ip, now).await;
        assert_eq!(wrong, Err(Denied::Wrong));
        let kept = guard
            .log_in("correct horse".to_owned(), ip, now)
            .await
            .unwrap();
        assert!(
            kept.ends_with("; Path=/; HttpOnly; SameSite=Strict; Secure"),
            "{kept}"
        );
        let (cookie, _) = kept.split_once(';').unwrap();
        let with = headers("cookie", &format!("other=1; {cookie}"));
        assert!(guard.admits(&with, now));
        assert!(!guard.admits(&headers("cookie", "kozo-7055=0"), now));
        assert!(guard.log_out(&with).contains("Max-Age=0"));
        assert!(!guard.admits(&with, now));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn guesses_are_slowed_down_whatever_they_are() {
        let hash = kozo_password::hash("correct horse").unwrap();
        let guard = Arc::new(Guard::new(Hash::parse(&hash).ok(), None, 1, false));
        let (ip, now) = ([192, 0, 2, 1].into(), Instant::now());
        for _ in 0..5 {
            let denied = guard.log_in("wrong".to_owned(), ip, now).await;
            assert_eq!(denied, Err(Denied::Wrong));
        }
        let denied = guard.log_in("correct horse".to_owned(), ip, now).await;
        assert!(matches!(denied, Err(Denied::TooOften { .. })), "{denied:?}");
    }

    #[test]
    fn a_token_is_as_good_and_where_nothing_is_to_be_known_all_are_let_in() {
        let guard = Guard::new(None, Some("0123456789abcdef0123"), 1, false);
        let now = Instant::now();
        assert!(guard.admits(
            &headers("authorization", "Bearer 0123456789abcdef0123"),
            now
        ));
        assert!(!guard.admits(&headers("authorization", "Bearer 0123456789abcdef012"), now));
        assert!(!guard.admits(&headers("authorization", "Basic 0123456789abcdef0123"), now));
        assert!(Guard::new(None, None, 1, false).admits(&HeaderMap::new(), now));
    }
}
