//! CO2: documents of XML-RPC, as callers send them.

use kozo_co2::document::{read_answer, read_call, write_answer, write_call};
use kozo_co2::messagepack::{from_messagepack, to_messagepack};
use kozo_co2::{Allowed, Value};

/// A document: what is read as a call or an answer is written as one that is read as the same.
pub fn co2_document(bytes: &[u8]) {
    if let Ok(call) = read_call(bytes, None) {
        for argument in &call.arguments {
            becomes_data_and_comes_back(argument);
        }
        let written = write_call(&call.method, call.arguments.clone()).unwrap();
        let again = read_call(written.as_bytes(), None).unwrap();
        assert_eq!(comparable(&again.arguments), comparable(&call.arguments));
        assert_eq!(again.method, call.method);
    }
    if let Ok(answer) = read_answer(bytes, None) {
        let written = write_answer(answer.clone());
        let again = read_answer(written.as_bytes(), None).unwrap();
        match (again, answer) {
            (Ok(again), Ok(value)) => {
                assert_eq!(comparable(&again), comparable(&value));
                becomes_data_and_comes_back(&value);
            }
            (Err(again), Err(fault)) => assert_eq!(again.code, fault.code),
            (again, answer) => panic!("{answer:?} became {again:?}"),
        }
    }
}

fn becomes_data_and_comes_back(value: &Value) {
    let data = to_messagepack(value).unwrap();
    // A struct that stands for a time, say, comes back as the time.
    let once = from_messagepack(&data, Allowed::ALL);
    if let Ok(once) = once {
        let data = to_messagepack(&once).unwrap();
        let twice = from_messagepack(&data, Allowed::ALL).unwrap();
        assert_eq!(comparable(&twice), comparable(&once));
    }
}

/// What is no number is not equal to itself.
fn comparable(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}
