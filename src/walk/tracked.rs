//! The paths git tracks, read from its index: what is tracked is deployed, whatever `.gitignore` says of it.
//!
//! A pull request can add a manifest by force together with the line that ignores it. Source of the format:
//! git's `gitformat-index`, versions 2 to 4. The paths alone are wanted here, for which a library would be 70 crates.

#![expect(clippy::disallowed_methods, reason = "a part of the door `walk`: it reads what git itself wrote")]

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of an entry before the object name: times, device, inode, mode, owner, size.
const STAT: usize = 40;

/// The index of the repository whose folder is `root`; `None` where there is none.
pub(super) fn index_of(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    let folder = if git.is_dir() {
        git
    } else {
        // A work tree or a submodule names its folder in a file.
        let text = fs::read_to_string(&git).ok()?;
        root.join(text.strip_prefix("gitdir:")?.trim())
    };
    let index = folder.join("index");
    index.is_file().then_some(index)
}

/// All paths in the index, with `/` between their parts; `None` where it cannot be read.
pub(super) fn paths(index: &Path) -> Option<Vec<String>> {
    let bytes = fs::read(index).ok()?;
    // The object name has 20 bytes, in a SHA-256 repository 32: only the right length makes the entries fit.
    [20, 32].into_iter().find_map(|object| parse(&bytes, object))
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at + 4)?;
    usize::try_from(u32::from_be_bytes(four.try_into().ok()?)).ok()
}

fn parse(bytes: &[u8], object: usize) -> Option<Vec<String>> {
    if bytes.get(..4)? != b"DIRC" {
        return None;
    }
    let version = number(bytes, 4)?;
    let count = number(bytes, 8)?;
    let mut paths = Vec::new();
    let mut at = 12;
    let mut previous: Vec<u8> = Vec::new();
    for _ in 0..count {
        let flags_at = at + STAT + object;
        let flags = bytes.get(flags_at..flags_at + 2)?;
        let extended = flags.first()? & 0x40 != 0;
        let mut name_at = flags_at + if extended { 4 } else { 2 };
        let kept = if version == 4 { previous.len().checked_sub(varint(bytes, &mut name_at)?)? } else { 0 };
        let rest = bytes.get(name_at..)?;
        let name = rest.get(..memchr::memchr(0, rest)?)?;
        if name.is_empty() && kept == 0 {
            return None;
        }
        previous.truncate(kept);
        previous.extend_from_slice(name);
        let end = name_at + name.len();
        // Up to version 3 an entry is padded with one to eight zero bytes to a multiple of eight.
        at = if version == 4 { end + 1 } else { at + (end - at + 8) / 8 * 8 };
        paths.push(String::from_utf8_lossy(&previous).into_owned());
    }
    Some(paths)
}

/// A number of the form that packs use for offsets.
fn varint(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0_usize;
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value = value.checked_mul(128)?.checked_add(usize::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        value = value.checked_add(1)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn git(folder: &Path, arguments: &[&str]) -> bool {
        Command::new("git").current_dir(folder).args(arguments).output().is_ok_and(|output| output.status.success())
    }

    #[test]
    fn the_index_gits_own_program_writes_is_read_in_each_version_and_object_format() {
        let names = ["a.yml", "deploy/prod/compose.prod.yml", "deploy/prod/compose.yml", "ä b.yml"];
        for format in ["sha1", "sha256"] {
            for version in ["2", "3", "4"] {
                let folder = tempfile::tempdir().unwrap();
                let root = folder.path();
                if !git(root, &["init", "-q", "--object-format", format]) {
                    let line = format!("SKIPPED: no git program that knows {format} is on PATH\n");
                    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
                    continue;
                }
                for name in names {
                    fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
                    fs::write(root.join(name), name).unwrap();
                }
                assert!(git(root, &["add", "-A"]));
                // An entry with an extended flag makes version 3.
                assert!(git(root, &["update-index", "--skip-worktree", "a.yml"]));
                assert!(git(root, &["update-index", "--index-version", version]));
                let mut found = paths(&index_of(root).unwrap()).unwrap();
                found.sort();
                assert_eq!(found, names, "{format} {version}");
            }
        }
    }

    #[test]
    fn a_damaged_index_is_none() {
        for bytes in [&b""[..], b"DIRC", b"DIRC\0\0\0\x02\0\0\0\x09", b"NOPE\0\0\0\x02\0\0\0\0"] {
            assert_eq!(parse(bytes, 20), None);
        }
    }
}
