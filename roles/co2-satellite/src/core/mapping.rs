//! Messages of Kōzō as those of CO2, and back.

use std::str::FromStr;

use kozo_co2::messagepack::{from_messagepack, to_messagepack};
use kozo_co2::value::ValueError;
use kozo_co2::{Allowed, Fault, Struct, Value};

/// Types of events by which satellites tell what has come from CO2. They are never sent back there, by whichever
/// satellite they were told: else a message would go round for ever.
pub(crate) const FOREIGN_EVENTS: [&str; 2] = ["notify", "result"];

/// A method that a role of Kōzō answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Method {
    /// `garage.gate.open`.
    pub(crate) name: String,
    /// `garage.gate`.
    pub(crate) channel: String,
    /// `open`.
    pub(crate) order: String,
}

/// A name that cannot be one of a method.
#[derive(Debug, thiserror::Error)]
#[error(
    "`methods`: `{0}` has to name a channel and an order, with a dot between them, as in `garage.gate.open`"
)]
pub(crate) struct NoMethod(String);

impl FromStr for Method {
    type Err = NoMethod;

    fn from_str(name: &str) -> Result<Self, NoMethod> {
        match name.rsplit_once('.') {
            Some((channel, order)) if !channel.is_empty() && !order.is_empty() => Ok(Self {
                name: name.to_owned(),
                channel: channel.to_owned(),
                order: order.to_owned(),
            }),
            _ => Err(NoMethod(name.to_owned())),
        }
    }
}

/// An event as it is sent to other satellites.
///
/// # Errors
/// Its data cannot be sent.
pub(crate) fn forwarded(
    type_name: &str,
    channel: Option<&str>,
    sender: (&str, &str),
    data: &[u8],
    allowed: Allowed,
) -> Result<Value, ValueError> {
    let text = |text: &str| Value::String(text.to_owned());
    let (role, node) = sender;
    let mut members = Struct::from([
        ("type".to_owned(), text(type_name)),
        ("role".to_owned(), text(role)),
        ("node".to_owned(), text(node)),
    ]);
    if let Some(channel) = channel {
        members.insert("channel".to_owned(), text(channel));
    }
    // Many events have no data, for which XML-RPC has no words: then the key is left out.
    match from_messagepack(
        data,
        Allowed {
            nil: true,
            ..allowed
        },
    )? {
        Value::Nil if !allowed.nil => {}
        _ => {
            members.insert("data".to_owned(), from_messagepack(data, allowed)?);
        }
    }
    // Types and channels are texts of roles, which may hold anything.
    kozo_co2::value::sendable(Value::Struct(members), allowed, "event")
}

/// The data of an order `send`, which may be anything.
///
/// # Errors
/// It cannot be sent.
pub(crate) fn order_data(data: &[u8], allowed: Allowed) -> Result<Value, ValueError> {
    from_messagepack(data, allowed)
}

/// The data of the event `notify`.
///
/// # Errors
/// As [`to_messagepack`].
pub(crate) fn notify_event(host_id: &str, data: &Value) -> Result<Vec<u8>, ValueError> {
    to_messagepack(&Value::Struct(Struct::from([
        ("host_id".to_owned(), Value::String(host_id.to_owned())),
        ("data".to_owned(), data.clone()),
    ])))
}

/// An order `call`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RemoteCall {
    /// Whom to call: a satellite by its id, or the relay when there is none.
    pub(crate) host_id: Option<String>,
    /// What to call.
    pub(crate) method: String,
    /// With what.
    pub(crate) argument: Vec<Value>,
    /// By what whoever ordered it knows the result.
    pub(crate) call: Option<Value>,
}

impl RemoteCall {
    /// Makes of the argument one that may be sent. The rest of a call comes back as it is.
    ///
    /// # Errors
    /// It cannot be sent.
    pub(crate) fn settle(&mut self, allowed: Allowed) -> Result<(), ValueError> {
        for argument in &mut self.argument {
            let value = std::mem::replace(argument, Value::Nil);
            *argument = kozo_co2::value::sendable(value, allowed, "argument")?;
        }
        Ok(())
    }
}

