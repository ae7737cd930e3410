//! What a face shows after an event.

use crate::{Data, Face, FaceKind, Found, Path};

/// How many characters of a text are shown.
pub const MAX_SHOWN_TEXT: usize = 255;

/// What a face shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// It is not known how it is: the event says so, with no value.
    Unknown,
    /// It is on.
    On,
    /// It is off.
    Off,
    /// It is at home.
    Home,
    /// It is away, nobody knows where.
    Away,
    /// It has this value: a boolean, a number or a text.
    Value(Data),
    /// This has happened.
    Happened(String),
    /// Its value is the time at which the event was sent.
    Sent,
}

impl Face {
    /// What it shows after its event with this data. None: the data is not such that it says anything about it, or
    /// the face is of a later version.
    pub fn shown(&self, data: &Data) -> Option<Reading> {
        if let (FaceKind::Event, None, [only]) = (&self.kind, &self.value, self.types.as_slice()) {
            return Some(Reading::Happened(only.clone()));
        }
        let value = match &self.value {
            None => data.clone(),
            Some(path) => match Path::parse(path).ok()?.find(data)? {
                Found::Data(data) => data.clone(),
                Found::Count(count) => Data::Integer(i64::try_from(count).ok()?),
                Found::Time if self.kind == FaceKind::Sensor => return Some(Reading::Sent),
                Found::Time => return None,
            },
        };
        match self.kind {
            FaceKind::Event => {
                let happened = value.text()?;
                let mut types = self.types.iter();
                let known = types.find(|known| *known == happened)?;
                Some(Reading::Happened(known.clone()))
            }
            FaceKind::Button | FaceKind::Other(_) => None,
            _ if value == Data::Nothing && !self.means_something(&value) => Some(Reading::Unknown),
            FaceKind::Switch | FaceKind::BinarySensor => match () {
                () if value.is_same(self.on_data()) => Some(Reading::On),
                () if value.is_same(self.off_data()) => Some(Reading::Off),
                () => None,
            },
            FaceKind::DeviceTracker => {
                let home = self.home.as_ref().unwrap_or(&Data::Boolean(true));
                let away = self.away.as_ref().unwrap_or(&Data::Boolean(false));
                match value {
                    value if value.is_same(home) => Some(Reading::Home),
                    value if value.is_same(away) => Some(Reading::Away),
                    // The name of a place.
                    Data::Text(place) => Some(Reading::Value(Data::Text(cut(place)))),
                    _ => None,
                }
            }
            FaceKind::Number => value.number().map(|_| Reading::Value(value)),
            FaceKind::Select => {
                let known = |text: &str| self.options.iter().any(|option| option == text);
                value
                    .text()
                    .is_some_and(known)
                    .then_some(Reading::Value(value))
            }
            FaceKind::Sensor | FaceKind::Text => match value {
                Data::Text(text) => Some(Reading::Value(Data::Text(cut(text)))),
                value if value.is_single() => Some(Reading::Value(value)),
                _ => None,
            },
        }
    }

    /// The further facts in its event with this data: always a map. None where there are none.
    pub fn further_facts(&self, data: &Data) -> Option<Data> {
        let path = Path::parse(self.attributes.as_deref()?).ok()?;
        let single = |value| Data::Map(vec![("value".to_owned(), value)]);
        match path.find(data)? {
            Found::Data(Data::Nothing) | Found::Time => None,
            Found::Data(map @ Data::Map(_)) => Some(map.clone()),
            Found::Data(other) => Some(single(other.clone())),
            Found::Count(count) => Some(single(Data::Integer(i64::try_from(count).ok()?))),
        }
    }

    /// What stands for on.
    pub(crate) fn on_data(&self) -> &Data {
        self.on.as_ref().unwrap_or(&Data::Boolean(true))
    }

    /// What stands for off.
    pub(crate) fn off_data(&self) -> &Data {
        self.off.as_ref().unwrap_or(&Data::Boolean(false))
    }

