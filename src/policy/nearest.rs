//! The name somebody may have meant.

/// The one of `names` that is closest to `word`, where it is close enough to be a slip of the hand.
fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_lowercase().replace('_', "-");
    // Longer words than any name need no distance, which costs the product of both lengths.
    if word.len() > 64 {
        return None;
    }
    let close = (word.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word, name), name))
        .filter(|(distance, _)| *distance <= close)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The way out for a word that is none of `names`.
pub fn suggest<'n>(word: &str, names: impl IntoIterator<Item = &'n str> + Clone) -> String {
    if let Some(name) = nearest(word, names.clone()) {
        return format!("did you mean `{name}`?");
    }
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    format!("use one of: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_close_name_is_meant() {
        let names = ["environments", "exceptions", "policy", "allow-registries"];
        assert_eq!(nearest("enviroments", names), Some("environments"));
        assert_eq!(nearest("Policy", names), Some("policy"));
        assert_eq!(nearest("plicoy", names), Some("policy"));
        assert_eq!(nearest("allow_registries", names), Some("allow-registries"));
        assert_eq!(nearest("stacks", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(suggest("x", ["a-b", "c-d"]), "use one of: `a-b`, `c-d`");
    }
}
