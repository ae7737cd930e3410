use super::*;

fn arguments(kind: NewKind, name: &str, path: &Path) -> NewArguments {
    NewArguments {
        kind,
        name: name.to_owned(),
        path: Some(path.to_owned()),
        python: false,
        shell: false,
        abi_path: None,
    }
}

fn error(arguments: &NewArguments) -> String {
    match new(arguments) {
        Err(Failure::Other(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_there_already_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    fs::write(&kept, "mine").unwrap();
    for path in [folder.path(), &kept] {
        let text = error(&arguments(NewKind::Role, "greeter", path));
        assert!(
            text.ends_with("choose another folder with `--path`"),
            "{text}"
        );
    }
    assert_eq!(fs::read_to_string(&kept).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_name_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    let text = error(&arguments(NewKind::Transport, "a.b", &path));
    assert!(
        text.starts_with("a transport cannot be called `a.b`: '.' may not stand in a name"),
        "{text}"
    );
    assert!(!path.exists());
}

#[test]
fn a_folder_without_the_interface_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    let wrong = NewArguments {
        abi_path: Some(folder.path().to_owned()),
        ..arguments(NewKind::Role, "greeter", &path)
    };
    assert!(error(&wrong).contains("does not hold the crate `kozo-abi`"));
    assert!(!path.exists());
}

#[test]
fn a_folder_in_a_place_that_is_none_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/where");
    let text = error(&arguments(NewKind::Role, "greeter", &path));
    assert!(text.contains("cannot be made: No such file"), "{text}");
}

#[test]
fn sources_beside_the_interface_are_used_instead_of_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let abi = folder.path().join("abi");
    fs::create_dir(&abi).unwrap();
    fs::write(abi.join("Cargo.toml"), "[package]\nname = \"kozo-abi\"\n").unwrap();
    let make = |name: &str| {
        let path = folder.path().join(name);
        let arguments = NewArguments {
            abi_path: Some(abi.clone()),
            ..arguments(NewKind::Role, name, &path)
        };
        new(&arguments).unwrap();
        fs::read_to_string(path.join(".cargo/config.toml")).ok()
    };
    assert_eq!(make("without"), None);
    let vendor = fs::canonicalize(folder.path()).unwrap().join("vendor");
    fs::create_dir(&vendor).unwrap();
    let text = make("with").unwrap();
    assert!(
        text.contains(&format!("directory = \"{}\"", vendor.display())),
        "{text}"
    );
}

#[test]
fn only_a_role_may_be_a_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    let transport = NewArguments {
        python: true,
        ..arguments(NewKind::Transport, "wire", &path)
    };
    let refused = new(&transport);
    assert!(matches!(refused, Err(Failure::Usage(_))), "{refused:?}");
    assert!(!path.exists());
}

#[test]
fn a_program_comes_with_a_key_that_others_cannot_read() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    let shell = NewArguments {
        shell: true,
        ..arguments(NewKind::Role, "greeter", &path)
    };
    new(&shell).unwrap();
    let key = fs::metadata(path.join("example.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let text = error(&shell);
    assert!(
        text.ends_with("choose another folder with `--path`"),
        "{text}"
    );
}
