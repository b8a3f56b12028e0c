//! An authority of our own, the certificate it signs, and when each is exchanged. Pure: the time goes in.
//!
//! Nobody is ever shown a certificate that they cannot check. A new authority is published a day before it signs, and an
//! old one stays published until it expires, so servers and API servers may each be late by a day.
//!
//! | what | lasts | is exchanged |
//! |---|---|---|
//! | authority | 10 years | published when a third is left, signs a day later |
//! | certificate | 90 days | when a third is left, or its names change |

use jiff::{Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use serde::{Deserialize, Serialize};

const DAY: i64 = 24 * 60 * 60;

/// How long things last, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// An authority.
    pub authority: i64,
    /// What it signs.
    pub certificate: i64,
    /// From publishing an authority to signing with it.
    pub overlap: i64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { authority: 3_650 * DAY, certificate: 90 * DAY, overlap: DAY }
    }
}

/// One authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authority {
    name: String,
    certificate: String,
    key: String,
    issued: i64,
    expires: i64,
}

/// The certificate that is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// In PEM.
    pub certificate: String,
    /// Its key, in PEM.
    pub key: String,
    names: Vec<String>,
    issued: i64,
    expires: i64,
}

/// All that is kept. The first authority signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    authorities: Vec<Authority>,
    /// What servers show.
    pub served: Served,
}

impl State {
    /// An authority and a certificate for these names, from nothing.
    ///
    /// # Errors
    /// When no key can be made, or a name is none.
    pub fn new(names: &[String], now: i64, lifetimes: Lifetimes) -> Result<Self, rcgen::Error> {
        let authority = Authority::new(now, lifetimes)?;
        let served = authority.sign(names, now, lifetimes)?;
        Ok(Self { authorities: vec![authority], served })
    }

    /// What API servers are to trust: one PEM after the other.
    #[must_use]
    pub fn bundle(&self) -> String {
        self.authorities.iter().map(|authority| authority.certificate.as_str()).collect()
    }

    /// The next step of the exchange; nothing where none is due.
    ///
    /// # Errors
    /// When no key can be made, or a name is none.
    pub fn next(&self, names: &[String], now: i64, lifetimes: Lifetimes) -> Result<Option<Self>, rcgen::Error> {
        let Some(signing) = self.authorities.first().filter(|authority| authority.expires > now) else {
            return Self::new(names, now, lifetimes).map(Some);
        };
        let mut next = self.clone();
        next.authorities.retain(|authority| authority.expires > now);
        let successor = next.authorities.iter().position(|authority| authority.issued > signing.issued);
        match successor {
            Some(at) if now >= next.authorities[at].issued + lifetimes.overlap => {
                let successor = next.authorities.remove(at);
                next.served = successor.sign(names, now, lifetimes)?;
                next.authorities.insert(0, successor);
            }
            None if is_due(signing.issued, signing.expires, now) => {
                next.authorities.push(Authority::new(now, lifetimes)?);
            }
            _ => {}
        }
        if is_due(next.served.issued, next.served.expires, now) || next.served.names != names {
            next.served = next.authorities[0].sign(names, now, lifetimes)?;
        }
        Ok((next != *self).then_some(next))
    }
}

/// Whether only a third is left.
fn is_due(issued: i64, expires: i64, now: i64) -> bool {
    expires - now <= (expires - issued) / 3
}

impl Authority {
    fn new(now: i64, lifetimes: Lifetimes) -> Result<Self, rcgen::Error> {
        let name = format!("dbbudget webhook authority {now}");
        let (key, expires) = (KeyPair::generate()?, now + lifetimes.authority);
        let certificate = Self::parameters(&name, now, expires).self_signed(&key)?.pem();
        Ok(Self { name, certificate, key: key.serialize_pem(), issued: now, expires })
    }

