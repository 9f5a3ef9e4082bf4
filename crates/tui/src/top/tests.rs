//! `top` key by key and picture by picture.
