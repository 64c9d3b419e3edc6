"""Values of every kind that is masked. Check digits are python-stdnum's, never those of the crate."""
import base64
import json
import os
import random
import sys

from faker import Faker
from stdnum import iban, luhn
from stdnum.br import cnpj, cpf
from stdnum.ca import sin
from stdnum.cn import ric
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.se import personnummer
from stdnum.us import ssn

if os.environ.get("PYTHONHASHSEED") != "0":
    sys.exit("set PYTHONHASHSEED=0: faker walks through sets")
R = random.Random(4)
LOCALES = ["en_US", "en_GB", "de_DE", "fr_FR", "it_IT", "es_ES", "nl_NL", "pl_PL", "sv_SE", "pt_BR", "en_IN"]
FAKE = {locale: Faker(locale) for locale in LOCALES}
for number, fake in enumerate(FAKE.values()):
    fake.seed_instance(4 + number)
EN = FAKE["en_US"]
DIGITS, UPPER = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ALNUM = DIGITS + UPPER + UPPER.lower()


def some(alphabet, count):
    return "".join(R.choice(alphabet) for _ in range(count))


def digits(count):
    return some(DIGITS, count)


def date():
    return R.randrange(1940, 2010), R.randrange(1, 13), R.randrange(1, 29)


def until(make, valid):
    while True:
        value = make()
        try:
            if valid(value):
                return value
        except Exception:
            pass


BRANDS = [("4", 16), ("4", 13), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15),
          ("36", 14), ("300", 14), ("6011", 16), ("65", 16), ("3530", 16), ("62", 16), ("6759", 16), ("2200", 16)]


def card():
    head, length = R.choice(BRANDS)
    body = head + digits(length - 1 - len(head))
    value = body + luhn.calc_check_digit(body)
    if length == 16 and R.random() < 0.5:
        value = R.choice(" -").join(value[at:at + 4] for at in range(0, 16, 4))
    elif length == 15 and R.random() < 0.5:
        value = f"{value[:4]} {value[4:10]} {value[10:]}"
    return value


def iban_value():
    value = FAKE[R.choice(["de_DE", "fr_FR", "nl_NL", "it_IT", "es_ES", "pl_PL", "en_GB"])].iban()
    return iban.format(value) if R.random() < 0.5 else value


def codice():
    year, month, day = date()
    body = some("BCDFGLMNPRST", 6) + "%02d%s%02d%s%s" % (
        year % 100, "ABCDEHLMPRST"[month - 1], day, R.choice("AFHL"), digits(3))
    return body + codicefiscale.calc_check_digit(body)


def resident():
    body = R.choice(["110101", "310104", "440103"]) + "%04d%02d%02d" % date() + digits(3)
    return body + ric.calc_check_digit(body)


def french():
    year, month, _ = date()
    body = R.choice("12") + "%02d%02d%02d" % (year % 100, month, R.randrange(1, 20)) + digits(6)
    value = body + nir.calc_check_digits(body)
    return nir.format(value) if R.random() < 0.5 else value


def polish():
    year, month, day = date()
    body = "%02d%02d%02d" % (year % 100, month + (20 if year >= 2000 else 0), day) + digits(4)
    return body + pesel.calc_check_digit(body)


def swedish():
    body = "%02d%02d%02d" % (lambda y, m, d: (y % 100, m, d))(*date()) + digits(3)
    return body[:6] + "-" + body[6:] + luhn.calc_check_digit(body)


def steuer():
    ten = R.sample(DIGITS, 9)
    ten += [R.choice([digit for digit in ten if digit != "0"])]
    return "".join(R.sample(ten, 10)) + digits(1)


def nino():
    return some("ABCEGHJK", 1) + some("ABCEHJLM", 1) + digits(6) + some("ABCD", 1)


def odd_email():
    """With what an address may have, and what separates things everywhere else."""
    fake = EN
    name = R.choice(["{0}/{1}", "{0}={1}", "{0}&{1}", "#{0}{1}", "{0}!{1}"]).format(fake.user_name(), fake.word())
    return f"{name}@{fake.domain_name()}"


def email():
    fake = FAKE[R.choice(LOCALES)]
    name, host = fake.user_name(), fake.domain_name()
    pick = R.random()
    if pick < 0.25:
        return fake.ascii_email()
    # What people have in them: plus, dots, hyphens, apostrophes.
    name = R.choice([f"{name}+{fake.word()}", f"{fake.last_name()}.{name}", f"{name[:3]}_{name}-x", f"o'{name}"]
                    if pick < 0.6 else [name, f"{name}.{digits(2)}", name.upper()])
    name = name.encode("ascii", "ignore").decode().replace(" ", "")
    return f"{name}@{R.choice(['', '', 'mail.', 'eu-1.'])}{host}"


