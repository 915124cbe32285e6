//! Frames in: from a live interface (`live`, cut by the program of `lengths`).
pub mod lengths;
pub mod live;
