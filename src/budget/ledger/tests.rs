use super::adoption::{Listed, NotYet, Replica, adopt};
use super::ended::{Answer, PodSeen, Verdict, judge};
use super::*;

const LEASING: Bounds = Bounds { allocatable: Connections::new(13), reserve: Connections::new(2), generation: 4 };

fn uid(text: &str) -> Uid {
    text.into()
}

fn entry(connections: u32) -> Entry {
    Entry { connections, ..Entry::default() }
}

fn leasing() -> Ledger {
    let mut ledger = Ledger::born(LEASING);
    ledger.begin(adopt(4, &[CONFIRMED], adoption::SETTLE, Moment(100), []).unwrap());
    ledger
}

const CONFIRMED: Replica = Replica { confirmed: Some((4, Moment(40))), live: true };

#[test]
fn a_grant_fits_what_is_recorded_or_is_refused() {
    let mut ledger = Ledger::born(LEASING);
    assert_eq!(ledger.grant(uid("a"), entry(1), 4), Err(Refusal::Adopting));
    let mut ledger = leasing();
    assert_eq!(ledger.grant(uid("a"), entry(10), 3), Err(Refusal::Outdated));
    assert_eq!(ledger.grant(uid("a"), entry(10), 4), Ok(()));
    assert_eq!(ledger.grant(uid("b"), entry(4), 4), Err(Refusal::NoRoom));
    assert_eq!(ledger.grant(uid("b"), entry(3), 5), Ok(()));
    assert_eq!(ledger.grant(uid("a"), entry(1), 4), Ok(()), "it has its entry");
    assert_eq!(ledger.entries()["a"].connections, 10, "which never changes");
    let migration = Entry { source: Source::Reserve, ..entry(2) };
    assert_eq!(ledger.grant(uid("m"), migration, 4), Ok(()), "the reserve is counted by itself");
}

#[test]
fn facts_are_entered_whatever_the_sum_and_nothing_is_granted_until_it_fits_again() {
    let mut ledger = leasing();
    ledger.enter(uid("escaped"), Entry { origin: Origin::Escaped, ..entry(30) });
    assert_eq!(ledger.held(Source::Allocatable), Connections::new(30));
    assert_eq!(ledger.grant(uid("a"), entry(0), 4), Err(Refusal::NoRoom));
    ledger.enter(uid("escaped"), entry(1));
    assert_eq!(ledger.entries()["escaped"].connections, 30);
}

#[test]
fn an_older_generation_changes_no_bounds() {
    let mut ledger = leasing();
    let of = |allocatable, generation| Bounds { allocatable: Connections::new(allocatable), generation, ..LEASING };
    assert!(ledger.rebound(of(5, 5)));
    assert!(!ledger.rebound(of(13, 4)));
    assert_eq!(ledger.bounds().allocatable, Connections::new(5));
}

#[test]
fn an_entry_is_kept_apart_until_the_kubelet_must_have_ended_its_pod() {
    let wait = || Wait { node: None, killed_after: 40, at_most: 900 };
    let vanished = || {
        let mut ledger = leasing();
        ledger.grant(uid("a"), entry(13), 4).unwrap();
        ledger.quarantine(&uid("a"), "its object is gone".into(), Moment(1_000), wait());
        ledger
    };
    let mut ledger = vanished();
    assert_eq!(ledger.grant(uid("b"), entry(1), 4), Err(Refusal::NoRoom), "it may run on");
    let steady = |from, to| NodeSeen::Steady { from: Moment(from), to: Moment(to) };
    ledger.release(&uid("a"), steady(0, 1_039), Moment(1_039));
    ledger.release(&uid("a"), steady(1_500, 1_539), Moment(1_539));
    ledger.release(&uid("a"), NodeSeen::Silent, Moment(1_899));
    assert!(ledger.knows("a"));
    ledger.release(&uid("a"), NodeSeen::Silent, Moment(1_900));
    assert!(!ledger.knows("a"));

    let mut ledger = vanished();
    ledger.release(&uid("a"), steady(0, 1_040), Moment(1_041));
    assert!(!ledger.knows("a"), "its node has been there for as long as killing takes");

    let mut ledger = vanished();
    ledger.seen_alive(&uid("a"));
    ledger.release(&uid("a"), NodeSeen::Silent, Moment(9_000));
    assert!(ledger.entries().contains_key("a"), "it is there after all");
}

