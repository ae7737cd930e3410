//! Files that would take more than they are worth are refused before they do.

use kozo_description::{MAX_DEPTH, MAX_LIST, MAX_NODES, MAX_PROBLEMS};

use super::*;

fn first_line(text: &str) -> String {
    report(text).lines().next().unwrap().to_owned()
}

#[test]
fn exponential_aliases_are_refused() {
    let mut file = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(",");
        file.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(
        first_line(&file),
        "error: net.yaml:5:34: a4[6]: the file holds too much: 100000 keys and values and 8388608 \
         bytes of text are the most, with what aliases repeat"
    );
}

#[test]
fn a_long_text_repeated_by_aliases_is_refused() {
    let file = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(100_000),
        "*a,".repeat(200)
    );
    assert_eq!(
        first_line(&file),
        "error: net.yaml:2:248: b[81]: the file holds too much: 100000 keys and values and 8388608 \
         bytes of text are the most, with what aliases repeat"
    );
}

#[test]
fn too_many_values_are_refused() {
    let file = "- a\n".repeat(MAX_NODES + 1);
    let line = first_line(&file);
    assert!(line.contains("the file holds too much"), "{line}");
}

#[test]
fn deep_nesting_is_refused() {
    for file in [
        format!("a: {}", "[".repeat(100_000)),
        format!("a: {}", "{a: ".repeat(10_000)),
        (0..1000).fold(String::new(), |file, depth| {
            format!("{file}{}a:\n", " ".repeat(depth))
        }),
        format!("{}a", "- ".repeat(1000)),
    ] {
        let line = first_line(&file);
        assert!(
            line.ends_with(": lists and mappings are nested more than 32 deep"),
            "{line}"
        );
    }
}

#[test]
fn nesting_that_aliases_add_up_to_is_refused() {
    let half = MAX_DEPTH * 2 / 3;
    let (open, close) = ("[".repeat(half), "]".repeat(half));
    let file = format!("a: &a {open}x{close}\nb: {open}*a{close}\n");
    assert_eq!(
        first_line(&file),
        "error: net.yaml:2:25: lists and mappings are nested more than 32 deep"
    );
}

#[test]
fn a_long_list_of_texts_is_refused() {
    let file = with(
        "address: clock.local",
        &format!("address: {}", "a,".repeat(MAX_LIST + 1)),
    );
    assert_eq!(
        first_line(&file),
        "error: net.yaml:11:18: system.clock.transports.tcp.address: a list may have 4096 items at \
         most"
    );
}

#[test]
fn a_report_keeps_some_problems_and_counts_the_rest() {
    let mistakes = MAX_PROBLEMS + 5;
    let file = (0..mistakes).fold(GOOD.to_owned(), |file, number| {
        format!("{file}wrong{number}: x\n")
    });
    let problems = load(&file).unwrap_err();
    assert_eq!(problems.iter().count(), MAX_PROBLEMS);
    assert_eq!(problems.omitted(), 5);
    assert!(problems.to_string().ends_with("\nand 5 more problems"));
}

#[test]
fn what_a_message_repeats_of_the_file_is_short_and_harmless() {
    let file = with(
        "heartbeat: 30",
        &format!("heartbeat: \"\\e[31m{}\"", "x".repeat(5000)),
    );
    let report = report(&file);
    assert!(report.len() < 300, "{report}");
    assert!(!report.contains('\u{1b}'), "{report}");
}
