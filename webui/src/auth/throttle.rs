//! Log-in tries are limited per address, five at once, then one a minute, and per account over all addresses but
//! loopback, twenty at once, then one in half a minute. A try that was right does not count: behind `ssh -L` or one router
//! many people have one address. A refused try costs no hash. Who sits at the machine itself is never locked out by
//! strangers.
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

const ADDRESS_TRIES: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
const ADDRESS_PERIOD: Duration = Duration::from_secs(60);
const ACCOUNT_TRIES: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);
const ACCOUNT_PERIOD: Duration = Duration::from_secs(30);
/// Keys that are remembered before those at rest are forgotten.
const MOST_KEYS: usize = 10_000;

/// Counts tries.
#[derive(Debug)]
pub struct Throttle {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    accounts: DefaultKeyedRateLimiter<String>,
    address_credits: Credits<IpAddr>,
    account_credits: Credits<String>,
    clock: DefaultClock,
}

impl Default for Throttle {
    fn default() -> Self {
        let quota = |period, tries| {
            Quota::with_period(period).unwrap_or(Quota::per_minute(NonZeroU32::MIN)).allow_burst(tries)
        };
        Self {
            addresses: RateLimiter::keyed(quota(ADDRESS_PERIOD, ADDRESS_TRIES)),
            accounts: RateLimiter::keyed(quota(ACCOUNT_PERIOD, ACCOUNT_TRIES)),
            address_credits: Credits::default(),
            account_credits: Credits::default(),
            clock: DefaultClock::default(),
        }
    }
}

impl Throttle {
    /// Counts a try.
    ///
    /// # Errors
    /// How long to wait until the next one is allowed.
    pub fn try_now(&self, address: IpAddr, account: &str) -> Result<(), Duration> {
        self.forget();
        let network = network(address);
        // by address first: who is stopped there does not use up the tries of an account that is not theirs
        let checked = self.addresses.check_key(&network);
        self.address_credits
            .or_spent(&network, checked.map_err(|wait| wait.wait_time_from(self.clock.now())))?;
        if network.is_loopback() {
            return Ok(());
        }
        let name = account.to_lowercase();
        let checked = self.accounts.check_key(&name);
        self.account_credits.or_spent(&name, checked.map_err(|wait| wait.wait_time_from(self.clock.now())))
    }

    /// Gives the try back: the password was right.
    pub fn was_right(&self, address: IpAddr, account: &str) {
        let network = network(address);
        self.address_credits.give(network);
        if !network.is_loopback() {
            self.account_credits.give(account.to_lowercase());
        }
    }

    fn forget(&self) {
        if self.addresses.len() > MOST_KEYS || self.accounts.len() > MOST_KEYS {
            self.addresses.retain_recent();
            self.accounts.retain_recent();
        }
    }
}

/// Tries given back, which the limiters cannot take. No more than are allowed at once anyway: who knows one password and
/// saves them up to guess another has gained nothing that matters.
#[derive(Debug)]
struct Credits<K>(Mutex<HashMap<K, u32>>);

impl<K> Default for Credits<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash> Credits<K> {
    fn give(&self, key: K) {
        let mut credits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if credits.len() >= MOST_KEYS {
            credits.clear();
        }
        let credit = credits.entry(key).or_insert(0);
        *credit = (*credit + 1).min(ADDRESS_TRIES.get());
    }

    /// What the limiter said, or Ok for a credit.
    fn or_spent(&self, key: &K, checked: Result<(), Duration>) -> Result<(), Duration> {
        let Err(wait) = checked else { return Ok(()) };
        let mut credits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match credits.get_mut(key) {
            Some(credit) if *credit > 0 => {
                *credit -= 1;
                Ok(())
            }
            _ => Err(wait),
        }
    }
}

/// Who has one IPv6 address usually has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_try_waits_and_a_neighbour_in_the_same_64_waits_with_it() {
        let throttle = Throttle::default();
        for _ in 0..5 {
            throttle.try_now("2001:db8::1".parse().unwrap(), "admin").unwrap();
        }
        let wait = throttle.try_now("2001:db8::2".parse().unwrap(), "other").unwrap_err();
        assert!(wait <= Duration::from_secs(60) && wait > Duration::from_secs(50), "{wait:?}");
        throttle.try_now("2001:db8:1::1".parse().unwrap(), "admin").unwrap();
    }

    #[test]
    fn right_tries_do_not_count_and_do_not_open_the_door_to_guessing() {
        let throttle = Throttle::default();
        let address = "127.0.0.1".parse().unwrap();
        for _ in 0..50 {
            throttle.try_now(address, "admin").unwrap();
            throttle.was_right(address, "admin");
        }
        let guesses = (0..100).filter(|_| throttle.try_now(address, "admin").is_ok()).count();
        assert!(guesses <= 10, "{guesses}");
    }

    #[test]
    fn many_addresses_cannot_guess_one_account_and_do_not_lock_out_this_machine() {
        let throttle = Throttle::default();
        let refused =
            (0..100_u8).filter(|last| throttle.try_now([192, 0, 2, *last].into(), "admin").is_err()).count();
        assert_eq!(refused, 80);
        throttle.try_now("127.0.0.1".parse().unwrap(), "admin").unwrap();
    }
}