    /// Whether one of its words is this very value.
    fn means_something(&self, value: &Data) -> bool {
        let words = [&self.on, &self.off, &self.home, &self.away];
        words.into_iter().flatten().any(|word| word.is_same(value))
    }
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_SHOWN_TEXT) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn data(value: Value) -> Data {
        serde_json::from_value(value).unwrap()
    }

    fn text(text: &str) -> Data {
        Data::Text(text.to_owned())
    }

    #[test]
    fn a_switch_is_on_or_off_by_its_own_words() {
        let mut lamp = Face::new("lamp", FaceKind::Switch);
        assert_eq!(lamp.shown(&data(json!(true))), Some(Reading::On));
        assert_eq!(lamp.shown(&data(json!(false))), Some(Reading::Off));
        assert_eq!(lamp.shown(&data(json!(null))), Some(Reading::Unknown));
        assert_eq!(lamp.shown(&data(json!("on"))), None);
        (lamp.on, lamp.off) = (Some(Data::Integer(1)), Some(text("no")));
        lamp.value = Some("state".to_owned());
        assert_eq!(lamp.shown(&data(json!({"state": 1.0}))), Some(Reading::On));
        assert_eq!(
            lamp.shown(&data(json!({"state": "no"}))),
            Some(Reading::Off)
        );
        assert_eq!(lamp.shown(&data(json!({"other": 1}))), None);
    }

    #[test]
    fn a_sensor_has_a_single_value() {
        let mut sensor = Face::new("inRange", FaceKind::Sensor);
        let devices = data(json!({"a": "phone", "b": ""}));
        assert_eq!(sensor.shown(&devices), None);
        assert_eq!(sensor.further_facts(&devices), None);
        sensor.value = Some("count".to_owned());
        sensor.attributes = Some(".".to_owned());
        assert_eq!(
            sensor.shown(&devices),
            Some(Reading::Value(Data::Integer(2)))
        );
        assert_eq!(sensor.further_facts(&devices), Some(devices.clone()));
        sensor.attributes = Some("a".to_owned());
        assert_eq!(
            sensor.further_facts(&devices),
            Some(data(json!({"value": "phone"})))
        );
        sensor.value = Some("time".to_owned());
        assert_eq!(sensor.shown(&devices), Some(Reading::Sent));
        sensor.value = Some("a path of a later version[".repeat(20));
        assert_eq!(sensor.shown(&devices), None);
    }

    #[test]
    fn a_text_is_cut_where_nobody_would_read_on() {
        let sensor = Face::new("last", FaceKind::Sensor);
        let Some(Reading::Value(Data::Text(shown))) = sensor.shown(&text(&"ö".repeat(300))) else {
            panic!("it shows no text");
        };
        assert_eq!(shown.chars().count(), MAX_SHOWN_TEXT);
    }

    #[test]
    fn an_event_is_one_of_its_types() {
        let mut bell = Face::new("bell", FaceKind::Event);
        bell.types = vec!["rang".to_owned()];
        assert_eq!(
            bell.shown(&data(json!(5))),
            Some(Reading::Happened("rang".to_owned()))
        );
        bell.types.push("knocked".to_owned());
        assert_eq!(bell.shown(&data(json!(5))), None);
        assert_eq!(
            bell.shown(&text("knocked")),
            Some(Reading::Happened("knocked".to_owned()))
        );
        assert_eq!(bell.shown(&text("fell")), None);
    }

    #[test]
    fn a_choice_is_one_of_its_options_and_a_number_a_number() {
        let mut chime = Face::new("chime", FaceKind::Select);
        chime.options = vec!["ding".to_owned()];
        assert_eq!(
            chime.shown(&text("ding")),
            Some(Reading::Value(text("ding")))
        );
        assert_eq!(chime.shown(&text("dong")), None);
        let volume = Face::new("volume", FaceKind::Number);
        assert_eq!(
            volume.shown(&data(json!(1.5))),
            Some(Reading::Value(Data::Number(1.5)))
        );
        assert_eq!(volume.shown(&text("1")), None);
    }

    #[test]
    fn somebody_is_at_home_or_away_or_elsewhere() {
        let mut phone = Face::new("phone", FaceKind::DeviceTracker);
        assert_eq!(phone.shown(&data(json!(true))), Some(Reading::Home));
        assert_eq!(phone.shown(&data(json!(false))), Some(Reading::Away));
        assert_eq!(
            phone.shown(&text("work")),
            Some(Reading::Value(text("work")))
        );
        assert_eq!(phone.shown(&data(json!(3))), None);
        phone.home = Some(text("work"));
        assert_eq!(phone.shown(&text("work")), Some(Reading::Home));
    }

    #[test]
    fn a_button_and_what_is_not_known_show_nothing() {
        for kind in [FaceKind::Button, FaceKind::Other("cover".to_owned())] {
            assert_eq!(Face::new("x", kind).shown(&Data::Nothing), None);
        }
    }
}
