//! What somebody wants of a face, as the data of an order.

use crate::{Data, Face, FaceKind};

/// How many characters a text has at most where the face does not say.
const LONGEST_TEXT: u64 = 255;

/// What somebody wants of a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Input<'i> {
    /// On, of a switch.
    On,
    /// Off, of a switch.
    Off,
    /// That of a button.
    Press,
    /// A number.
    Number(f64),
    /// A text, or one of those that can be chosen.
    Text(&'i str),
}

/// Why a face takes something not.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It takes nothing at all.
    #[error("it takes no orders")]
    NoCommand,
    /// It takes something else.
    #[error("a {0} does not take that")]
    Kind(FaceKind),
    /// The number is too small or too large, or none.
    #[error("{value} is not from {minimum} to {maximum}")]
    Range {
        /// The number.
        value: f64,
        /// The smallest that it takes.
        minimum: f64,
        /// The largest that it takes.
        maximum: f64,
    },
    /// The text is too short or too long.
    #[error("it takes texts of {shortest} to {longest} characters, and this one has {length}")]
    Length {
        /// How many characters it has.
        length: usize,
        /// How many it has at least.
        shortest: u64,
        /// How many it has at most.
        longest: u64,
    },
    /// The text is none of those that can be chosen.
    #[error("that is none of its options")]
    NoOption,
}

impl Face {
    /// The data of its order for what somebody wants.
    ///
    /// # Errors
    /// It does not take that.
    pub fn order_data(&self, input: Input<'_>) -> Result<Data, Refusal> {
        if self.command.is_none() {
            return Err(Refusal::NoCommand);
        }
        match (&self.kind, input) {
            (FaceKind::Switch, Input::On) => Ok(self.on_data().clone()),
            (FaceKind::Switch, Input::Off) => Ok(self.off_data().clone()),
            (FaceKind::Button, Input::Press) => Ok(self.press.clone().unwrap_or(Data::Nothing)),
            (FaceKind::Number, Input::Number(value)) => self.number_data(value),
            (FaceKind::Select, Input::Text(text)) => {
                match self.options.iter().any(|option| option == text) {
                    true => Ok(Data::Text(text.to_owned())),
                    false => Err(Refusal::NoOption),
                }
            }
            (FaceKind::Text, Input::Text(text)) => {
                let length = text.chars().count();
                let (shortest, longest) = (
                    self.shortest.unwrap_or(0),
                    self.longest.unwrap_or(LONGEST_TEXT),
                );
                let fits = u64::try_from(length)
                    .is_ok_and(|length| (shortest..=longest).contains(&length));
                match fits {
                    true => Ok(Data::Text(text.to_owned())),
                    false => Err(Refusal::Length {
                        length,
                        shortest,
                        longest,
                    }),
                }
            }
            (kind, _) => Err(Refusal::Kind(kind.clone())),
        }
    }

    /// A number, as a whole one where the face has only such: a role that counts takes no other.
    fn number_data(&self, value: f64) -> Result<Data, Refusal> {
        let minimum = self.minimum.unwrap_or(f64::NEG_INFINITY);
        let maximum = self.maximum.unwrap_or(f64::INFINITY);
        if !value.is_finite() || value < minimum || value > maximum {
            return Err(Refusal::Range {
                value,
                minimum,
                maximum,
            });
        }
        let is_whole = |number: f64| number.fract() == 0.0 && number.abs() < 1e15;
        let only_whole =
            is_whole(self.step.unwrap_or(1.0)) && is_whole(self.minimum.unwrap_or(0.0));
        Ok(match only_whole && is_whole(value) {
            true => Data::Integer(value as i64),
            false => Data::Number(value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;

    fn face(kind: FaceKind) -> Face {
        let command = Target {
            order: "set".to_owned(),
            channel: None,
        };
        Face {
            command: Some(command),
            ..Face::new("x", kind)
        }
    }

    #[test]
    fn each_kind_takes_what_it_is_for_and_nothing_else() {
        let inputs = [
            Input::On,
            Input::Off,
            Input::Press,
            Input::Number(1.0),
            Input::Text("a"),
        ];
        for kind in FaceKind::ALL {
            let mut face = face(kind.clone());
            face.options = vec!["a".to_owned()];
            let taken: Vec<_> = inputs
                .iter()
                .filter(|input| face.order_data(**input).is_ok())
                .collect();
            let expected: &[Input<'_>] = match kind {
                FaceKind::Switch => &[Input::On, Input::Off],
                FaceKind::Button => &[Input::Press],
                FaceKind::Number => &[Input::Number(1.0)],
                FaceKind::Select | FaceKind::Text => &[Input::Text("a")],
                _ => &[],
            };
            assert_eq!(taken, expected.iter().collect::<Vec<_>>(), "{kind}");
        }
        assert_eq!(
            Face::new("x", FaceKind::Switch).order_data(Input::On),
            Err(Refusal::NoCommand)
        );
    }

    #[test]
    fn on_and_off_and_a_press_are_what_the_role_calls_them() {
        let mut switch = face(FaceKind::Switch);
        assert_eq!(switch.order_data(Input::On), Ok(Data::Boolean(true)));
        assert_eq!(switch.order_data(Input::Off), Ok(Data::Boolean(false)));
        switch.off = Some(Data::Integer(0));
        assert_eq!(switch.order_data(Input::Off), Ok(Data::Integer(0)));
        let mut button = face(FaceKind::Button);
        assert_eq!(button.order_data(Input::Press), Ok(Data::Nothing));
        button.press = Some(Data::Integer(3));
        assert_eq!(button.order_data(Input::Press), Ok(Data::Integer(3)));
    }

    #[test]
    fn a_number_is_in_its_range_and_whole_where_only_such_are() {
        let mut number = face(FaceKind::Number);
        (number.minimum, number.maximum) = (Some(1.0), Some(10.0));
        assert_eq!(number.order_data(Input::Number(5.0)), Ok(Data::Integer(5)));
        assert_eq!(number.order_data(Input::Number(5.5)), Ok(Data::Number(5.5)));
        for value in [0.9, 10.1, f64::NAN, f64::INFINITY] {
            let refused = number.order_data(Input::Number(value));
            assert!(matches!(refused, Err(Refusal::Range { .. })), "{value}");
        }
        number.step = Some(0.5);
        assert_eq!(number.order_data(Input::Number(5.0)), Ok(Data::Number(5.0)));
    }

    #[test]
    fn a_text_has_its_length_and_a_choice_is_an_option() {
        let mut text = face(FaceKind::Text);
        (text.shortest, text.longest) = (Some(2), Some(3));
        assert!(text.order_data(Input::Text("äöü")).is_ok());
        for wrong in ["a", "abcd"] {
            assert!(matches!(
                text.order_data(Input::Text(wrong)),
                Err(Refusal::Length { .. })
            ));
        }
        let select = face(FaceKind::Select);
        assert_eq!(select.order_data(Input::Text("a")), Err(Refusal::NoOption));
    }
}
