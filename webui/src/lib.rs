//! The web service: what the collector's journal says is stored (`ingest`, `store`), what it says live is passed on
//! (`live`), and both are shown (`http`, `pages`) to who may see it (`auth`).
pub mod pages;
pub mod store;
