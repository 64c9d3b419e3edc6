#!/usr/bin/env python3
"""Writes 10,000 bodies in which there is nothing to mask, one a line, gzipped: PLACE <tab> BODY, escaped as in
labelled.tsv; the same each time.

Usage: PYTHONHASHSEED=0 v/bin/python benign.py > benign.tsv.gz
"""
import base64
import gzip
import json
import sys

from stdnum import ean
from values import ALNUM, EN, FAKE, LOCALES, R, digits, some

HEX = "0123456789abcdef"
WORDS = EN.words(400)
NAMES = [FAKE[locale].name() for locale in LOCALES for _ in range(40)]
STREETS = [FAKE[locale].street_address() for locale in LOCALES for _ in range(20)]
CITIES = [FAKE[locale].city() for locale in LOCALES for _ in range(20)]
TEXTS = [FAKE[locale].paragraph() for locale in LOCALES for _ in range(60)]
AGENTS = [EN.user_agent() for _ in range(30)]


def stamp():
    return "20%02d-%02d-%02dT%02d:%02d:%02d" % (R.randrange(18, 27), R.randrange(1, 13), R.randrange(1, 29), R.randrange(24),
                                               R.randrange(60), R.randrange(60))


def uuid():
    return "-".join(some(HEX, n) for n in (8, 4, 4, 4, 12))


def word():
    return R.choice(WORDS)


def price():
    return round(R.random() * 10 ** R.randrange(1, 5), 2)


def epoch():
    return R.randrange(1_500_000_000, 1_900_000_000)


def article(length):
    body = digits(length - 1)
    return body + ean.calc_check_digit(body)


def order():
    return {"id": R.randrange(10**7), "order": digits(9), "uuid": uuid(), "created": stamp() + "Z", "total": price(),
            "currency": R.choice(["EUR", "USD"]), "items": [{"sku": f"{some('ABCDEF', 2)}-{digits(6)}", "qty": R.randrange(1, 9),
                                                             "ean": article(13), "price": price()} for _ in range(R.randrange(1, 4))]}


def shipment():
    return {"tracking": R.choice(["1Z" + some("0123456789ABCDEF", 16), digits(12), "JD" + digits(18), digits(20), digits(22)]),
            "carrier": word(), "eta": stamp()[:10], "weight_g": R.randrange(10**5), "to": {
                "name": R.choice(NAMES), "street": R.choice(STREETS), "city": R.choice(CITIES), "zip": digits(5)}}


def metrics():
    return {"ts": epoch(), "ts_ms": epoch() * 1000 + R.randrange(1000), "ts_us": epoch() * 10**6 + R.randrange(10**6),
            "values": [R.random() * 10 ** R.randrange(12) for _ in range(R.randrange(2, 6))], "host": f"ip-10-{R.randrange(255)}-3-7",
            "p99": R.random(), "counts": [R.randrange(10 ** R.randrange(1, 17)) for _ in range(5)]}


def geo():
    return {"type": "FeatureCollection", "features": [{"type": "Point", "coordinates": [R.random() * 360 - 180, R.random() * 180 - 90]}
                                                      for _ in range(R.randrange(1, 5))], "bbox": [R.uniform(-90, 90) for _ in range(4)]}


def repository():
    return {"sha": some(HEX, 40), "etag": some(HEX, 32), "version": ".".join(str(R.randrange(300)) for _ in range(R.randrange(3, 5))),
            "size": R.randrange(10**9), "urls": [f"https://cdn.example.com/{some(HEX, 24)}/{word()}.js?v={digits(10)}"],
            "run_id": digits(11), "author": R.choice(NAMES), "message": R.choice(TEXTS)}


def product():
    return {"isbn": "978-" + digits(1) + "-" + digits(3) + "-" + digits(5) + "-" + digits(1), "asin": "B0" + some("0123456789ABCDEF", 8),
            "mpn": some(ALNUM.upper(), 10), "gtin": article(14), "title": R.choice(TEXTS)[:60], "dimensions": "120x80x45",
            "image": f"/img/{word()}@2x.png", "upc": article(12), "barcode": digits(8)}


