//! Blocks of RFC 7541 appendix C, whole and joined late.
use super::*;

mod stories;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The fields as lines; what is not known is a question mark.
fn lines(decoder: &mut Decoder, hex: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let text = |known: Option<&[u8]>| {
        known.map_or("?".to_owned(), |text| String::from_utf8_lossy(text).into_owned())
    };
    decoder
        .decode(&bytes(hex), |field| lines.push(format!("{}: {}", text(field.name), text(field.value))))
        .unwrap();
    lines
}

const REQUESTS: [&str; 3] = [
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "8286 84be 5886 a8eb 1064 9cbf",
    "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
];

/// C.3 and C.4.
#[test]
fn requests() {
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    for blocks in [plain, REQUESTS] {
        let mut decoder = Decoder::new(false);
        let first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
        assert_eq!(lines(&mut decoder, blocks[0]), first);
        assert_eq!(lines(&mut decoder, blocks[1]), [&first[..], &["cache-control: no-cache"]].concat());
        let third = [
            ":method: GET",
            ":scheme: https",
            ":path: /index.html",
            ":authority: www.example.com",
            "custom-key: custom-value",
        ];
        assert_eq!(lines(&mut decoder, blocks[2]), third);
    }
}

/// C.6: responses with a table of 256 bytes, from which entries are evicted.
#[test]
fn responses_and_eviction() {
    let mut decoder = Decoder::new(false);
    decoder.table.resize(256);
    let first = lines(
        &mut decoder,
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 \
         63c7 8f0b 97c8 e9ae 82ae 43d3",
    );
    assert_eq!(
        first,
        [
            ":status: 302",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com"
        ]
    );
    assert_eq!(lines(&mut decoder, "4883 640e ffc1 c0bf")[0], ":status: 307");
    let third = lines(
        &mut decoder,
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 \
         b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    );
    assert_eq!(
        third,
        [
            ":status: 200",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:22 GMT",
            "location: https://www.example.com",
            "content-encoding: gzip",
            "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ]
    );
    // Four entries of more than 256 bytes together: the oldest is gone, and was never anything else.
    assert!(decoder.decode(&bytes("c1"), |_| {}).is_err());
}

/// What stood in the table before is not known, is never guessed, and is learnt again.
#[test]
fn joined_late() {
    let mut decoder = Decoder::new(true);
    let mut lines = |hex| lines(&mut decoder, hex);
    assert_eq!(
        lines(REQUESTS[1]),
        [":method: GET", ":scheme: http", ":path: /", "?: ?", "cache-control: no-cache"]
    );
    // The first new entry is known; the one before it is not.
    assert_eq!(lines("be bf"), ["cache-control: no-cache", "?: ?"]);
    // A new value for a name that is not known.
    assert_eq!(lines("7f00 0161"), ["?: a"]);
    assert_eq!(lines("be bf"), ["?: a", "cache-control: no-cache"]);
}

#[test]
fn what_is_no_block() {
    for hex in ["80", "ff", "ffff ffff ffff ff", "be", "40", "4001", "0085 ffff ffff ff 00", "82 c6"] {
        assert_eq!(Decoder::new(false).decode(&bytes(hex), |_| {}), Err(Invalid), "{hex}");
    }
}
