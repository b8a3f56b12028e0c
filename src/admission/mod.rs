//! The webhook: asked about every new pod of a namespace that has a claim, it answers from memory with what was
//! published. It calls nobody, and in doubt changes nothing.
//!
//! | file | question it answers |
//! |---|---|
//! | [`draws`] | by which claims does a pod draw? |
//! | [`review`] | what is answered? |
//! | [`server`] | over HTTPS, within its limits |

pub mod draws;
pub mod review;
pub mod server;

pub use server::run;
