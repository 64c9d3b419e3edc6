#!/usr/bin/env python3
"""Writes labelled.tsv: KIND <tab> 1 (is one) or 0 (is none) <tab> text. Seeded, so the same each time.

Needs python-stdnum and faker (pip); the check digits here are python-stdnum's, never the crate's.
Usage: generate.py > labelled.tsv
"""
import random
from faker import Faker
from stdnum import luhn, iban, verhoeff
from stdnum.br import cnpj, cpf
from stdnum.ca import sin
from stdnum.cn import ric
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.gb import nhs  # noqa: F401  (the package must be there; NINO has no check digit)
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.se import personnummer
from stdnum.us import ssn

R = random.Random(4)
F = Faker("en_US")
F.seed_instance(4)
D = lambda n: "".join(R.choice("0123456789") for _ in range(n))
L = lambda a, n: "".join(R.choice(a) for _ in range(n))
UP = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DATE = lambda: (R.randrange(1940, 2010), R.randrange(1, 13), R.randrange(1, 29))


def until(make, valid):
    while True:
        value = make()
        try:
            if valid(value):
                return value
        except Exception:
            pass


def card():
    head, n = R.choice([("4", 16), ("4", 13), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("36", 14), ("6011", 16), ("65", 16), ("3530", 16), ("62", 16), ("6759", 16)])
    body = head + D(n - 1 - len(head))
    value = body + luhn.calc_check_digit(body)
    if n == 16 and R.random() < 0.5:
        value = R.choice(" -").join(value[i:i + 4] for i in range(0, 16, 4))
    return value


def iban_of():
    value = R.choice([F.iban, Faker("de_DE").iban, Faker("fr_FR").iban, Faker("nl_NL").iban])()
    return iban.format(value) if R.random() < 0.5 else value


def cf():
    y, m, d = DATE()
    body = L("BCDFGLMNPRST", 6) + "%02d%s%02d%s%s" % (y % 100, "ABCDEHLMPRST"[m - 1], d, R.choice("AFHL"), D(3))
    return body + codicefiscale.calc_check_digit(body)


def cn():
    body = R.choice(["110101", "310104", "440103"]) + "%04d%02d%02d" % DATE() + D(3)
    return body + ric.calc_check_digit(body)


def fr():
    y, m, _ = DATE()
    body = R.choice("12") + "%02d%02d%02d" % (y % 100, m, R.randrange(1, 20)) + D(6)
    value = body + nir.calc_check_digits(body)
    return nir.format(value) if R.random() < 0.5 else value


def pes():
    y, m, d = DATE()
    body = "%02d%02d%02d" % (y % 100, m + (20 if y >= 2000 else 0), d) + D(4)
    return body + pesel.calc_check_digit(body)


def pnr():
    y, m, d = DATE()
    body = "%02d%02d%02d" % (y % 100, m, d) + D(3)
    return body[:6] + "-" + body[6:] + luhn.calc_check_digit(body)