NANP = lambda: (R.choice("23456789") + digits(2), R.choice("23456789") + digits(2), digits(4))
# Spellings from the national plans. `n` is a digit from 2 to 9, `d` any.
PHONES = ["+1 nnn-nnn-dddd", "+1nndnnddddd", "+1 (nnn) nnn-dddd", "(nnn) nnn-dddd", "nnn-nnn-dddd", "nnn.nnn.dddd",
          "1-nnn-nnn-dddd", "+44 20 nddd dddd", "+44 7nnn dddddd", "020 7nnn dddd", "0161 nnn dddd", "07nnn dddddd",
          "+49 30 nnddddd", "+49 17n nnddddd", "+49(0)30 nndddddd", "+49 (0) 89 nnddddd", "(0nnd) nnddddd",
          "+33 6 nn dd dd dd", "+336nnndddd", "06 nn dd dd dd", "01.nn.dd.dd.dd", "+39 02 nnddddd", "+39 3nn nnddddd",
          "+34 6nn ddd ddd", "+346nndddddd", "+34 91 nnn dd dd", "+91 9nddd ddddd", "+91-9nddddnddd", "+48 nnn ddd ddd",
          "+46 70 nnn dd dd", "+31 6 nnddd ddd", "+55 11 9nddd-dddd", "+61 4nn ddd ddd", "+86 13n dddd dddd",
          "+81 90 nddd dddd", "+972 5n nnn dddd"]


def phone():
    return "".join(R.choice("23456789") if c == "n" else R.choice(DIGITS) if c == "d" else c for c in R.choice(PHONES))


def jwt():
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    head, claims = part({"alg": R.choice(["HS256", "RS256"]), "typ": "JWT"}), part({"sub": EN.uuid4(), "iat": int(digits(9))})
    # The signature alone is the secret: the rest stays.
    return f"{head}.{claims}.", some(ALNUM + "-_", 43)


def pem():
    body = "\n".join(some(ALNUM + "+/", 64) for _ in range(3))
    kind = R.choice(["RSA ", "EC ", ""])
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


# Secrets known by their shape, as their services document them.
SECRETS = {
    "aws_key": lambda: R.choice(["AKIA", "ASIA"]) + some(UPPER + "234567", 16),
    "github_token": lambda: R.choice(["ghp_", "gho_", "ghs_"]) + some(ALNUM, 36) if R.random() < 0.7
    else "github_pat_" + some(ALNUM, 22) + "_" + some(ALNUM, 59),
    "gitlab_token": lambda: "glpat-" + some(ALNUM + "-_", 19) + some(ALNUM, 1),
    "slack_token": lambda: R.choice(["xoxb-", "xoxp-"]) + digits(12) + "-" + digits(12) + "-" + some(ALNUM, 24),
    "stripe_key": lambda: R.choice(["sk_", "rk_"]) + R.choice(["live_", "test_"]) + some(ALNUM, 24),
    "google_key": lambda: "AIza" + some(ALNUM + "-_", 34) + some(ALNUM, 1),
    "api_key": lambda: R.choice([lambda: "npm_" + some(ALNUM, 36), lambda: "sk-ant-" + "api03-" + some(ALNUM, 40),
                                 lambda: "SG." + some(ALNUM, 22) + "." + some(ALNUM, 43)])(),
}

# Kind: the word that stands beside it, the maker, python-stdnum's verdict; near misses need a check digit.
IDS = {
    "card": ("card", card, luhn.is_valid),
    "iban": ("account", iban_value, iban.is_valid),
    "it_codice_fiscale": ("CF", codice, codicefiscale.is_valid),
    "cn_resident_id": ("id", resident, ric.is_valid),
    "fr_nir": ("NIR", french, nir.is_valid),
    "br_cnpj": ("CNPJ", lambda: R.choice([cnpj.format, str])(until(lambda: digits(14), cnpj.is_valid)), cnpj.is_valid),
    "br_cpf": ("CPF", lambda: R.choice([cpf.format, str])(until(lambda: digits(11), cpf.is_valid)), cpf.is_valid),
    "uk_nino": ("NI", nino, lambda v: v[:2] not in ("GB", "BG", "KN", "NK", "TN", "NT", "ZZ")),
    "es_nie": ("NIE", lambda: until(lambda: some("XYZ", 1) + digits(7) + some(UPPER, 1), nie.is_valid), nie.is_valid),
    "es_dni": ("DNI", lambda: until(lambda: digits(8) + some(UPPER, 1), dni.is_valid), dni.is_valid),
    "pl_pesel": ("PESEL", polish, pesel.is_valid),
    "de_steuer_id": ("Steuer-ID", lambda: R.choice([idnr.format, str])(until(steuer, idnr.is_valid)), idnr.is_valid),
    "in_aadhaar": ("Aadhaar", lambda: R.choice([aadhaar.format, str])(until(lambda: digits(12), aadhaar.is_valid)),
                   aadhaar.is_valid),
    "se_personnummer": ("id", swedish, personnummer.is_valid),
    "us_ssn": ("SSN", lambda: ssn.format(until(lambda: digits(9), ssn.is_valid)), ssn.is_valid),
    "ca_sin": ("SIN", lambda: R.choice([sin.format, str])(until(lambda: digits(9), sin.is_valid)), sin.is_valid),
    "nl_bsn": ("BSN", lambda: until(lambda: digits(9), bsn.is_valid), bsn.is_valid),
}
WITHOUT_CHECK_DIGIT = ("uk_nino", "us_ssn")