/// Reads the data of an order `call`, whose argument is still to be [settled](RemoteCall::settle).
///
/// # Errors
/// What is wrong with it.
pub(crate) fn remote_call(data: &[u8]) -> Result<RemoteCall, String> {
    const SHAPE: &str =
        "it takes a map with `method`, and perhaps `host_id`, `argument` and `call`";
    let data = from_messagepack(data, Allowed::ALL).map_err(|error| error.to_string())?;
    let Value::Struct(mut members) = data else {
        return Err(SHAPE.to_owned());
    };
    let mut text = |key: &str| match members.remove(key) {
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{key}` is no text: {SHAPE}")),
        None => Ok(None),
    };
    let host_id = text("host_id")?;
    let method = text("method")?.ok_or_else(|| SHAPE.to_owned())?;
    Ok(RemoteCall {
        host_id,
        method,
        argument: members.remove("argument").into_iter().collect(),
        call: members.remove("call"),
    })
}

/// The data of the event `result`.
///
/// # Errors
/// As [`to_messagepack`].
pub(crate) fn result_event(
    call: RemoteCall,
    result: Result<Value, String>,
) -> Result<Vec<u8>, ValueError> {
    let mut members = Struct::from([("method".to_owned(), Value::String(call.method))]);
    if let Some(host_id) = call.host_id {
        members.insert("host_id".to_owned(), Value::String(host_id));
    }
    if let Some(id) = call.call {
        members.insert("call".to_owned(), id);
    }
    match result {
        Ok(value) => members.insert("value".to_owned(), value),
        Err(fault) => members.insert("fault".to_owned(), Value::String(fault)),
    };
    to_messagepack(&Value::Struct(members))
}

/// An event `answer`: of which call, and its result.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) call: String,
    pub(crate) result: Result<Value, Fault>,
}

/// Reads the data of an event `answer`. What cannot be sent is a fault of the role's, and the caller gets to know it.
///
/// # Errors
/// It cannot even be told which call it answers.
pub(crate) fn answer(data: &[u8], allowed: Allowed) -> Result<Answer, String> {
    const SHAPE: &str = "it is no map with `call`, and `value` or `fault`";
    let read = from_messagepack(data, Allowed::ALL).map_err(|error| error.to_string())?;
    let Value::Struct(mut members) = read else {
        return Err(SHAPE.to_owned());
    };
    let Some(Value::String(call)) = members.remove("call") else {
        return Err(SHAPE.to_owned());
    };
    let result = match (members.remove("value"), members.remove("fault")) {
        (_, Some(Value::String(fault))) => Err(Fault::new(kozo_co2::fault::EXCEPTION, fault)),
        (_, Some(other)) => Err(Fault::new(
            kozo_co2::fault::EXCEPTION,
            kozo_co2::log::python(&other),
        )),
        (Some(value), None) => kozo_co2::value::sendable(value, allowed, "value")
            .map_err(|error| Fault::new(kozo_co2::fault::VALUE_ERROR, error)),
        // Whoever has nothing to say has done what it was asked for.
        (None, None) => Ok(Value::String("OK".to_owned())),
    };
    Ok(Answer { call, result })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(value: &Value) -> Vec<u8> {
        to_messagepack(value).unwrap()
    }

    fn members(list: &[(&str, Value)]) -> Value {
        let owned = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
        Value::Struct(list.iter().map(owned).collect())
    }

    fn text(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn a_method_names_a_channel_and_an_order() {
        let method: Method = "garage.gate.open".parse().unwrap();
        assert_eq!((&*method.channel, &*method.order), ("garage.gate", "open"));
        for name in ["open", ".open", "gate.", ""] {
            assert!(name.parse::<Method>().is_err(), "{name}");
        }
    }

    #[test]
    fn an_event_carries_its_sender_and_leaves_out_what_it_has_not() {
        let strict = Allowed::default();
        let sender = ("timer", "clock");
        let data = pack(&Value::Integer(5));
        let event = forwarded("tick", Some("a"), sender, &data, strict).unwrap();
        let whole = [
            ("type", text("tick")),
            ("channel", text("a")),
            ("role", text("timer")),
            ("node", text("clock")),
            ("data", Value::Integer(5)),
        ];
        assert_eq!(event, members(&whole));
        let event = forwarded("tick", None, sender, &pack(&Value::Nil), strict).unwrap();
        assert_eq!(event, members(&[&whole[..1], &whole[2..4]].concat()));
        let nil = Allowed {
            nil: true,
            ..strict
        };
        let event = forwarded("tick", None, sender, &pack(&Value::Nil), nil).unwrap();
        assert!(
            matches!(event, Value::Struct(members) if members.get("data") == Some(&Value::Nil))
        );
        let error = forwarded("a\0", None, sender, &data, strict).unwrap_err();
        assert_eq!(error.place, "event.type");
    }

    #[test]
    fn an_answer_is_a_value_a_fault_or_no_more_than_that_it_was_done() {
        let strict = Allowed::default();
        let read = |list: &[(&str, Value)]| answer(&pack(&members(list)), strict);
        let call = ("call", text("7"));
        let value = read(&[call.clone(), ("value", Value::Integer(1))]).unwrap();
        assert_eq!((&*value.call, value.result), ("7", Ok(Value::Integer(1))));
        assert_eq!(
            read(std::slice::from_ref(&call)).unwrap().result,
            Ok(text("OK"))
        );
        let fault = read(&[call.clone(), ("fault", text("stuck"))])
            .unwrap()
            .result
            .unwrap_err();
        assert_eq!(fault.text, "exceptions.Exception:stuck");
        let wide = read(&[call, ("value", Value::Long(1 << 40))])
            .unwrap()
            .result
            .unwrap_err();
        assert!(
            wide.text.starts_with("exceptions.ValueError:"),
            "{}",
            wide.text
        );
        assert!(read(&[("value", Value::Integer(1))]).is_err());
        assert!(answer(&pack(&Value::Integer(1)), strict).is_err());
    }

    #[test]
    fn a_call_is_read_and_its_result_says_what_it_belongs_to() {
        let order = members(&[
            ("host_id", text("1@a:2")),
            ("method", text("ham.spam.call_me")),
            ("argument", members(&[("a", Value::Integer(1))])),
            // It is for whoever ordered it, and never sent.
            ("call", Value::Long(1 << 40)),
        ]);
        let mut call = remote_call(&pack(&order)).unwrap();
        call.settle(Allowed::default()).unwrap();
        assert_eq!(call.argument, [members(&[("a", Value::Integer(1))])]);
        let result = result_event(call, Err("gone".to_owned())).unwrap();
        let expected = members(&[
            ("host_id", text("1@a:2")),
            ("method", text("ham.spam.call_me")),
            ("call", Value::Long(1 << 40)),
            ("fault", text("gone")),
        ]);
        assert_eq!(from_messagepack(&result, Allowed::ALL), Ok(expected));
        let wrong = |value: &Value| remote_call(&pack(value)).unwrap_err();
        assert!(wrong(&Value::Integer(1)).contains("`method`"));
        assert!(wrong(&members(&[("method", Value::Integer(1))])).contains("no text"));
        assert!(wrong(&members(&[("host_id", text("a"))])).contains("`method`"));
        let wide = members(&[("method", text("ping")), ("argument", Value::Long(1 << 40))]);
        let refused = remote_call(&pack(&wide))
            .unwrap()
            .settle(Allowed::default());
        assert_eq!(refused.unwrap_err().place, "argument");
    }
}
