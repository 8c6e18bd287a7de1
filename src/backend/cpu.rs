//! The host's cores: lane programs on a rayon pool.
