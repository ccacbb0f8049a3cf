//! Binds the addresses that people were told of, before anything slow starts.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::config::Setting;
use crate::failure::Failure;

/// Binds the address of a setting.
///
/// # Errors
/// It is taken, or not ours to listen on; the setting is named.
pub async fn bind(setting: Setting, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| cannot_bind(setting, address, &error))
}

/// Holds the addresses of one process against each other: of two that are the same, the second would be taken.
///
/// # Errors
/// Two are the same; both settings are named.
pub fn check_distinct(addresses: &[(Setting, SocketAddr)]) -> Result<(), Failure> {
    for (n, (setting, address)) in addresses.iter().enumerate() {
        let same = addresses[..n].iter().find(|(_, other)| other == address && address.port() != 0);
        if let Some((other, _)) = same {
            let (one, two) = (other.name(), setting.name());
            return Err(Failure::usage(format!("--{one} and --{two} are both {address}"))
                .hint(format!("choose another address with --{two}")));
        }
    }
    Ok(())
}

/// Why an address could not be listened on, in terms of the setting that gave it.
pub fn cannot_bind(setting: Setting, address: SocketAddr, error: &io::Error) -> Failure {
    let flag = format!("--{}", setting.name());
    match error.kind() {
        ErrorKind::AddrInUse => {
            Failure::run(format!("{flag} {address} is taken: another process listens there"))
                .hint(format!("stop that one, or choose another address with {flag}"))
        }
        ErrorKind::PermissionDenied => {
            Failure::run(format!("{flag} {address} is not for ordinary users: ports below 1024 are root's"))
                .hint(format!("choose a port above 1023 with {flag}"))
        }
        ErrorKind::AddrNotAvailable => {
            Failure::run(format!("{flag} {address} is not an address of this machine"))
                .hint(format!("choose one that is with {flag}, such as 127.0.0.1:{}", address.port()))
        }
        _ => Failure::run(format!("{flag} {address} cannot be listened on: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_an_error_that_names_the_flag() {
        let taken = bind(Setting::Listen, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = taken.local_addr().unwrap();
        let refused = bind(Setting::AdminListen, address).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("--admin-listen {address} is taken")), "{refused}");
        let elsewhere = bind(Setting::Listen, "192.0.2.1:80".parse().unwrap()).await.unwrap_err().to_string();
        assert!(elsewhere.contains("not an address of this machine"), "{elsewhere}");
    }

    #[test]
    fn one_address_for_two_listeners_is_an_error_that_names_both() {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let check = |node: u16, admin: u16| {
            let addresses = [
                (Setting::Listen, at(8080)),
                (Setting::NodeListen, at(node)),
                (Setting::AdminListen, at(admin)),
            ];
            check_distinct(&addresses).map_err(|error| error.to_string())
        };
        assert!(check(1, 2).is_ok() && check(0, 0).is_ok());
        assert!(check(1, 8080).unwrap_err().contains("--listen and --admin-listen are both 127.0.0.1:8080"));
        assert!(check(1, 1).unwrap_err().contains("--node-listen and --admin-listen"));
    }
}
