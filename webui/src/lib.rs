//! The web service: what the collector's journal says is stored (`ingest`, `store`), what it says live is passed on
//! (`live`), and both are shown (`http`, `pages`) to who may see it (`auth`).
pub mod auth;
pub mod cli;
pub mod commands;
pub mod config;
pub mod http;
pub mod ingest;
pub mod jobs;
pub mod live;
pub mod pages;
pub mod startup;
pub mod store;
