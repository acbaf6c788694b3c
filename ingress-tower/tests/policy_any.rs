//! One proof is enough, or all are needed: every combination of what can be said of who may send requests.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/ordered.rs"]
mod ordered;
mod support;

use ingress_core::Policy;
use ordered::*;

/// What is said of one policy: nothing, or something that a client passes or fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Nothing,
    Passes,
    Fails,
    /// Fails in another way.
    Down,
}
use Said::*;

/// All that is said of who may send requests.
#[derive(Clone, Copy, Debug)]
struct Case {
    any: bool,
    closed: bool,
    deny: bool,
    allow: Said,
    certificate: Said,
    token: Said,
    basic: Said,
    external: Said,
}

/// What sets the policy of a name.
fn set(policy: &mut Policy, slot: &str, said: Said) {
    let set = match said {
        Nothing => return,
        Passes => PASSING.iter().find(|passing| passing.slot == slot).unwrap().set,
        Fails => ENDINGS.iter().find(|ending| ending.slot == slot).unwrap().set,
        Down => ENDINGS.iter().rfind(|ending| ending.slot == slot).unwrap().set,
    };
    set(policy);
}

impl Case {
    fn policy(self) -> Policy {
        let mut policy = Policy::default();
        if self.closed {
            set(&mut policy, "closed", Fails);
        }
        if self.deny {
            set(&mut policy, "deny", Fails);
        }
        for (slot, said) in [
            ("allow", self.allow),
            ("certificate", self.certificate),
            ("token", self.token),
            ("basic", self.basic),
            ("external", self.external),
        ] {
            set(&mut policy, slot, said);
        }
        policy.authentication.any = Some(self.any);
        policy
    }

    /// What a client is told that has no certificate and no token, and the password of ada.
    fn want(self) -> &'static str {
        if self.closed {
            return "503 closed";
        }
        if self.deny {
            return "403 forbidden";
        }
        let is_proof = self.certificate != Nothing
            || self.token != Nothing
            || self.basic != Nothing
            || self.external != Nothing;
        let any = self.any && is_proof;
        // Where one is enough, a certificate that is optional and not there proves nothing.
        let certificate = self.certificate == Fails || (any && self.certificate == Passes);
        let external = match self.external {
            Down => Some("503 auth_failed"),
            Fails => Some("418"),
            _ => None,
        };
        let token = (self.token != Nothing).then_some("401 unauthorized Bearer");
        let basic = (self.basic == Fails).then_some("401 unauthorized Basic");
        let certificate = certificate.then_some("403 no_client_certificate");
        if any {
            let proved = [self.allow, self.basic, self.external].contains(&Passes);
            // A browser can do something about a password or a token, and nothing about a certificate.
            let told = match external {
                Some("418") => token.or(basic).or(external).or(certificate),
                _ => token.or(basic).or(certificate).or(external),
            };
            return if proved { "200" } else { told.unwrap_or("403 forbidden") };
        }
        let allow = (self.allow == Fails).then_some("403 forbidden");
        allow.or(certificate).or(token).or(basic).or(external).unwrap_or("200")
    }
}

fn cases() -> Vec<Case> {
    let none = Case {
        any: false,
        closed: false,
        deny: false,
        allow: Nothing,
        certificate: Nothing,
        token: Nothing,
        basic: Nothing,
        external: Nothing,
    };
    let mut cases = vec![none];
    let both = [false, true];
    cases = cases.into_iter().flat_map(|case| both.map(|any| Case { any, ..case })).collect();
    cases = cases.into_iter().flat_map(|case| both.map(|closed| Case { closed, ..case })).collect();
    cases = cases.into_iter().flat_map(|case| both.map(|deny| Case { deny, ..case })).collect();
    let three = [Nothing, Passes, Fails];
    cases = cases.into_iter().flat_map(|case| three.map(|allow| Case { allow, ..case })).collect();
    cases =
        cases.into_iter().flat_map(|case| three.map(|certificate| Case { certificate, ..case })).collect();
    cases = cases.into_iter().flat_map(|case| [Nothing, Fails].map(|token| Case { token, ..case })).collect();
    cases = cases.into_iter().flat_map(|case| three.map(|basic| Case { basic, ..case })).collect();
    let four = [Nothing, Passes, Fails, Down];
    cases.into_iter().flat_map(|case| four.map(|external| Case { external, ..case })).collect()
}

/// Closed routes and denied addresses refuse everybody. Beyond that an allow list and each proof are needed, or, where any is
/// enough, one of them. Who is refused reaches nobody but the service that says so.
#[tokio::test]
async fn who_passes_where_all_or_any_are_needed() {
    let cases = cases();
    assert_eq!(cases.len(), 1728);
    for case in cases {
        let world = World::new([case.policy(), Policy::default(), Policy::default()]).await;
        let answer = world.send().await;
        assert_eq!(told(&answer), case.want(), "{case:?}");
        let mut asked = world.asked.take().await;
        let reached = asked.len();
        asked.retain(|name| !["layer", "mirror", "shop"].contains(name));
        assert_eq!(reached - asked.len(), if answer.status() == 200 { 3 } else { 0 }, "{case:?}");
        assert!(asked.iter().all(|name| ["yes", "no", "down"].contains(name)), "{case:?} {asked:?}");
    }
}

/// Browsers are asked for all that they can show, where they have no certificate.
#[tokio::test]
async fn challenges_stand_before_a_missing_certificate() {
    let mut policy = Policy::default();
    for slot in ["certificate", "token", "basic"] {
        set(&mut policy, slot, Fails);
    }
    policy.authentication.any = Some(true);
    let world = World::new([policy, Policy::default(), Policy::default()]).await;
    let answer = world.send().await;
    let challenges = answer.headers().get_all("www-authenticate").iter();
    let schemes: Vec<_> =
        challenges.map(|value| value.to_str().unwrap().split(' ').next().unwrap()).collect();
    assert_eq!((answer.status().as_u16(), schemes), (401, vec!["Bearer", "Basic"]));
}
