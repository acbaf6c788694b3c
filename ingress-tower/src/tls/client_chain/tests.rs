use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};

use super::*;

/// The first second of 2030.
const NEW_YEAR: u64 = 1_893_456_000;

fn at(second: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(second))
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    Authority { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
}

impl Authority {
    fn trust(&self) -> Trust {
        crate::tls::trust(self.pem.as_bytes()).unwrap()
    }

    /// A certificate for this year, and for this use if one is named.
    fn issue(&self, year: i32, usage: Option<ExtendedKeyUsagePurpose>) -> ClientChain {
        let mut params = CertificateParams::new(["ann.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(year, 1, 1);
        params.not_after = date_time_ymd(year + 1, 1, 1);
        params.extended_key_usages.extend(usage);
        let own = params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap();
        ClientChain::new([own.der().clone()])
    }
}

#[test]
fn issuer_use_and_time_decide() {
    let (own, other) = (authority(), authority());
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    for (chain, trust, now, want) in [
        (own.issue(2029, None), own.trust(), NEW_YEAR - 1, true),
        (own.issue(2029, Some(ClientAuth)), own.trust(), NEW_YEAR, true),
        (own.issue(2029, Some(ServerAuth)), own.trust(), NEW_YEAR - 1, false),
        (own.issue(2029, None), other.trust(), NEW_YEAR - 1, false),
        (own.issue(2029, None), Trust::none(), NEW_YEAR - 1, false),
        (own.issue(2029, None), own.trust(), NEW_YEAR + 1, false),
        (own.issue(2030, None), own.trust(), NEW_YEAR - 1, false),
        (ClientChain::new([]), own.trust(), NEW_YEAR, false),
        (ClientChain::new([CertificateDer::from(vec![48, 0])]), own.trust(), NEW_YEAR, false),
    ] {
        let found = chain.verify(&trust, at(now));
        assert_eq!(found.is_ok(), want, "{found:?}");
    }
    let long = vec![own.issue(2029, None).certificates()[0].clone(); 2 + MAX_OTHERS];
    assert!(ClientChain::new(long).verify(&own.trust(), at(NEW_YEAR - 1)).is_err());
}

#[test]
fn a_verdict_holds_for_its_authorities_and_no_longer_than_the_certificate() {
    let (own, other) = (authority(), authority());
    let chain = own.issue(2029, None);
    let verify = |authority: &Authority, now| chain.verify(&authority.trust(), at(now)).is_ok();
    for _ in 0..2 {
        assert!(verify(&own, NEW_YEAR - 1) && !verify(&other, NEW_YEAR - 1));
    }
    assert_eq!(chain.0.known.lock().unwrap().len(), 2);
    assert!(verify(&own, NEW_YEAR) && !verify(&own, NEW_YEAR + 1));
    // The clock may be set back.
    assert!(!verify(&own, 0) && verify(&own, NEW_YEAR));
}

#[test]
fn a_certificate_becomes_good_in_its_time() {
    let own = authority();
    let chain = own.issue(2030, None);
    let verify = |now| chain.verify(&own.trust(), at(now)).is_ok();
    assert!(!verify(NEW_YEAR - 1));
    assert!(verify(NEW_YEAR - 1 + BAD_FOR));
}

#[test]
fn few_verdicts_are_remembered() {
    let chain = authority().issue(2029, None);
    for _ in 0..2 * MAX_KNOWN {
        let _ = chain.verify(&authority().trust(), at(NEW_YEAR));
    }
    assert_eq!(chain.0.known.lock().unwrap().len(), MAX_KNOWN);
    assert_eq!(format!("{chain:?}"), "ClientChain { certificates: 1, .. }");
}
