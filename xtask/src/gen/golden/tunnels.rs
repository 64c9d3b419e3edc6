//! One short conversation with an API, the same in every tunnel.
use super::script::{MILLISECOND, Talk, file, sized};
use crate::r#gen::tunnel::{Outer, Tunnel};
use anyhow::Result;
use std::net::IpAddr;

/// The folder of each case, and its tunnel.
pub(super) const CASES: [(&str, Tunnel); 20] = [
    ("tunnel-vxlan", Tunnel::Vxlan),
    ("tunnel-vxlan-gpe", Tunnel::VxlanGpe),
    ("tunnel-geneve", Tunnel::Geneve),
    ("tunnel-geneve-aws", Tunnel::GeneveAws),
    ("tunnel-gre", Tunnel::Gre),
    ("tunnel-l2gre", Tunnel::L2gre),
    ("tunnel-nvgre", Tunnel::Nvgre),
    ("tunnel-erspan1", Tunnel::Erspan1),
    ("tunnel-erspan2", Tunnel::Erspan2),
    ("tunnel-erspan3", Tunnel::Erspan3),
    ("tunnel-4in4", Tunnel::V4in4),
    ("tunnel-6in4", Tunnel::V6in4),
    ("tunnel-4in6", Tunnel::V4in6),
    ("tunnel-6in6", Tunnel::V6in6),
    ("link-qinq", Tunnel::Qinq),
    ("link-mpls", Tunnel::Mpls),
    ("link-pppoe", Tunnel::Pppoe),
    ("link-sll", Tunnel::Sll),
    ("link-sll2", Tunnel::Sll2),
    ("link-raw", Tunnel::Raw),
];

/// Three transactions on one connection: a read, a write, and something that is not there.
pub(super) fn capture(tunnel: Tunnel) -> Result<Vec<u8>> {
    let (inner6, outer6) = tunnel.versions().unwrap_or((false, false));
    let ends = if inner6 {
        ("[2001:db8:20::7]:41207", "[2001:db8:9::1]:8080")
    } else {
        ("10.20.0.7:41207", "10.9.0.1:8080")
    };
    let (src, dst): (IpAddr, IpAddr) = if outer6 {
        ("fd00::100".parse()?, "fd00::1".parse()?)
    } else {
        ("10.0.1.0".parse()?, "10.0.0.1".parse()?)
    };
    let mut talk = Talk::open(ends.0, ends.1, 0)?;
    let order = format!(r#"{{"sku":"A-17","qty":2,"note":"{}"}}"#, "leave it at the door. ".repeat(80));
    talk.ask(&super::script::message(
        "GET /api/v1/users/42?fields=name HTTP/1.1\nHost: api.shop.example\nUser-Agent: okhttp/4.9.3\n\
         Accept: application/json",
        b"",
    ))
    .answer(
        3 * MILLISECOND,
        &sized(
            "HTTP/1.1 200 OK\nServer: nginx\nContent-Type: application/json",
            br#"{"id":42,"name":"Ada"}"#,
        ),
    )
    .pause(20 * MILLISECOND)
    .ask(&sized(
        "POST /api/v1/orders HTTP/1.1\nHost: api.shop.example\nUser-Agent: okhttp/4.9.3\n\
         Content-Type: application/json",
        order.as_bytes(),
    ))
    .answer(
        9 * MILLISECOND,
        &sized(
            "HTTP/1.1 201 Created\nServer: nginx\nContent-Type: application/json\nLocation: /api/v1/orders/7",
            br#"{"order":7}"#,
        ),
    )
    .pause(20 * MILLISECOND)
    .ask(&super::script::message(
        "GET /api/v1/orders/8 HTTP/1.1\nHost: api.shop.example\nUser-Agent: okhttp/4.9.3",
        b"",
    ))
    .answer(
        2 * MILLISECOND,
        &sized(
            "HTTP/1.1 404 Not Found\nServer: nginx\nContent-Type: application/json",
            br#"{"error":"no such order"}"#,
        ),
    );
    // ERSPAN has room for 10 bits only.
    let vni = if matches!(tunnel, Tunnel::Erspan2 | Tunnel::Erspan3) { 0x123 } else { 0x12_3456 };
    let outer = Outer { src, dst, vni, count: 0 };
    file(tunnel, talk.close().into_iter().map(|timed| (timed, Some(outer))).collect())
}
