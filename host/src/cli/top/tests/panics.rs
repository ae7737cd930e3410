//! A panic while the terminal is drawn on.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::super::screen::Screen;

/// How long anything may take. Generous: a busy machine is no failure.
const DEADLINE: Duration = Duration::from_secs(90);

/// What says that the program has ended.
const ENDED: &str = "ended with";

#[test]
#[ignore = "takes a terminal and panics: the other test runs it in one"]
fn panic_while_drawing() {
    let mut screen = Screen::open().unwrap();
    screen
        .terminal()
        .draw(|frame| frame.render_widget("DRAWN", frame.area()))
        .unwrap();
    let panicking = std::thread::spawn(|| panic!("this is why"));
    let _ = panicking.join();
    unreachable!("a panic of any thread ends the program");
}

fn tmux(socket: &Path, words: &[&str]) -> Option<Output> {
    let mut command = Command::new("tmux");
    command.arg("-u").arg("-S").arg(socket).args(words);
    command
        .env_remove("TMUX")
        .stdin(Stdio::null())
        .output()
        .ok()
}

#[test]
fn a_panic_is_read_on_a_terminal_that_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tmux");
    let test = "cli::top::tests::panics::panic_while_drawing";
    let program = std::env::current_exe().unwrap();
    let script = format!(
        "'{}' --exact {test} --ignored --nocapture; echo {ENDED} $?; stty -a; sleep 90",
        program.display()
    );
    let size = ["-x", "200", "-y", "60"];
    let start = [
        &["-f", "/dev/null", "new-session", "-d"],
        &size[..],
        &[&script],
    ]
    .concat();
    let Some(started) = tmux(&socket, &start) else {
        eprintln!("skipped: there is no `tmux` here");
        return;
    };
    assert!(started.status.success(), "{started:?}");
    let said = |words: &[&str]| {
        let output = tmux(&socket, words).unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let deadline = Instant::now() + DEADLINE;
    let screen = loop {
        let screen = said(&["capture-pane", "-p"]);
        if screen.contains(ENDED) && screen.contains("extproc") {
            break screen;
        }
        assert!(Instant::now() < deadline, "it does not end:\n{screen}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let state = said(&["display-message", "-p", "#{cursor_flag} #{alternate_on}"]);
    said(&["kill-server"]);
    assert!(screen.contains("ended with 101"), "{screen}");
    assert!(screen.contains("this is why"), "{screen}");
    for word in [" icanon ", " echo ", "\nopost "] {
        assert!(screen.contains(word), "{word} in\n{screen}");
    }
    assert!(!screen.contains("DRAWN"), "{screen}");
    assert_eq!(state.trim(), "1 0");
}
