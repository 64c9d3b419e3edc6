#!/usr/bin/env python3
"""Writes labelled.tsv, the set that `tests/labelled.rs` reads: PART <tab> PLACE <tab> TEXT, the same each time.

PART is `dev` or `held` (detectors are mended by looking at `dev` alone), or `odd`: what is known not to be found. PLACE says what is masked: text, json, form,
query, header:NAME, grpc (the text is its field 1). In TEXT what is to be masked stands as U+27E6 KIND U+27E7 VALUE
U+27E8; a line end is `\\n`, a backslash two.

Usage: python3 -m venv v; v/bin/pip install -r requirements.txt; PYTHONHASHSEED=0 v/bin/python generate.py > labelled.tsv
"""
import importlib.util
import json
import re
import sys
from urllib.parse import quote_plus

from stdnum import luhn
from values import (ALNUM, EN, FAKE, IDS, LOCALES, R, SECRETS, WITHOUT_CHECK_DIGIT, date, digits, email, jwt, odd_email, pem,
                    phone, some, until)

OPEN, SHUT, END = "\u27e6", "\u27e7", "\u27e8"


def mark(kind, value):
    return f"{OPEN}{kind}{SHUT}{value}{END}"


def out(part, place, text):
    print(part, place, text.replace("\\", "\\\\").replace("\n", "\\n"), sep="\t")


SENTENCES = {
    "odd": ["%s %s"],
    "dev": ["my %s is %s, thanks", "%s: %s", "please update (%s %s) today", "%s\n%s\n", "%s;%s;2026-11-24", "<td>%s</td><td>%s</td>"],
    "held": ["the %s that I gave was %s. Is it right?", "%s = %s", "[%s %s]", "%s\t%s\n".replace("\t", " - "), "\"%s\",\"%s\",7",
             "<b>%s</b>: %s<br>"],
}


def everywhere(part, kind, word, value, to_mask=None):
    """The value in one of the places where APIs have it."""
    masked = to_mask or (lambda write: mark(kind, write))
    name = word.lower().replace("-", "_").replace(" ", "_")
    spot = R.choice(["text", "text", "json", "json", "form", "query", "grpc"])
    if spot in ("text", "grpc"):
        out(part, spot, R.choice(SENTENCES[part]) % (word, masked(value)))
    elif spot == "json":
        body = json.dumps(R.choice([
            {"id": R.randrange(10**6), name: "@", "ok": True},
            {"data": {"items": [{"n": 1, name: "@"}, {"n": 2}]}},
            {"message": f"{word} @ was given"},
        ] if part != "held" else [
            {"customer": {"name": EN.name(), name: "@"}, "at": day()},
            [{name: "@"}],
            {"note": f"see {word}: @", "tags": ["a", "b"]},
        ]))
        out(part, spot, body.replace("@", masked(json.dumps(value)[1:-1])))
    else:
        out(part, spot, f"page=2&{name}={masked(quote_plus(value))}&sort=asc")


def near_miss(value, valid):
    """The value with one digit changed, if its check digits then are wrong."""
    wrong = list(value)
    place = R.choice([at for at, c in enumerate(wrong) if c.isdigit() and at > 5])
    wrong[place] = str((int(wrong[place]) + R.randrange(1, 9)) % 10)
    wrong = "".join(wrong)
    try:
        # One that by chance is the right number of a card is no miss.
        return None if valid(wrong) or luhn.is_valid(re.sub(r"\D", "", wrong)) else wrong
    except Exception:
        return None


def ids(part):
    for kind, (word, make, valid) in IDS.items():
        for n in range(60):
            value = until(make, valid)
            everywhere(part, kind, word, value)
            wrong = n % 3 == 0 and kind not in WITHOUT_CHECK_DIGIT and near_miss(value, valid)
            if wrong:
                everywhere(part, kind, word, wrong, lambda write: write)


