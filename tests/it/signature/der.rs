//! DER, as much of it as a certificate needs.

/// One element: its tag and its content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    match (high, low) {
        (0, 0..0x80) => bytes.push(low),
        (0, _) => bytes.extend([0x81, low]),
        _ => bytes.extend([0x82, high, low]),
    }
    bytes.extend(content);
    bytes
}

pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

pub(super) fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x31, &parts.concat())
}

pub(super) fn utf8(text: &str) -> Vec<u8> {
    element(0x0c, text.as_bytes())
}

pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    element(0x04, bytes)
}

/// A bit string of whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], bytes].concat())
}

pub(super) fn truth() -> Vec<u8> {
    element(0x01, &[0xff])
}

/// `240101000000Z`: years before 2050 have two digits (RFC 5280, 4.1.2.5).
pub(super) fn time(text: &str) -> Vec<u8> {
    element(0x17, text.as_bytes())
}

/// `1.3.6.1`
pub(super) fn oid(text: &str) -> Vec<u8> {
    let arcs: Vec<u32> = text.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut content = vec![u8::try_from(arcs[0] * 40 + arcs[1]).unwrap()];
    for arc in &arcs[2..] {
        let mut sevens: Vec<u8> = (0..5).map(|index| u8::try_from((arc >> (7 * index)) & 0x7f).unwrap()).collect();
        while sevens.len() > 1 && sevens.last() == Some(&0) {
            sevens.pop();
        }
        sevens.iter_mut().skip(1).for_each(|seven| *seven |= 0x80);
        content.extend(sevens.iter().rev());
    }
    element(0x06, &content)
}
