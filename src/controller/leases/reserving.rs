//! What people keep for a while: entries with an end, granted by the same rule as a pod's.

use super::facts::Terms;
use crate::api::reserved::Reservation;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::{Entry, Ledger, Moment, Origin, Uid};

/// Brings what is kept in line with what is asked for. What does not fit now is asked for again at the next look.
/// `is_known`: how many connections there are. Where that is not known, or the budget does not lease, nobody is granted any.
/// `of_lost`: what is left to pods that replace others.
pub fn reserve(
    ledger: &mut Ledger,
    terms: Option<&Terms>,
    (is_known, of_lost): (bool, Connections),
    budget: &str,
    now: Moment,
) {
    let asked = terms.map_or(&[][..], |terms| &terms.reserved);
    let asked: Vec<&Reservation> = asked.iter().filter(|one| end(one) > now).collect();
    for (key, name) in kept(ledger) {
        if !asked.iter().any(|one| one.name == name) {
            ledger.give_back(&key);
        }
    }
    let Some(generation) = terms.filter(|_| is_known).map(|terms| terms.generation) else { return };
    let namespace = budget.split('/').next().unwrap_or_default();
    for one in asked {
        let key: Uid = one.key().into();
        if ledger.knows(&key) {
            continue;
        }
        // Another number, or a later end: what is kept already stays until the new one fits.
        let mut next = ledger.clone();
        for (earlier, _) in kept(ledger).into_iter().filter(|(_, name)| *name == one.name) {
            next.give_back(&earlier);
        }
        let entry = Entry {
            namespace: namespace.to_owned(),
            name: one.name.clone(),
            connections: one.connections,
            origin: Origin::Reserved,
            since: now,
            until: Some(end(one)),
            ..Entry::default()
        };
        let held = next.held(Source::Allocatable) + one.connections.into();
        if held + of_lost <= next.bound(Source::Allocatable) && next.grant(key, entry, generation).is_ok() {
            *ledger = next;
        }
    }
}

/// Keys and names of what is kept.
fn kept(ledger: &Ledger) -> Vec<(Uid, String)> {
    let reserved = ledger.entries().iter().filter(|(_, entry)| entry.origin == Origin::Reserved);
    reserved.map(|(key, entry)| (key.clone(), entry.name.clone())).collect()
}

fn end(one: &Reservation) -> Moment {
    Moment(one.until.0.as_second())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::budget::ledger::adoption::{Replica, adopt};
    use crate::budget::ledger::{Bounds, Phase};

    const NOW: Moment = Moment(1_000);

    fn psql(connections: u32, until: i64) -> Reservation {
        let until = Time(Timestamp::from_second(until).expect("a time"));
        Reservation { name: "psql".into(), connections, until }
    }

    /// Of 10, a pod holds 6.
    fn leasing() -> Ledger {
        let bounds = Bounds { allocatable: Connections::new(10), reserve: Connections::ZERO, generation: 1 };
        let mut ledger = Ledger::born(bounds);
        let replica = Replica { confirmed: Some((1, Moment(0))), live: true };
        ledger.begin(adopt(1, &[replica], 0, NOW, []).expect("everybody gates"));
        ledger.enter("pod".into(), Entry { connections: 6, ..Entry::default() });
        ledger
    }

    fn reserved(ledger: &Ledger) -> Vec<(u32, Option<Moment>)> {
        let reserved = ledger.entries().values().filter(|entry| entry.origin == Origin::Reserved);
        reserved.map(|entry| (entry.connections, entry.until)).collect()
    }

    fn terms(asked: &[Reservation]) -> Terms {
        let room = Connections::ZERO;
        Terms { bounds: None, generation: 1, room, drain: 10, quarantine: 900, reserved: asked.to_vec() }
    }

    fn looked(mut ledger: Ledger, asked: &[Reservation], now: Moment) -> Ledger {
        ledger.expire(now);
        reserve(&mut ledger, Some(&terms(asked)), (true, Connections::ZERO), "shop/db", now);
        ledger
    }

    #[test]
    fn what_fits_is_kept_until_its_end_or_until_it_is_given_back() {
        let kept = looked(leasing(), &[psql(4, 2_000)], NOW);
        assert_eq!(reserved(&kept), [(4, Some(Moment(2_000)))]);
        assert_eq!(kept.held(Source::Allocatable), Connections::new(10));
        assert_eq!(looked(kept.clone(), &[psql(4, 2_000)], Moment(1_999)), kept, "nothing to do");
        assert_eq!(looked(kept.clone(), &[psql(4, 2_000)], Moment(2_000)), leasing(), "its end has come");
        assert_eq!(looked(kept, &[], Moment(1_500)), leasing(), "it is given back");
    }

    #[test]
    fn what_does_not_fit_is_not_kept_and_takes_nothing_away() {
        assert_eq!(looked(leasing(), &[psql(5, 2_000)], NOW), leasing());
        let kept = looked(leasing(), &[psql(3, 2_000)], NOW);
        assert_eq!(looked(kept.clone(), &[psql(5, 3_000)], NOW), kept, "the smaller one stays meanwhile");
        let more = looked(kept, &[psql(4, 3_000)], NOW);
        assert_eq!(reserved(&more), [(4, Some(Moment(3_000)))], "it takes the place of the smaller one");
    }

    #[test]
    fn who_may_not_grant_only_takes_back() {
        let mut adopting = Ledger::born(leasing().bounds());
        reserve(&mut adopting, Some(&terms(&[psql(1, 2_000)])), (true, Connections::ZERO), "shop/db", NOW);
        assert_eq!((adopting.phase(), adopting.entries().len()), (Phase::Adopting, 0));
        let mut unknown = leasing();
        reserve(&mut unknown, Some(&terms(&[psql(1, 2_000)])), (false, Connections::ZERO), "shop/db", NOW);
        assert_eq!(unknown, leasing(), "nobody knows what there is");
        for terms in [None, Some(&terms(&[]))] {
            let mut kept = looked(leasing(), &[psql(4, 2_000)], NOW);
            reserve(&mut kept, terms, (false, Connections::ZERO), "shop/db", NOW);
            assert_eq!(kept, leasing());
        }
    }
}
