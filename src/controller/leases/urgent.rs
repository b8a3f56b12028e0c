//! Pods that waiting alone does not help, and the command that does.

use super::claims::Claim;
use super::shown::time;
use crate::budget::ledger::Moment;
use crate::cluster::view::pods::Pod;

/// What happens while a pod waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgent {
    /// Its Job fails then, or earlier where it is not the Job's first pod.
    JobFails(Moment),
    /// Its `StatefulSet` has a newer template, and replaces nobody who is not Ready.
    OldRevision,
}

impl Urgent {
    /// What there is to know of a pod of this claim.
    #[must_use]
    pub fn of(pod: &Pod, claim: &Claim) -> Option<Self> {
        match &*claim.key.kind {
            "Job" | "CronJob" => claim.deadline.map(|seconds| Self::JobFails(pod.created.after(seconds))),
            "StatefulSet" => {
                let is_old = claim.newest.as_ref().is_some_and(|newest| **newest != *pod.revision);
                is_old.then_some(Self::OldRevision)
            }
            _ => None,
        }
    }

    /// The same in words.
    #[must_use]
    pub fn advice(self, pod: &Pod) -> String {
        let Pod { namespace, name, owners, .. } = pod;
        match self {
            Self::JobFails(at) => {
                let job = owners.iter().find(|owner| owner.kind == "Job").map_or("NAME", |job| &*job.name);
                format!(
                    "Its Job fails at {} at the latest, by its activeDeadlineSeconds; to let it wait longer: kubectl patch \
                     job {job} -n {namespace} -p '{{\"spec\":{{\"activeDeadlineSeconds\":N}}}}'.",
                    time(at)
                )
            }
            Self::OldRevision => format!(
                "Its StatefulSet has a newer template, and does not replace a pod that waits; to have the new one: kubectl \
                 delete pod {name} -n {namespace}."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Key;

    fn claim(kind: &str, deadline: Option<u32>, newest: Option<&str>) -> Claim {
        let (of, newest) = (crate::controller::leases::tests::claim(1), newest.map(str::to_owned));
        Claim { key: Key { kind: kind.into(), ..of.key.clone() }, deadline, newest, ..of }
    }

    #[test]
    fn a_job_with_a_deadline_and_a_pod_of_an_old_revision_are_named() {
        let job = Key { group: "batch".into(), kind: "Job".into(), namespace: "shop".into(), name: "nightly-1".into() };
        let (namespace, name, revision) = ("shop".into(), "db-0".into(), "db-1".into());
        let pod = Pod { namespace, name, revision, owners: vec![job], created: Moment(0), ..Pod::default() };
        let said = |claim: &Claim| Urgent::of(&pod, claim).map(|urgent| urgent.advice(&pod));
        let job = said(&claim("CronJob", Some(600), None)).expect("it has a deadline");
        assert!(job.starts_with("Its Job fails at 00:10:00 UTC at the latest"), "{job}");
        assert!(job.contains("kubectl patch job nightly-1 -n shop -p '{\"spec\""), "{job}");
        let old = said(&claim("StatefulSet", None, Some("db-2"))).expect("it is old");
        assert!(old.ends_with("kubectl delete pod db-0 -n shop."), "{old}");
        for none in
            [claim("Job", None, None), claim("StatefulSet", None, Some("db-1")), claim("StatefulSet", None, None)]
        {
            assert_eq!(said(&none), None);
        }
    }
}
