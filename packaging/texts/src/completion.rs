//! Completions for shells. Words of the command line are known; names of nodes and roles are asked of the
//! nodes that run on the machine (`kozo complete`), where nothing runs at no cost.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use clap::{Arg, Command, ValueHint};
use clap_complete::Shell;

/// The program.
const PROGRAM: &str = "kozo";

/// Arguments that are names of nodes.
const NODES: [&str; 5] = ["nodes", "node", "peer", "of", "on"];

/// Arguments that are names of roles.
const ROLES: [&str; 1] = ["role"];

/// What the generators write for arguments with these hints, which nothing else of the program has; put in
/// place of it is what asks the program.
const HINTS: [(ValueHint, &str, &str, &str); 2] = [
    (
        ValueHint::Hostname,
        "nodes",
        ":_hosts",
        "(__fish_print_hostnames)",
    ),
    (
        ValueHint::Username,
        "roles",
        ":_users",
        "(__fish_complete_users)",
    ),
];

/// In zsh, what comes before the generated script calls its own function.
const ZSH_END: &str = "\nif [ \"$funcstack[1]\" = \"_kozo\" ]; then";

const ZSH_NAMES: &str = r#"
_kozo_names() {
    local -a names
    names=(${(f)"$(kozo complete $1 2>/dev/null)"})
    compadd -a names
}

_kozo_nodes() { _kozo_names nodes }

_kozo_roles() { _kozo_names roles }
"#;

const BASH_NAMES: &str = r#"
# The names of nodes and roles, where one is expected; anything else is left as it is.
_kozo_names() {
    _kozo "$@"
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"
    local command="" what="" place word skip=""
    for (( place = 1; place < COMP_CWORD; place++ )); do
        word="${COMP_WORDS[place]}"
        case "$word" in
            --log|--log-format) skip=1 ;;
            -*) ;;
            *)
                [[ -z "$skip" ]] && command+=" $word"
                skip=""
                ;;
        esac
    done
    [[ "$cur" == -* ]] && return
    case "$prev" in
@OPTIONS@
        -*) ;;
    esac
    if [[ -z "$what" && "$prev" != -* || "$prev" == --json || "$prev" == --all ]]; then
        case "$command " in
@POSITIONALS@
        esac
    fi
    if [[ -n "$what" ]]; then
        COMPREPLY=( $(compgen -W "$(kozo complete "$what" 2>/dev/null)" -- "$cur") )
    fi
}
"#;

/// Writes one for each shell into a folder.
pub(crate) fn write(folder: &Path, command: &Command) -> io::Result<()> {
    let mut command = command.clone().mut_subcommands(hinted);
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let file = clap_complete::generate_to(shell, &mut command, PROGRAM, folder)?;
        let script = std::fs::read_to_string(&file)?;
        let script = match shell {
            Shell::Bash => bash(&script, &command),
            Shell::Zsh => zsh(&script),
            _ => fish(script, &command),
        };
        std::fs::write(file, script)?;
    }
    Ok(())
}

/// A command with hints at its names of nodes and roles. Where there is a file, the names are those in it.
fn hinted(command: Command) -> Command {
    if command.get_arguments().any(|one| one.get_id() == "config") {
        return command;
    }
    let hint = |argument: Arg| match argument.get_id().as_str() {
        id if NODES.contains(&id) => argument.value_hint(ValueHint::Hostname),
        id if ROLES.contains(&id) => argument.value_hint(ValueHint::Username),
        _ => argument,
    };
    command.mut_args(hint).mut_subcommands(hinted)
}

/// What the program is asked for an argument's values, if anything.
fn names_of(argument: &Arg) -> Option<&'static str> {
    let hints = HINTS.iter();
    let mut fitting = hints.filter(|(hint, ..)| *hint == argument.get_value_hint());
    fitting.next().map(|(_, names, ..)| *names)
}

/// The arguments without a name that are completed so: the words of the command, and what is asked for.
fn positionals(command: &Command, words: &[&str]) -> Vec<(Vec<String>, &'static str)> {
    let own = command.get_positionals().filter_map(names_of);
    let path = || words.iter().map(|word| (*word).to_owned()).collect();
    let mut found: Vec<_> = own.map(|names| (path(), names)).collect();
    for sub in command.get_subcommands() {
        found.extend(positionals(sub, &[words, &[sub.get_name()]].concat()));
    }
    found
}

/// The options that are completed so, and what is asked for, each once.
fn options(command: &Command) -> Vec<(String, &'static str)> {
    let own = command.get_arguments().filter_map(|argument| {
        let long = argument.get_long()?;
        Some((format!("--{long}"), names_of(argument)?))
    });
    let subs = command.get_subcommands().flat_map(options);
    let mut found: Vec<_> = own.chain(subs).collect();
    found.sort();
    found.dedup();
    found
}

