//! Plans and proofs, held against small files.