SECRETS = {
    "aws_key": lambda: "AKIA" + L(UP + "0123456789", 16),
    "github_token": lambda: "ghp_" + L(UP + UP.lower() + "0123456789", 36),
    "slack_token": lambda: "xoxb-" + D(12) + "-" + D(12) + "-" + L(UP + UP.lower(), 24),
    "stripe_key": lambda: "sk_" + "live_" + L(UP + UP.lower() + "0123456789", 24),
    "google_key": lambda: "AIza" + L(UP + UP.lower() + "0123456789-_", 35),
    "authorization": lambda: "Bearer " + L("0123456789abcdef", 40),
    "secret": lambda: R.choice(["password=", "api_key=", "client_secret="]) + L(UP + UP.lower() + "0123456789", 20),
}
# kind: (words beside it, make, python-stdnum's validation)
IDS = {
    "card": ("card", card, luhn.is_valid), "iban": ("account", iban_of, iban.is_valid),
    "it_codice_fiscale": ("CF", cf, codicefiscale.is_valid), "cn_resident_id": ("id", cn, ric.is_valid),
    "fr_nir": ("NIR", fr, nir.is_valid), "br_cnpj": ("CNPJ", lambda: cnpj.format(until(lambda: D(14), cnpj.is_valid)), cnpj.is_valid),
    "br_cpf": ("CPF", lambda: R.choice([cpf.format, str])(until(lambda: D(11), cpf.is_valid)), cpf.is_valid),
    "uk_nino": ("NI", lambda: L("ABCEGHJK", 1) + L("ABCEHJLM", 1) + D(6) + L("ABCD", 1), lambda v: v[:2] not in ("GB", "BG", "KN", "NK", "TN", "NT", "ZZ")),
    "es_nie": ("NIE", lambda: until(lambda: R.choice("XYZ") + D(7) + L(UP, 1), nie.is_valid), nie.is_valid),
    "es_dni": ("DNI", lambda: until(lambda: D(8) + L(UP, 1), dni.is_valid), dni.is_valid),
    "pl_pesel": ("PESEL", pes, pesel.is_valid),
    "de_steuer_id": ("Steuer-ID", lambda: R.choice([idnr.format, str])(until(lambda: (lambda b: "".join(R.sample(b, 10)) + D(1))(R.sample("0123456789", 9) + [R.choice("123456789")]), idnr.is_valid)), idnr.is_valid),
    "in_aadhaar": ("Aadhaar", lambda: R.choice([aadhaar.format, str])(until(lambda: D(12), aadhaar.is_valid)), aadhaar.is_valid),
    "se_personnummer": ("id", pnr, personnummer.is_valid), "us_ssn": ("SSN", lambda: ssn.format(until(lambda: D(9), ssn.is_valid)), ssn.is_valid),
    "ca_sin": ("SIN", lambda: R.choice([sin.format, str])(until(lambda: D(9), sin.is_valid)), sin.is_valid),
    "nl_bsn": ("BSN", lambda: until(lambda: D(9), bsn.is_valid), bsn.is_valid),
}
TEMPLATES = ["my %s is %s, thanks", "%s: %s", "please update (%s %s) today", "%s=%s&page=2", "%s\n%s\n"]


def out(kind, is_one, text):
    print(kind, int(is_one), text.replace("\\", "\\\\").replace("\n", "\\n"), sep="\t")


for kind, (word, make, valid) in IDS.items():
    for n in range(100):
        value = until(make, valid)
        out(kind, 1, R.choice(TEMPLATES) % (word, value))
        # One digit changed: wrong by every check digit; kinds without one have none of these.
        if kind not in ("uk_nino", "us_ssn") and n % 2:
            wrong = list(value)
            place = R.choice([i for i, c in enumerate(wrong) if c.isdigit() and i > 5])
            wrong[place] = str((int(wrong[place]) + R.randrange(1, 9)) % 10)
            if not valid("".join(wrong)):
                out(kind, 0, R.choice(TEMPLATES) % (word, "".join(wrong)))
for _ in range(100):
    out("email", 1, R.choice(TEMPLATES) % ("mail", F.email()))
    out("email", 0, R.choice(TEMPLATES) % ("mail", F.user_name() + R.choice(["@", "@localhost", " at example.com", "@-x.y"])))
    out("phone", 1, R.choice(TEMPLATES) % ("call", R.choice(["(%s) %s-%s", "%s-%s-%s", "+1 %s %s %s", "+1%s%s%s"]) % (R.choice("23456789") + D(2), R.choice("23456789") + D(2), D(4))))
    out("phone", 1, R.choice(TEMPLATES) % ("call", R.choice(["+44 20 7946 %s", "+49 30 90%s", "+3316123%s", "+91 98765 4%s"]) % D(4)))
    for kind, make in SECRETS.items():
        out(kind, 1, R.choice(["got %s here", "%s", "x %s\n", "{%s}"]) % make())
