//! The files of a new role that is a program, from the templates in `program`.

use std::path::Path;

use kozo_ground::names::ModuleName;

use super::crate_text::fill;

/// What the role is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// Python, with the package `kozo`.
    Python,
    /// Plain sh.
    Shell,
}

/// What is the same in all of them.
const EXAMPLE: &str = include_str!("program/example.yml.in");
const README: &str = include_str!("program/README.md.in");

/// What is not for others: the key of the example, and what it writes.
const IGNORED: &str = "/example.key\n/example.log\n__pycache__/\n";

/// So that the folder for storage is there.
const STORAGE_IGNORED: &str = "*\n!.gitignore\n";

/// The private key of the example.
pub(super) const KEY: &str = "example.key";

impl Language {
    /// What it is called.
    fn name(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::Shell => "sh",
        }
    }

    /// The role's file.
    fn role(self) -> (&'static str, &'static str) {
        match self {
            Self::Python => ("role.py", include_str!("program/role.py.in")),
            Self::Shell => ("role.sh", include_str!("program/role.sh.in")),
        }
    }

    /// Its test.
    fn test(self) -> (&'static str, &'static str) {
        match self {
            Self::Python => ("test_role.py", include_str!("program/test_role.py.in")),
            Self::Shell => ("test_role.sh", include_str!("program/test_role.sh.in")),
        }
    }

    /// What runs a file in it.
    fn interpreter(self) -> &'static str {
        match self {
            Self::Python => "python3",
            Self::Shell => "sh",
        }
    }

    /// The command that tests it, with the folder of the package `kozo` where that is not installed.
    pub(super) fn test_command(self, package: Option<&Path>) -> String {
        match (self, package) {
            (Self::Shell, _) => format!("sh {}", self.test().0),
            (Self::Python, None) => "python3 -m unittest".to_owned(),
            (Self::Python, Some(folder)) => {
                format!("PYTHONPATH={} python3 -m unittest", shell_word(folder))
            }
        }
    }
}

/// What a new program consists of: paths inside its folder, with what the files hold. `folder` is where it will be,
/// `public_key` that of the example, `package` the folder of the Python package `kozo` where it is not installed.
pub(super) fn files(
    language: Language,
    name: &ModuleName,
    folder: &Path,
    public_key: &str,
    package: Option<&Path>,
) -> Vec<(&'static str, String)> {
    let package = package.filter(|_| language == Language::Python);
    let ((role, _), (test, _)) = (language.role(), language.test());
    let environment = package.map_or_else(String::new, |package| {
        format!(
            "        # Where the package `kozo` is; not needed where it is installed.\n        \
             environment: {{PYTHONPATH: {}}}\n",
            yaml_text(package)
        )
    });
    let interpreter = language.interpreter();
    let needs = match language {
        Language::Python => {
            "\n\nIt needs Python 3.9 or later and the package `kozo`: Debian's `python3-kozo`, or the folder `python` of \
             Kōzō's sources (`pip install ./python`)."
        }
        Language::Shell => "",
    };
    // The other roles of the example have other names than this one.
    let other = |wanted: &str| match name.as_str() == wanted {
        true => format!("{wanted}-2"),
        false => wanted.to_owned(),
    };
    let places = [
        ("@NAME@", name.as_str().to_owned()),
        ("@LANGUAGE@", language.name().to_owned()),
        ("@ROLE@", role.to_owned()),
        ("@TEST@", test.to_owned()),
        ("@RUN_TEST@", language.test_command(package)),
        ("@PUBLIC_KEY@", public_key.to_owned()),
        ("@COMMAND@", format!("{interpreter}, {role}")),
        (
            "@COMMAND_IN_FULL@",
            format!("{interpreter}, {}", yaml_text(&folder.join(role))),
        ),
        ("@ENVIRONMENT@", environment),
        ("@TIMER@", other("timer")),
        ("@LOGGER@", other("logger")),
        ("@NEEDS@", needs.to_owned()),
    ];
    let templates = [
        language.role(),
        language.test(),
        ("example.yml", EXAMPLE),
        ("README.md", README),
        (".gitignore", IGNORED),
        ("storage/.gitignore", STORAGE_IGNORED),
    ];
    templates
        .into_iter()
        .map(|(file, template)| (file, fill(template, &places)))
        .collect()
}

/// A path as a value in YAML.
fn yaml_text(path: &Path) -> String {
    // A text of JSON is one of YAML, too.
    serde_json::Value::from(path.to_string_lossy()).to_string()
}

/// A path as a word of a shell.
fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,".contains(c);
    match text.chars().all(is_plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_is_left_open_and_no_role_of_the_example_has_the_name_of_another() {
        for language in [Language::Python, Language::Shell] {
            for name in ["greeter", "timer", "logger"] {
                let name = ModuleName::new(name).unwrap();
                let package = Some(Path::new("/the package"));
                let files = files(language, &name, Path::new("/a b"), "KEY", package);
                for (file, text) in &files {
                    let open = text.split('@').skip(1).step_by(2);
                    let is_place =
                        |word: &str| word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
                    assert_eq!(
                        open.filter(|word| is_place(word)).count(),
                        0,
                        "{file}: {text}"
                    );
                }
                let example = &files
                    .iter()
                    .find(|(file, _)| *file == "example.yml")
                    .unwrap()
                    .1;
                let mut roles: Vec<_> = example
                    .lines()
                    .filter_map(|line| line.strip_prefix("      "))
                    .filter(|line| !line.starts_with([' ', '#']))
                    .filter_map(|line| line.split(':').next())
                    .collect();
                assert_eq!(roles.len(), 3);
                roles.sort_unstable();
                roles.dedup();
                assert_eq!(roles.len(), 3, "{example}");
            }
        }
    }

    #[test]
    fn each_block_says_where_a_package_is_that_is_not_installed() {
        let name = ModuleName::new("greeter").unwrap();
        let package = Path::new("/the package");
        let count = |package| {
            let files = files(Language::Python, &name, Path::new("/a"), "KEY", package);
            let blocks = files.iter().flat_map(|(_, text)| text.lines());
            let line = "        environment: {PYTHONPATH: \"/the package\"}";
            blocks.filter(|found| *found == line).count()
        };
        assert_eq!((count(Some(package)), count(None)), (2, 0));
    }

    #[test]
    fn a_folder_with_odd_characters_is_one_word() {
        assert_eq!(shell_word(Path::new("/opt/kozo-1.0")), "/opt/kozo-1.0");
        assert_eq!(shell_word(Path::new("/it's here")), r"'/it'\''s here'");
        let command = Language::Python.test_command(Some(Path::new("/a b")));
        assert_eq!(command, "PYTHONPATH='/a b' python3 -m unittest");
    }
}
