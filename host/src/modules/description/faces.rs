//! Faces of a module, for people.

use std::fmt::Write as _;

use kozo_faces::Face;
use kozo_ground::text::enumerate;

/// A face in some words. Texts in it are the module's, and may hold anything.
pub(super) fn in_words(face: &Face) -> String {
    let mut text = format!("{} `{}`", face.kind, face.name);
    if let Some(class) = &face.class {
        let _ = write!(text, " of class `{class}`");
    }
    let mut facts: Vec<String> = Vec::new();
    facts.extend(face.category.clone());
    if !face.enabled {
        facts.push("not enabled".to_owned());
    }
    let on = |channel: &Option<String>| match channel {
        Some(channel) => format!(" on channel `{channel}`"),
        None => String::new(),
    };
    if let Some(state) = &face.state {
        let at = match face.value.as_deref() {
            None => String::new(),
            Some("time") => "when it was sent: ".to_owned(),
            Some(path) => format!("`{path}` of "),
        };
        let channel = on(&state.channel);
        facts.push(format!("shows {at}the event `{}`{channel}", state.event));
    }
    if let Some(command) = &face.command {
        let channel = on(&command.channel);
        facts.push(format!("gives the order `{}`{channel}", command.order));
    }
    if let (Some(minimum), Some(maximum)) = (face.minimum, face.maximum) {
        facts.push(format!("from {minimum} to {maximum}"));
    }
    facts.extend(face.unit.as_ref().map(|unit| format!("in {unit}")));
    for (what, words) in [("one of", &face.options), ("tells of", &face.types)] {
        if !words.is_empty() {
            let words = enumerate(words.iter().map(String::as_str), "and");
            facts.push(format!("{what} {words}"));
        }
    }
    for fact in facts {
        let _ = write!(text, ", {fact}");
    }
    text
}

#[cfg(test)]
mod tests {
    use kozo_description::Metadata;

    use super::*;

    #[test]
    fn a_face_is_described_in_the_words_of_its_module() {
        let text = r#"
format: "1.1"
kind: role
name: bell
version: "1"
author: Somebody
description: Rings.
options:
  floor: {type: text, default: null, description: Where it hangs.}
faces:
  bell: {kind: event, class: doorbell, state: {event: rang, channel: "{floor}"}, types: [once, twice]}
  last: {kind: sensor, name: Last of {role}, enabled: false, category: diagnostic, state: {event: rang}, value: time}
  volume: {kind: number, command: {order: louder}, state: {event: loud}, value: a.b, minimum: 0, maximum: 10, unit: dB}
"#;
        let text = text.replace("Last of {role}", "\"Last of {role}\"");
        let faces = Metadata::parse(&text).unwrap().declared_faces();
        let words: Vec<_> = faces.iter().map(in_words).collect();
        assert_eq!(
            words,
            [
                "event `{role}` of class `doorbell`, shows the event `rang` on channel `{floor}`, tells of `once` and `twice`",
                "sensor `Last of {role}`, diagnostic, not enabled, shows when it was sent: the event `rang`",
                "number `{role}`, shows `a.b` of the event `loud`, gives the order `louder`, from 0 to 10, in dB",
            ]
        );
    }
}
