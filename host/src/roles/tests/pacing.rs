//! When roles run.

use super::*;
use crate::roles::pace::SPIN_RUNS;
use kozo_status::RoleState;

fn counting(told: &Told) -> Script {
    let told = told.clone();
    Script::new().on_run(move |host| {
        let message = host.try_receive();
        let text = message
            .map(|message| message.data::<String>())
            .transpose()?;
        told.say(text.unwrap_or_else(|| "nothing".to_owned()))
    })
}

#[test]
fn a_role_with_an_interval_runs_again_and_again() {
    let (told, heard) = Told::new();
    let pace = Pace::Every(Duration::from_millis(2));
    let stage = counting(&told).pace(pace).start();
    heard.expect(["nothing", "nothing", "nothing"]);
    stage.stop();
}

#[test]
fn a_message_ends_the_wait_only_of_a_role_that_wants_that() {
    let (told, heard) = Told::new();
    let stage = counting(&told).pace(Pace::EveryOrMessage(LONG)).start();
    for text in ["one", "two"] {
        stage.push(text);
        heard.expect([text]);
    }
    stage.stop();
    heard.expect_silence();

    let stage = counting(&told).pace(Pace::Every(LONG)).start();
    eventually(|| stage.status().state == RoleState::Running);
    stage.push("three");
    assert_eq!(stage.status().inbox.taken, 0);
    stage.stop();
    heard.expect_silence();
}

#[test]
fn a_wait_between_runs_ends_for_a_reopen_and_a_restart() {
    let (told, heard) = Told::new();
    let stage = Script::new().told_to(&told).pace(Pace::Every(LONG)).start();
    heard.expect(["new"]);
    stage.role.reopen();
    heard.expect(["reopen"]);
    stage.role.restart().unwrap();
    heard.expect(["stop", "drop", "new"]);
    stage.stop();
    heard.expect(["stop", "drop"]);
}

#[test]
fn a_role_that_spins_goes_on_and_can_be_stopped() {
    let (told, heard) = Told::new();
    let stage = counting(&told).start();
    for _ in 0..SPIN_RUNS + 5 {
        heard.expect(["nothing"]);
    }
    stage.push("still heard");
    while heard.next() != "still heard" {}
    stage.stop();
}

#[test]
fn a_role_that_leaves_its_messages_alone_can_be_stopped() {
    let (told, heard) = Told::new();
    let stage = Script::new()
        .pace(Pace::EveryOrMessage(LONG))
        .on_run(move |_| told.say("run"))
        .start();
    stage.push("ignored");
    for _ in 0..SPIN_RUNS + 5 {
        heard.expect(["run"]);
    }
    stage.stop();
}

#[test]
fn a_role_may_change_the_limits_of_its_inbox() {
    let mut script = Script::new();
    script.inbox = Some(WantedLimits {
        length: 7,
        size: u64::MAX,
    });
    let stage = script.start();
    eventually(|| stage.status().inbox.length_limit == 7);
    assert_eq!(stage.status().inbox.size_limit, usize::MAX);
    stage.stop();
}
