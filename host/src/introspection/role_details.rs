//! What the file makes of a role, and what it remembers.

use kozo_ground::clock;
use kozo_ground::interest::Interests;
use kozo_status::RoleDetails;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::{Introspection, MAX_SHOWN_DATA};
use crate::secrets::is_secret_name;
use crate::storage::{self, role_file};

impl Introspection {
    /// A role of this node in full.
    pub(super) async fn role_details(&self, name: &str) -> Result<RoleDetails, Refusal> {
        let role = &self.roles[self.place_of(name)?];
        let node = self.network.nodes.get(&self.node);
        let described = node.and_then(|node| {
            let mut roles = node.roles.iter();
            roles.find(|described| described.name == *role.name())
        });
        let options = described.and_then(|role| role.options.as_ref());
        let options = options.map(serde_json::to_value).transpose();
        let options = options.map_err(Refusal::Options)?;
        let folder = node.and_then(|node| node.role_storage.clone());
        let file = folder.map(|folder| role_file(&folder, &self.node, role.name()));
        let stored = match file {
            None => None,
            // A disk may take its time.
            Some(file) => tokio::task::spawn_blocking(move || storage::read(&file)).await??,
        };
        let interests = described.map(|role| &role.interests);
        Ok(RoleDetails {
            role: role.status(clock::now()),
            description: described.and_then(|role| role.description.clone()),
            isolated: described.is_some_and(|role| role.isolation.is_some()),
            options: without_secrets(options.unwrap_or_default()),
            interests: match interests {
                Some(Interests::Known(interests)) => interests.clone(),
                _ => Vec::new(),
            },
            stored: stored
                .as_deref()
                .filter(|stored| stored.len() <= MAX_SHOWN_DATA)
                .and_then(|stored| kozo_data::to_value(stored).ok())
                .map(stored_without_secrets)
                .unwrap_or_default(),
            stored_bytes: stored.map(|stored| stored.len()),
        })
    }
}

/// Options without those that are nobody's business.
fn without_secrets(options: Value) -> Map<String, Value> {
    let Value::Object(mut options) = options else {
        return Map::new();
    };
    leave_secrets_out(&mut options);
    options
}

/// What is stored, likewise: a role may have made itself a key.
fn stored_without_secrets(stored: Value) -> Value {
    let mut all = Map::from_iter([("stored".to_owned(), stored)]);
    leave_secrets_out(&mut all);
    all.remove("stored").unwrap_or_default()
}

fn leave_secrets_out(entries: &mut Map<String, Value>) {
    entries.retain(|name, _| !is_secret_name(name));
    let mut values: Vec<&mut Value> = entries.values_mut().collect();
    // Options of a program and variables of its environment are in maps of their own.
    while let Some(value) = values.pop() {
        match value {
            Value::Object(entries) => leave_secrets_out(entries),
            Value::Array(items) => values.extend(items),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_secret_by_its_name_is_left_out() {
        let options = json!({"port": 1, "password": "x", "apiToken": "x", "clientSecret": null});
        let shown = without_secrets(options);
        assert_eq!(Value::Object(shown), json!({"port": 1}));
        assert_eq!(without_secrets(Value::Null), Map::new());
        let shown = without_secrets(json!({
            "environment": {"MODEL": "7", "API_TOKEN": "x"},
            "options": {"hosts": [[{"name": "a", "password": "x"}]]},
        }));
        let expected = json!({
            "environment": {"MODEL": "7"},
            "options": {"hosts": [[{"name": "a"}]]},
        });
        assert_eq!(Value::Object(shown), expected);
        let stored = json!([{"certificate": "a", "secretKey": "x"}, "secret"]);
        let expected = json!([{"certificate": "a"}, "secret"]);
        assert_eq!(stored_without_secrets(stored), expected);
    }
}