#[test]
fn entries_with_an_end_of_their_own_end_then() {
    let mut ledger = leasing();
    ledger.enter(uid("psql"), Entry { until: Some(Moment(200)), origin: Origin::Reserved, ..entry(2) });
    ledger.expire(Moment(199));
    assert!(ledger.knows("psql"));
    ledger.expire(Moment(200));
    assert!(!ledger.knows("psql"));
}

const RUNNING: PodSeen =
    PodSeen { running: true, bound: true, terminal: false, deleting: false, collected: false, last: false };
const STOPPED: PodSeen = PodSeen { running: false, ..RUNNING };

#[test]
fn what_proves_an_end_and_what_does_not() {
    let name = uid("a");
    let judged = |answer: &Answer, seen: Option<PodSeen>| match judge(&name, answer, seen) {
        Verdict::Ended(ended) => {
            assert_eq!(ended.uid(), &name);
            "ended"
        }
        Verdict::Alive => "alive",
        Verdict::Vanished => "vanished",
    };
    let found = |pod: PodSeen| judged(&Answer::Found(pod), None);
    assert_eq!(found(RUNNING), "alive");
    assert_eq!(found(PodSeen { deleting: true, ..RUNNING }), "alive", "it closes, and holds until it is gone");
    assert_eq!(found(PodSeen { terminal: true, ..STOPPED }), "ended");
    assert_eq!(found(PodSeen { terminal: true, ..RUNNING }), "alive");
    let collected = PodSeen { terminal: true, collected: true, ..STOPPED };
    assert_eq!(found(collected), "alive", "its node vanished, and its containers may run");

    for gone in [Answer::NotFound, Answer::Another] {
        let gone = |seen| judged(&gone, seen);
        assert_eq!(gone(None), "vanished", "nobody saw it");
        assert_eq!(gone(Some(RUNNING)), "vanished", "deleted by force");
        assert_eq!(gone(Some(PodSeen { deleting: true, ..RUNNING })), "vanished");
        assert_eq!(gone(Some(PodSeen { deleting: true, terminal: true, ..STOPPED })), "ended");
        assert_eq!(gone(Some(PodSeen { deleting: true, ..STOPPED })), "vanished", "its kubelet may not know");
        assert_eq!(gone(Some(STOPPED)), "vanished", "a container of it may have been started again");
        assert_eq!(gone(Some(collected)), "vanished");
        assert_eq!(gone(Some(PodSeen { bound: false, ..STOPPED })), "vanished", "it may have been bound since");
        assert_eq!(gone(Some(PodSeen { bound: false, last: true, ..STOPPED })), "ended", "it never had a node");
    }
}

#[test]
fn nothing_is_granted_before_every_replica_knows_and_a_later_list_is_entered() {
    let replica = |generation, since, live| Replica { confirmed: Some((generation, Moment(since))), live };
    let adopted = |replicas: &[Replica], began| adopt(4, replicas, adoption::SETTLE, Moment(began), []).map(|_| ());
    assert_eq!(adopted(&[], 1_000), Err(NotYet::NobodyAnswers));
    assert_eq!(adopted(&[replica(4, 10, false)], 1_000), Err(NotYet::NobodyAnswers), "its Lease has run out");
    assert_eq!(adopted(&[replica(4, 10, true), replica(3, 10, true)], 1_000), Err(NotYet::Unconfirmed));
    let two = [replica(4, 10, true), replica(5, 30, true), replica(3, 0, false)];
    assert_eq!(adopted(&two, 89), Err(NotYet::TooEarly(Moment(90))));
    assert_eq!(adopted(&two, 90), Ok(()));

    let pod = |name: &str, awaits, ended| Listed { uid: uid(name), entry: entry(3), awaits, ended };
    let listed = [pod("runs", false, false), pod("waits", true, false), pod("is over", false, true)];
    let mut ledger = Ledger::born(LEASING);
    ledger.begin(adopt(4, &two, adoption::SETTLE, Moment(90), listed).unwrap());
    assert_eq!((ledger.phase(), ledger.entries().len(), ledger.knows("runs")), (Phase::Leasing, 1, true));
}
