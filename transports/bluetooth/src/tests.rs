//! What needs no adapter. Two nodes that talk are a case of `hardware/cases`.

use kozo_abi::Error;
use kozo_abi::bench::{StartedTransport, TransportBench};

use super::BluetoothTransport;

const UUID: &str = "0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c45";

fn bench() -> TransportBench<BluetoothTransport> {
    TransportBench::new().option("uuid", UUID)
}

fn refused(bench: TransportBench<BluetoothTransport>) -> String {
    bench.start().unwrap_err().to_string()
}

#[test]
fn a_uuid_is_required_and_has_to_be_one() {
    let missing = refused(TransportBench::new());
    assert!(missing.contains("a transport of type `bluetooth` needs the option `uuid`"));
    let wrong = refused(bench().option("uuid", "1234").older_host());
    assert_eq!(wrong, "`uuid`: `1234` is no UUID: `uuidgen` makes one");
}

#[test]
fn an_address_has_to_be_one() {
    let wrong = refused(bench().option("address", "00:1A:7D:DA:71").older_host());
    assert!(wrong.starts_with("`address`: `00:1A:7D:DA:71` is no Bluetooth address"));
    let nobody = refused(bench().option("address", "00:00:00:00:00:00").older_host());
    assert!(nobody.contains("the address of no device"), "{nobody}");
}

#[test]
fn a_peer_with_an_address_is_dialled_there_and_one_without_is_searched_for() -> Result<(), Error> {
    let own = bench().start()?;
    let addressed = bench().option("address", "00:1a:7d:da:71:13").start()?;
    assert_eq!(own.addresses(&addressed.peer())?, ["00:1A:7D:DA:71:13"]);
    assert_eq!(own.addresses(&own.peer())?, [UUID]);
    Ok(())
}

#[test]
fn it_is_a_bad_way_that_goes_both_ways() -> Result<(), Error> {
    let transport = bench().start()?;
    assert_eq!(transport.priority()?, 1);
    assert!(transport.can_accept()? && transport.can_connect(&transport.peer())?);
    Ok(())
}

/// On a machine with Bluetooth this would listen in earnest.
fn has_bluetooth() -> bool {
    let has = std::path::Path::new("/sys/class/bluetooth/hci0").exists();
    if has {
        println!("skipped: this machine has Bluetooth");
    }
    has
}

#[test]
fn without_bluetooth_it_says_what_is_missing_and_can_still_be_stopped() -> Result<(), Error> {
    if has_bluetooth() {
        return Ok(());
    }
    let transport: StartedTransport = bench().option("address", "00:1a:7d:da:71:13").start()?;
    transport.local_init()?;
    for _ in 0..2 {
        let error = transport.bind().unwrap_err().to_string();
        let says = ["Bluetooth sockets", "D-Bus", "`bluetoothd`", "adapter"];
        assert!(says.iter().any(|part| error.contains(part)), "{error}");
    }
    let error = transport.accept().unwrap_err().to_string();
    assert_eq!(error, "it does not listen yet");
    let limit = std::time::Duration::from_secs(60);
    let dialled = transport.connect(&transport.peer(), "00:1A:7D:DA:71:13", limit);
    assert!(dialled.is_err());
    transport.stop()
}
