//! What can be found, and the classes by which it is switched on.

use serde::{Deserialize, Serialize};

/// A class of kinds: the unit of configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Credentials, tokens and keys.
    Secret,
    /// Numbers of payment cards.
    Card,
    /// International bank account numbers.
    Iban,
    /// E-mail addresses.
    Email,
    /// Telephone numbers.
    Phone,
    /// Numbers by which states know people (and, in Brazil, companies).
    NationalId,
}

macro_rules! kinds {
    ($($kind:ident, $class:ident, $name:literal, $doc:literal;)*) => {
        /// One kind of thing that is masked. The order is that of specificity: where two matches have the
        /// same length the earlier kind wins.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $(#[doc = $doc] #[serde(rename = $name)] $kind,)*
        }

        impl Kind {
            /// Every kind, the most specific first.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The name in reports and in the configuration.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// The class by which it is switched on.
            pub fn class(self) -> Class {
                match self { $(Self::$kind => Class::$class),* }
            }
        }
    };
}

kinds! {
    PrivateKey, Secret, "private_key", "A private key in PEM.";
    AwsKey, Secret, "aws_key", "An access key id of AWS.";
    Github, Secret, "github_token", "A token of GitHub.";
    Gitlab, Secret, "gitlab_token", "A token of GitLab.";
    Slack, Secret, "slack_token", "A token or web hook of Slack.";
    Stripe, Secret, "stripe_key", "A secret key of Stripe.";
    Google, Secret, "google_key", "An API key, access token or client secret of Google.";
    ApiKey, Secret, "api_key", "A key of another service, known by its prefix.";
    Jwt, Secret, "jwt", "The signature of a JSON Web Token.";
    Authorization, Secret, "authorization", "The credentials of an Authorization scheme.";
    Cookie, Secret, "cookie", "A cookie.";
    Password, Secret, "secret", "A password, token or key, known by the name it is given under.";
    Iban, Iban, "iban", "An international bank account number (ISO 13616).";
    Card, Card, "card", "A payment card number (IIN and Luhn).";
    Email, Email, "email", "An e-mail address.";
    ItCodiceFiscale, NationalId, "it_codice_fiscale", "Italy: codice fiscale.";
    CnResident, NationalId, "cn_resident_id", "China: resident identity number.";
    FrNir, NationalId, "fr_nir", "France: NIR.";
    BrCnpj, NationalId, "br_cnpj", "Brazil: CNPJ.";
    BrCpf, NationalId, "br_cpf", "Brazil: CPF.";
    UkNino, NationalId, "uk_nino", "United Kingdom: National Insurance number.";
    EsNie, NationalId, "es_nie", "Spain: NIE.";
    EsDni, NationalId, "es_dni", "Spain: DNI.";
    PlPesel, NationalId, "pl_pesel", "Poland: PESEL.";
    DeSteuerId, NationalId, "de_steuer_id", "Germany: Steuer-Identifikationsnummer.";
    InAadhaar, NationalId, "in_aadhaar", "India: Aadhaar.";
    SePersonnummer, NationalId, "se_personnummer", "Sweden: personnummer.";
    UsSsn, NationalId, "us_ssn", "United States: social security number.";
    CaSin, NationalId, "ca_sin", "Canada: social insurance number.";
    NlBsn, NationalId, "nl_bsn", "The Netherlands: burgerservicenummer.";
    Phone, Phone, "phone", "A telephone number (E.164, and national spellings that are unmistakable).";
}