fn bash(script: &str, command: &Command) -> String {
    let mut cases = String::new();
    for (option, names) in options(command) {
        // Writing to a text cannot fail.
        let _ = writeln!(cases, "        {option}) what={names} ;;");
    }
    let mut places = String::new();
    for (words, names) in positionals(command, &[]) {
        let words = words.join(" ");
        let _ = writeln!(places, "            \" {words} \"*) what={names} ;;");
    }
    let names = BASH_NAMES
        .replace("@OPTIONS@\n", &cases)
        .replace("@POSITIONALS@\n", &places);
    let own = format!("complete -F _{PROGRAM} ");
    let start = script.rfind("\nif [[ \"${BASH_VERSINFO").unwrap_or(0);
    let (before, end) = script.split_at(start);
    before.to_owned() + &names + &end.replace(&own, &format!("complete -F _{PROGRAM}_names "))
}

fn zsh(script: &str) -> String {
    let mut script = script.to_owned();
    for (_, names, hint, _) in HINTS {
        script = script.replace(hint, &format!(":_kozo_{names}"));
    }
    script.replace(ZSH_END, &format!("{ZSH_NAMES}{ZSH_END}"))
}

fn fish(mut script: String, command: &Command) -> String {
    for (_, names, _, hint) in HINTS {
        script = script.replace(hint, &format!("({PROGRAM} complete {names} 2>/dev/null)"));
    }
    for (words, names) in positionals(command, &[]) {
        let condition = match words.as_slice() {
            [one] => format!("__fish_{PROGRAM}_using_subcommand {one}"),
            [one, more @ ..] => format!(
                "__fish_{PROGRAM}_using_subcommand {one}; and __fish_seen_subcommand_from {}",
                more.join(" ")
            ),
            [] => continue,
        };
        let _ = writeln!(
            script,
            "complete -c {PROGRAM} -n \"{condition}\" -f -a \"({PROGRAM} complete {names} 2>/dev/null)\""
        );
    }
    script
}

#[cfg(test)]
mod tests {
    use std::process::Command as Process;

    use super::*;

    fn written(name: &str) -> String {
        let folder = std::env::temp_dir().join(format!("kozo-completions-{}", std::process::id()));
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        write(&folder, &kozo::cli::command()).unwrap();
        let script = std::fs::read_to_string(folder.join(name)).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        script
    }

    /// What bash makes of a line whose last word is being typed.
    fn completed(script: &str, words: &[&str]) -> String {
        let kozo = "kozo() { case \"$*\" in 'complete nodes') echo clock; echo cottage; echo scribe;; \
                    'complete roles') echo timer;; esac; }";
        let call = format!(
            "{script}\n{kozo}\nCOMP_WORDS=(kozo \"$@\")\nCOMP_CWORD=$#\n\
             _kozo_names kozo \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
             echo \"${{COMPREPLY[@]}}\""
        );
        let output = Process::new("bash")
            .args(["-c", &call, "bash"])
            .args(words)
            .current_dir("/")
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error, "");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn bash_completes_names_of_nodes_and_roles_where_they_are_expected() {
        let script = written("kozo.bash");
        for (words, expected) in [
            (&["status", "c"][..], "clock cottage"),
            (&["status", "clock", "s"], "scribe"),
            (&["--log", "debug", "status", "s"], "scribe"),
            (&["status", "--json", "s"], "scribe"),
            (&["why", "s"], "scribe"),
            (&["why", "clock", "--of", "s"], "scribe"),
            (&["ping", "cl"], "clock"),
            (&["roles", "restart", ""], "timer"),
            (&["roles", "stop", "t"], "timer"),
            (&["tail", "--role", "t"], "timer"),
            (&["tail", "--type", "t"], "tmp"),
            (&["status", "--js"], "--json"),
            (&["statu"], "status"),
            (&["roles", "rest"], "restart"),
        ] {
            let found = completed(&script, words);
            assert_eq!(found, expected, "{words:?}");
        }
        // A node that is named in a file is looked for there.
        assert_eq!(completed(&script, &["run", "net.yaml", "cl"]), "");
        assert!(script.ends_with("fi\n"));
        assert!(!script.contains("complete -F _kozo "));
    }

    #[test]
    fn zsh_and_fish_ask_for_names_too() {
        let zsh = written("_kozo");
        for part in [
            ":_kozo_nodes'",
            ":_kozo_roles'",
            "_kozo_names() {",
            "compadd",
        ] {
            assert!(zsh.contains(part), "{part}");
        }
        assert!(!zsh.contains(":_hosts") && !zsh.contains(":_users"));
        let fish = written("kozo.fish");
        for part in [
            "__fish_kozo_using_subcommand status\" -f -a \"(kozo complete nodes 2>/dev/null)\"",
            "__fish_seen_subcommand_from restart\" -f -a \"(kozo complete roles 2>/dev/null)\"",
            "-l of -d",
        ] {
            assert!(fish.contains(part), "{part}");
        }
        assert!(!fish.contains("__fish_print_hostnames"));
    }
}
