//! `kozo top`, as plain text and on a real terminal, which is one of tmux's.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::control::{kozo, said, status};
use super::inside::Daemon;
use super::process::{skipped, wait_until};
use super::scene::Scene;

/// What is on the terminal before and after.
const BEFORE: &str = "as it was before";

fn pair() -> Scene {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.option("heartbeat", "1");
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    scene.role("scribe", "cuckoo", "{}");
    scene
}

fn wait_for_link(scene: &Scene) {
    wait_until("the link", || {
        let status = status(scene, "clock")?;
        (status["peers"][0]["state"] == "up").then_some(())
    });
}

#[test]
fn once_prints_what_flows_as_plain_text_or_json() {
    let scene = pair();
    let daemons = ["clock", "scribe"].map(|node| Daemon::start(&scene, node));
    wait_for_link(&scene);
    let overview: Value = wait_until("both nodes tell of themselves", || {
        let text = said(&scene, "clock", &["top", "--json"])?;
        let overview: Value = serde_json::from_str(&text).unwrap();
        let rate = |node: &Value, name: &str| node[name].as_f64() > Some(1.0);
        let [clock, scribe] = &overview["nodes"].as_array()?[..] else {
            return None;
        };
        let flows = rate(clock, "sent_per_second") && rate(scribe, "received_per_second");
        flows.then_some(overview)
    });
    assert_eq!(overview["asked"], "clock");
    assert_eq!(overview["links"].as_array().unwrap().len(), 1);
    let role = &overview["roles"][1];
    assert_eq!(
        (&role["node"], &role["role"]),
        (&"scribe".into(), &"cuckoo".into())
    );
    assert!(role["taken_per_second"].as_f64() > Some(1.0), "{role}");

    let text = said(&scene, "clock", &["top", "--once"]).unwrap();
    assert!(text.starts_with("clock: in "), "{text}");
    for part in ["scribe  up", "cuckoo", "timer1", "tcp "] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!text.contains('\x1b'), "{text}");
    // Nothing is drawn on what is no terminal.
    let output = kozo(&scene, "clock", &["top"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(error.contains("`--once` prints plain text"), "{error}");
    assert_eq!(output.stdout, b"");
    daemons.into_iter().for_each(Daemon::stop);
    let output = kozo(&scene, "clock", &["top", "--once"]);
    assert_eq!(output.status.code(), Some(5));
}

/// A terminal of tmux, with a shell in it. It ends with this.
struct Terminal {
    socket: String,
}

impl Terminal {
    /// None where there is no tmux.
    fn open(scene: &Scene, size: (u16, u16)) -> Option<Self> {
        let found = Command::new("tmux")
            .arg("-V")
            .stdout(Stdio::null())
            .status();
        if !found.is_ok_and(|status| status.success()) {
            skipped("there is no `tmux` here");
            return None;
        }
        let socket = scene.folder().join("tmux").display().to_string();
        let terminal = Self { socket };
        let (columns, rows) = (size.0.to_string(), size.1.to_string());
        // A shell without settings of anybody's, and with job control.
        let shell = "env PS1='$ ' bash --norc --noprofile -i";
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            shell,
        ]);
        terminal.send(&format!("echo '{BEFORE}'"));
        terminal.wait_for(&[&format!("\n{BEFORE}\n")]);
        Some(terminal)
    }

    fn tmux(&self, words: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-u", "-S", &self.socket])
            .args(words)
            .env_remove("TMUX")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn send(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn wait_for(&self, parts: &[&str]) -> String {
        self.wait_until(parts, |screen| {
            parts.iter().all(|part| screen.contains(part))
        })
    }

    /// Waits for what was there before the program, and not what it has drawn.
    fn wait_for_shell(&self, parts: &[&str]) {
        let is_clean = |screen: &str| {
            let has = |part: &&str| screen.contains(part);
            has(&BEFORE) && !has(&"Tab table") && parts.iter().all(has)
        };
        self.wait_until(parts, is_clean);
        // The cursor is there, and what is typed is shown.
        let cursor = self.tmux(&["display-message", "-p", "#{cursor_flag} #{alternate_on}"]);
        assert_eq!(cursor.trim(), "1 0");
        self.send("echo ech''oed");
        self.wait_for(&["echo ech''oed", "\nechoed\n"]);
        self.tmux(&["send-keys", "-l", "clear; "]);
        self.send(&format!("echo '{BEFORE}'"));
        self.wait_until(&["cleared"], |screen| !screen.contains("echoed"));
    }

    fn wait_until(&self, what: &[&str], fits: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until("the screen", || {
                last = self.screen();
                fits(&last).then(|| last.clone())
            })
        }));
        waited.unwrap_or_else(|_| panic!("{what:?} in\n{last}"))
    }

    /// Sends a signal to the view that the shell runs.
    fn signal(&self, signal: &str) {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let kill = Command::new("pkill")
            .args([&format!("-{signal}"), "-P", shell.trim(), "kozo"])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Runs the view in place of the shell.
    fn start_top_alone(&self, scene: &Scene) {
        let program = env!("CARGO_BIN_EXE_kozo");
        let control = scene.control("clock");
        let command = format!("{program} top --control {}", control.display());
        self.send(&format!("exec {command}"));
        self.wait_for(&["2 of 2 nodes answer"]);
    }

    /// Types a command that runs the view, without colours.
    fn start_top(&self, scene: &Scene) {
        let program = env!("CARGO_BIN_EXE_kozo");
        let control = scene.control("clock");
        let command = format!("NO_COLOR=1 {program} top --control {}", control.display());
        self.send(&command);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let kill = ["-S", &self.socket, "kill-server"];
        let _ = Command::new("tmux")
            .args(kill)
            .stderr(Stdio::null())
            .status();
    }
}

