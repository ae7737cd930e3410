//! Compresses the page's files, and writes the table of them that the server has.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() {
    let web = Path::new("web");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo names a folder"));
    println!("cargo::rerun-if-changed=web");
    let mut files = Vec::new();
    find(web, &mut files);
    files.sort();
    let mut table = String::from("pub(super) const ASSETS: &[Asset] = &[\n");
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let path = file.strip_prefix(web).expect("it was found there");
        let name = path.to_str().expect("its name is ASCII");
        let Some(content_type) = content_type(name) else {
            continue;
        };
        let content = fs::read(&file).expect("it was found");
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        let shown = match name.starts_with("vendor") {
            true => content.clone(),
            false => without_comments(&String::from_utf8_lossy(&content)).into_bytes(),
        };
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&shown).expect("memory takes it");
        let packed = encoder.finish().expect("memory takes it");
        let packed_path = out.join(name.replace('/', "-") + ".gz");
        fs::write(&packed_path, packed).expect("the folder can be written to");
        let plain_path = out.join(name.replace('/', "-"));
        fs::write(&plain_path, shown).expect("the folder can be written to");
        let address = match name {
            "index.html" => "/".to_owned(),
            name => format!("/{name}"),
        };
        writeln!(
            table,
            "    Asset {{ path: {address:?}, content_type: {content_type:?}, etag: \"\\\"{:016x}\\\"\", \
             plain: include_bytes!({plain_path:?}), packed: include_bytes!({packed_path:?}) }},",
            hasher.finish()
        )
        .expect("a text takes it");
    }
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table).expect("the folder can be written to");
}

/// What a browser needs: without indentation, and without lines that are comments.
fn without_comments(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let is_comment = |line: &str| {
        let is_whole = line.starts_with("/*") && line.ends_with("*/");
        let is_inside = line == "/**" || line.starts_with("* ") || line == "*/";
        line.is_empty() || line.starts_with("//") || is_whole || is_inside
    };
    let kept = lines.filter(|line| !is_comment(line));
    kept.flat_map(|line| [line, "\n"]).collect()
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        match path.is_dir() {
            true => find(&path, files),
            false => files.push(path),
        }
    }
}

/// Of which type a file is; none for one that is not served.
fn content_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" if !name.ends_with(".test.js") => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}
