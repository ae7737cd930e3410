//! Texts for people: what a terminal would obey is escaped, what is long is cut short, and numbers,
//! tables, names and causes look the same wherever they are shown.

mod causes;
mod columns;
mod invisible;
mod numbers;
mod panic_text;
mod printable;
mod status;
mod table;
mod wording;

pub use causes::error_text;
pub use columns::{columns, cut, padded};
pub use invisible::Invisible;
pub use numbers::{bytes, count, grouped, span};
pub use panic_text::panic_text;
pub use printable::{
    bounded, is_harmful, printable, printable_json, printable_lines, shortened, visible,
};
pub use status::status_line;
pub use table::{Table, Tone, toned};
pub use wording::{enumerate, join_path, nearest, plain, quoted};
