//! Keeps many workloads under one database's connection cap.
//!
//! Read `budget` first: it is the arithmetic, and needs nothing but the standard library. The README tells how the
//! rest fits around it.

#[cfg(feature = "operator")]
pub mod admission;
#[cfg(feature = "operator")]
pub mod api;
#[cfg(feature = "operator")]
pub mod assess;
pub mod budget;
#[cfg(feature = "operator")]
pub mod catalogue;
#[cfg(feature = "operator")]
pub mod cli;
#[cfg(feature = "operator")]
pub mod cluster;
#[cfg(feature = "operator")]
pub mod commands;
#[cfg(feature = "operator")]
pub mod controller;
#[cfg(feature = "operator")]
pub mod manifests;
#[cfg(feature = "operator")]
pub mod pod;
#[cfg(feature = "operator")]
pub mod serve;
#[cfg(feature = "operator")]
pub mod workload;