#[test]
fn the_view_is_steered_by_keys_and_leaves_the_terminal_as_it_was() {
    let scene = pair();
    let Some(terminal) = Terminal::open(&scene, (80, 24)) else {
        return;
    };
    let daemons = ["clock", "scribe"].map(|node| Daemon::start(&scene, node));
    wait_for_link(&scene);
    terminal.start_top(&scene);
    terminal.wait_for(&[
        "2 of 2 nodes answer",
        "node▲",
        "\nclock ",
        "\nscribe ",
        "q quit",
    ]);
    let coloured = terminal.tmux(&["capture-pane", "-p", "-e"]);
    // The terminal's own colours are none.
    let parts = coloured.replace("\x1b[39m", "");
    assert!(!parts.contains("\x1b[3"), "no colours:\n{coloured:?}");
    // It sorts, and turns to the other tables.
    terminal.keys(&["s"]);
    terminal.wait_for(&["state▲"]);
    terminal.keys(&["r"]);
    terminal.wait_for(&["state▼"]);
    terminal.keys(&["Tab"]);
    terminal.wait_for(&["peer", "clock  scribe  up"]);
    terminal.keys(&["Tab", "Down", "Enter"]);
    terminal.wait_for(&["Role cuckoo of scribe", "waiting"]);
    terminal.keys(&["Escape"]);
    terminal.wait_for(&["role", "timer1"]);
    terminal.keys(&["?"]);
    terminal.wait_for(&["sort by the next column"]);
    terminal.keys(&["p"]);
    terminal.wait_for(&["[paused]"]);
    // It stops and comes back, and is ended by keys.
    terminal.keys(&["C-z"]);
    terminal.wait_for_shell(&["Stopped"]);
    terminal.send("fg");
    terminal.wait_for(&["[paused]", "sort by the next column"]);
    // Somebody else stops it.
    terminal.signal("TSTP");
    terminal.wait_for_shell(&["Stopped"]);
    terminal.send("fg");
    terminal.wait_for(&["[paused]", "sort by the next column"]);
    terminal.keys(&["q"]);
    terminal.wait_for_shell(&[]);
    // So do signals.
    for signal in ["TERM", "INT", "HUP"] {
        terminal.start_top(&scene);
        terminal.wait_for(&["2 of 2 nodes answer"]);
        terminal.signal(signal);
        terminal.wait_for_shell(&[]);
    }
    // Where there is no shell that could let it go on, it does not stop.
    terminal.start_top_alone(&scene);
    let is_there = &["2 of 2 nodes answer", "[paused]"];
    terminal.keys(&["C-z", "p"]);
    terminal.wait_for(is_there);
    terminal.keys(&["q"]);
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn a_daemon_that_is_gone_is_shown_as_gone_and_found_again() {
    let scene = pair();
    let Some(terminal) = Terminal::open(&scene, (200, 60)) else {
        return;
    };
    let mut clock = scene.start("clock");
    wait_until("the daemon", || status(&scene, "clock"));
    terminal.start_top(&scene);
    terminal.wait_for(&["1 of 2 nodes answer", "no link for", "up for", "note"]);
    clock.kill();
    terminal.wait_for(&["no answer for", "\nclock "]);
    let _clock = scene.start("clock");
    terminal.wait_for(&["1 of 2 nodes answer"]);
    terminal.wait_until(&["found again"], |screen| !screen.contains("no answer for"));
    terminal.keys(&["C-c"]);
    terminal.wait_for_shell(&[]);
}
