//! No value of an option makes the reader panic or hang. For files as a whole, `fuzz/` sees to that.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_value_of_any_option_is_read_or_refused(value in "[ -~]{0,24}") {
        for option in crate::config::options::settings() {
            let _ = load(&and(&format!("{}: {value}\n", option.name)));
        }
        for option in ["publicKey: KEY_A", "privateKey: /var/lib/kozo/key", "tick: 60", "type: timer"] {
            let name = option.split(':').next().unwrap();
            let _ = load(&with(option, &format!("{name}: {value}")));
        }
    }
}
