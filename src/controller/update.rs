//! A status as it is stored, and as it should be.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::conditions::OURS;
use crate::cluster::write::Object;

/// A status to be written, if it differs from the one that is stored.
#[derive(Clone, Debug)]
pub struct Update<S> {
    /// Whose.
    pub object: Object,
    /// As stored.
    pub before: Option<S>,
    /// As it should be.
    pub status: S,
}

impl<S: PartialEq> Update<S> {
    /// Whether there is anything to write.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        self.before.as_ref() != Some(&self.status)
    }
}

/// Conditions as they are stored, without those of others, in our order.
#[must_use]
pub fn before(stored: Option<&[Condition]>) -> Vec<Condition> {
    let place = |c: &Condition| OURS.iter().position(|about| about.as_str() == c.type_);
    let mut ours: Vec<_> = stored.unwrap_or_default().iter().filter_map(|c| Some((place(c)?, c.clone()))).collect();
    ours.sort_by_key(|(place, _)| *place);
    ours.into_iter().map(|(_, c)| c).collect()
}
