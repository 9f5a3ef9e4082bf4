//! `femtosnitch top`: what moves now. (Under construction.)
