//! Values that those who made the fingerprints have published.
use super::*;

fn hexed(hash: [u8; 16]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The examples of <https://github.com/salesforce/ja3>.
#[test]
fn ja3_and_ja3s() {
    let hello = ClientHello {
        version: 769,
        ciphers: vec![47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
        extensions: vec![0, 10, 11],
        groups: vec![23, 24, 25],
        point_formats: vec![0],
        ..ClientHello::default()
    };
    assert_eq!(hexed(ja3(&hello)), "ada70206e40642a3e4461f35503241d5");
    let bare =
        ClientHello { extensions: vec![], groups: vec![], point_formats: vec![], version: 769, ..hello };
    let bare = ClientHello { ciphers: vec![4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99], ..bare };
    assert_eq!(hexed(ja3(&bare)), "de350869b8c85de67a350c8d186f11e6");
    // What tshark finds for a server that chooses RC4 in TLS 1.0.
    let server = ServerHello { legacy_version: 769, cipher: 4, ..ServerHello::default() };
    assert_eq!(hexed(ja3s(&server)), "53611273a714cb4789c8222932efd5a7");
}

/// The example of FoxIO's `technical_details/JA4.md`.
#[test]
fn ja4_of_chrome() {
    let hello = ClientHello {
        version: 0x0303,
        versions: vec![0x8a8a, 0x0304, 0x0303],
        ciphers: vec![
            0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
            0x009c, 0x009d, 0x002f, 0x0035,
        ],
        extensions: vec![
            0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012,
            0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
        ],
        signatures: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
        alpn: Some(b"h2".to_vec()),
        ..ClientHello::default()
    };
    assert_eq!(ja4(&hello, 't'), "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

/// The examples of the same page.
#[test]
fn ends_of_protocol_names() {
    for (name, want) in [
        (&b""[..], "00"),
        (b"h2", "h2"),
        (b"http/1.1", "h1"),
        (b"x", "xx"),
        (&[0xAB], "ab"),
        (b" ", "20"),
        (&[0xAB, 0xCD], "ad"),
        (&[0x20, 0x61], "21"),
        (&[0x30, 0xAB], "3b"),
        (&[0x61, 0x20], "60"),
        (&[0x30, 0x31, 0xAB, 0xCD], "3d"),
        (&[0x30, 0xAB, 0xCD, 0x31], "01"),
    ] {
        let (first, last) = ends(name);
        assert_eq!(format!("{first}{last}"), want);
    }
}