def thumbnail():
    return {"name": word() + ".png", "data": "data:image/png;base64," + base64.b64encode(R.randbytes(R.randrange(40, 120))).decode()}


def profile():
    return {"id": uuid(), "name": R.choice(NAMES), "handle": "@" + word() + digits(2), "bio": R.choice(TEXTS), "followers": R.randrange(10**6),
            "password_policy": "strong", "token_type": "Bearer", "has_password": True, "birth_year": R.randrange(1950, 2010),
            "address": {"street": R.choice(STREETS), "city": R.choice(CITIES)}}


def snowflake():
    return {"id": str(R.randrange(10**17, 10**18)), "id_str": digits(19), "parent": R.randrange(10**15, 10**16),
            "in_reply_to": None, "text": R.choice(TEXTS), "created_at": epoch()}


def page():
    return {"items": [word() for _ in range(5)], "next": base64.b64encode(json.dumps({"o": R.randrange(10**6)}).encode()).decode(),
            "total": R.randrange(10**5), "limit": 50, "offset": R.randrange(10**4)}


JSON = [order, shipment, metrics, geo, repository, product, thumbnail, profile, snowflake, page]


def html():
    return (f"<!doctype html><html><head><title>{word()}</title><link href=\"/static/{some(HEX, 8)}.css\"></head><body><h1>{R.choice(TEXTS)[:40]}"
            f"</h1><p>{R.choice(TEXTS)}</p><a href=\"/p/{digits(7)}\">{word()}</a><span>{price()} EUR</span></body></html>")


def log():
    return "\n".join(R.choice([
        lambda: f"10.{R.randrange(255)}.{R.randrange(255)}.7 - - [24/Nov/2026:10:{digits(2)}:00 +0000] \"GET /v1/{word()}/{digits(6)} HTTP/1.1\" 200 {digits(4)} \"-\" \"{R.choice(AGENTS)}\"",
        lambda: f"{stamp()}.{digits(3)}Z INFO [{word()}-{digits(2)}] request {uuid()} took {digits(3)} ms, {digits(5)} rows",
        lambda: f"E{digits(4)} {digits(2)}:{digits(2)}:{digits(2)}.{digits(6)} {digits(5)} {word()}.go:{digits(3)}] {R.choice(TEXTS)[:50]}",
        lambda: f"level=warn ts={epoch()}.{digits(6)} caller={word()}.go:{digits(2)} msg=\"{word()} {word()}\" dur={digits(2)}.{digits(3)}ms",
    ])() for _ in range(R.randrange(1, 5)))


def csv():
    return "\n".join(";".join([digits(6), stamp()[:10], word(), str(price()), digits(10), R.choice(CITIES), digits(4)])
                     for _ in range(R.randrange(2, 6)))


def form():
    return f"q={word()}+{word()}&page={digits(2)}&from={stamp()[:10]}&id={digits(10)}&session_length={digits(3)}&ref={uuid()}"


def numbers():
    return " ".join(digits(R.randrange(1, 20)) for _ in range(R.randrange(3, 12)))


def body():
    pick = R.random()
    if pick < 0.6:
        return "json", json.dumps(R.choice(JSON)(), ensure_ascii=R.random() < 0.5)
    if pick < 0.7:
        return "text", html()
    if pick < 0.8:
        return "text", log()
    if pick < 0.86:
        return "text", csv()
    if pick < 0.93:
        return "form", form()
    return "text", R.choice(TEXTS)


if __name__ == "__main__":
    text = "".join(f"{place}\t{content}\n" for place, content in
                   ((place, content.replace("\\", "\\\\").replace("\n", "\\n")) for place, content in (body() for _ in range(10_000))))
    sys.stdout.buffer.write(gzip.compress(text.encode(), mtime=0))