    fn parameters(name: &str, issued: i64, expires: i64) -> CertificateParams {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = common_name(name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        lasts(&mut parameters, issued, expires);
        parameters
    }

    fn sign(&self, names: &[String], now: i64, lifetimes: Lifetimes) -> Result<Served, rcgen::Error> {
        let issuer =
            Issuer::new(Self::parameters(&self.name, self.issued, self.expires), KeyPair::from_pem(&self.key)?);
        let (key, expires) = (KeyPair::generate()?, now + lifetimes.certificate);
        let mut parameters = CertificateParams::new(names)?;
        parameters.distinguished_name = common_name("dbbudget webhook");
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        lasts(&mut parameters, now, expires);
        let certificate = parameters.signed_by(&key, &issuer)?.pem();
        Ok(Served { certificate, key: key.serialize_pem(), names: names.to_vec(), issued: now, expires })
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Dates have whole days here: a certificate begins a day earlier and ends a day later than is counted with.
fn lasts(parameters: &mut CertificateParams, from: i64, to: i64) {
    let date = |seconds: i64| {
        let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC).date();
        date_time_ymd(at.year().into(), at.month().unsigned_abs(), at.day().unsigned_abs())
    };
    (parameters.not_before, parameters.not_after) = (date(from - DAY), date(to + DAY));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    use super::*;

    const START: i64 = 1_800_000_000;

    fn names() -> Vec<String> {
        vec!["dbbudget-webhook.dbbudget.svc".to_owned(), "127.0.0.1".to_owned()]
    }

    /// Whether an API server that trusts a bundle takes a certificate.
    fn trusts(bundle: &State, shown: &State, name: &'static str, now: i64) -> bool {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(bundle.bundle().as_bytes()) {
            roots.add(root.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let leaf = CertificateDer::from_pem_slice(shown.served.certificate.as_bytes()).unwrap();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(now.unsigned_abs()));
        verifier.verify_server_cert(&leaf, &[], &ServerName::try_from(name).unwrap(), &[], at).is_ok()
    }

    #[test]
    fn what_is_signed_is_trusted_for_its_names_alone() {
        let state = State::new(&names(), START, Lifetimes::default()).unwrap();
        assert!(trusts(&state, &state, "dbbudget-webhook.dbbudget.svc", START));
        assert!(trusts(&state, &state, "127.0.0.1", START));
        assert!(!trusts(&state, &state, "example.test", START));
        let other = State::new(&names(), START, Lifetimes::default()).unwrap();
        assert!(!trusts(&other, &state, "127.0.0.1", START));
        assert_eq!(state.next(&names(), START + DAY, Lifetimes::default()).unwrap(), None, "nothing is due");
    }

    #[test]
    fn a_new_name_is_signed_at_once() {
        let state = State::new(&names(), START, Lifetimes::default()).unwrap();
        let next = state.next(&["10.0.0.1".to_owned()], START, Lifetimes::default()).unwrap().unwrap();
        assert!(trusts(&state, &next, "10.0.0.1", START));
    }

    /// Years of exchanges: whoever is a day late, on either side, still trusts what it is shown.
    #[test]
    fn at_no_time_is_anybody_shown_what_they_cannot_check() {
        let lifetimes = Lifetimes { authority: 40 * DAY, certificate: 9 * DAY, overlap: DAY };
        let mut states = vec![State::new(&names(), START, lifetimes).unwrap()];
        let (mut authorities, mut certificates) = (0, 0);
        for day in 1..120 {
            let now = START + day * DAY;
            let before = states.last().unwrap().clone();
            let after = before.next(&names(), now, lifetimes).unwrap().unwrap_or_else(|| before.clone());
            authorities += i32::from(after.authorities[0] != before.authorities[0]);
            certificates += i32::from(after.served != before.served);
            for (bundle, shown) in [(&before, &after), (&after, &before), (&after, &after)] {
                assert!(trusts(bundle, shown, "127.0.0.1", now), "day {day}");
            }
            states.push(after);
        }
        assert!(authorities >= 3 && certificates >= 15, "{authorities} and {certificates} were exchanged");
    }

    #[test]
    fn whoever_slept_for_years_begins_anew() {
        let lifetimes = Lifetimes::default();
        let state = State::new(&names(), START, lifetimes).unwrap();
        let now = START + lifetimes.authority + DAY;
        let next = state.next(&names(), now, lifetimes).unwrap().unwrap();
        assert!(trusts(&next, &next, "127.0.0.1", now));
    }
}