def secrets(part):
    for kind, make in SECRETS.items():
        for _ in range(120):
            everywhere(part, kind, "value", make())
    for _ in range(40):
        head, signature = jwt()
        everywhere(part, "jwt", "value", head + signature, lambda write: head + mark("jwt", signature))
        first, *body, last = pem().split("\n")
        # The lines around it say what it is, and stay.
        key = first + mark("private_key", "\n" + "\n".join(body) + "\n") + last
        out(part, "text", R.choice(SENTENCES[part]) % ("key", key))
        token = some(ALNUM, R.randrange(20, 60))
        out(part, "header:Authorization", "Bearer " + mark("authorization", token))
        out(part, "header:Proxy-Authorization", "Basic " + mark("authorization", some(ALNUM, 22) + "=="))
        out(part, "text", "curl -H 'Authorization: " + "Bearer " + mark("authorization", token) + "'")
        out(part, "header:Cookie", f"sid={mark('cookie', token)}; theme={mark('cookie', 'dark')}")
        out(part, "header:Set-Cookie", f"sid={mark('cookie', token)}; Path=/; HttpOnly")
        name = R.choice(["password", "client_secret", "api_key", "access_token", "refresh_token", "cvv"])
        secret = EN.password(length=12, special_chars=False) if name != "cvv" else digits(3)
        out(part, "json", json.dumps({"user": EN.user_name(), name: "@"}).replace("@", mark("secret", secret)))
        out(part, "form", f"user={EN.user_name()}&{name}={mark('secret', secret)}")
        out(part, "query", f"{name}={mark('secret', secret)}&n=1")
        out(part, "header:X-API-Key", mark("secret", token))


def day():
    """Those of faker depend on today."""
    return "%04d-%02d-%02d" % date()


NOT_EMAIL = ["@", "@localhost", " at example.com", "@-x.y", "@2x.png", "@1.2.3", "@v4"]


def people(part):
    for _ in range(250):
        everywhere(part, "email", "mail", email())
        everywhere(part, "phone", "call", phone())
    for _ in range(80):
        out(part, "text", R.choice(SENTENCES[part]) % ("mail", EN.user_name() + R.choice(NOT_EMAIL)))
        # Numbers with separators, and with a plus, that are none.
        out(part, "text", R.choice(SENTENCES[part]) % ("n", R.choice([
            "+" + digits(4), "+0" + digits(9), f"{digits(3)}-{digits(3)}", f"10.{digits(2)}.{digits(2)}.{digits(2)}",
            f"2026-11-24 {digits(2)}:{digits(2)}", f"1+{digits(10)}", f"a+{digits(11)}b", f"+999{digits(8)}",
            f"{digits(4)}-{digits(4)}-x", "v" + digits(3) + "." + digits(3) + "." + digits(4)])))


def odd():
    """Not held to any floor: what cannot be told from what stands around it."""
    for _ in range(60):
        everywhere("odd", "email", "mail", odd_email())
        everywhere("odd", "phone", "call", R.choice("23456789") + digits(9))


def presidio():
    """The sentences of presidio-evaluator, every other one held out."""
    # Not imported: that would want spaCy.
    package = importlib.util.find_spec("presidio_evaluator").submodule_search_locations[0]
    with open(f"{package}/data_generator/raw_data/templates.txt", encoding="utf-8") as file:
        templates = [line.strip() for line in file if line.strip()]
    ours = {"credit_card_number": ("card", IDS["card"][1]), "email": ("email", email), "phone_number": ("phone", phone),
            "iban": ("iban", IDS["iban"][1]), "ssn": ("us_ssn", IDS["us_ssn"][1])}
    special = {"organization": "company", "person": "name", "nationality": "country", "age": lambda: str(R.randrange(1, 99)),
               "date_of_birth": day, "date_time": day, "year": lambda: day()[:4], "zipcode": "postcode", "us_driver_license": lambda: some("ABCD", 1) + digits(7),
               "nation_woman": "country", "nation_plural": "country", "ip_address": "ipv4", "day_of_week": lambda: R.choice(["Monday", "Friday"])}

    def fill(match):
        name = match.group(1)
        if name in ours:
            kind, make = ours[name]
            return mark(kind, make())
        how = special.get(name, name)
        if callable(how):
            return how()
        fake = FAKE[R.choice(LOCALES)]
        made = getattr(fake, how, None) or getattr(EN, how)
        return str(made()).replace("\n", ", ")

    for number, template in enumerate(templates):
        holds = any("{{%s}}" % name in template for name in ours)
        for _ in range(12 if holds else 2):
            out("held" if number % 2 else "dev", "text", re.sub(r"{{(\w+)}}", fill, template).replace("\\n", "\n"))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    for each in ("dev", "held"):
        ids(each)
        secrets(each)
        people(each)
    presidio()
    odd()
