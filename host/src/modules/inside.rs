//! Whose code a thread is in, while it is in a role's.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Mutex;

use kozo_ground::lock::LockAnyway;

use super::signals;

thread_local! {
    /// This holds nothing that has to be dropped: `exit` looks at it when a thread's values are gone already.
    static CALLED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// A call into a role. When this is dropped, the thread is out of it again.
#[derive(Debug)]
pub(super) struct Inside(&'static str);

impl Inside {
    /// `label` names the role: [`label`] makes it.
    pub(super) fn of(label: &'static str) -> Self {
        CALLED.set(Some(label));
        Self(label)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        CALLED.set(None);
        signals::take_back(Some(self.0));
    }
}

/// Whose call this thread is in.
pub(super) fn called() -> Option<&'static str> {
    CALLED.get()
}

/// A role as messages name it. Each is kept for good, once.
pub(super) fn label(role: &str, module: &str) -> &'static str {
    static LABELS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let label = format!("the role `{role}` (module `{module}`)");
    let mut labels = LABELS.lock_anyway();
    if let Some(known) = labels.get(label.as_str()) {
        return known;
    }
    let label: &'static str = Box::leak(label.into_boxed_str());
    labels.insert(label);
    label
}
