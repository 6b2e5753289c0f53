//! The const renderer.
