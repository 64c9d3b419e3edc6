//! TLS: whom the client trusts, who it is, and what is said about a certificate that is refused.
use super::config::{Tls, Version};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What is said about the certificate that was refused last.
#[derive(Debug, Default, Clone)]
pub(crate) struct Refused(Arc<Mutex<Option<String>>>);

impl Refused {
    /// Gives it. It stays: several attempts at a time may fail of the same certificate.
    pub(crate) fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// The client's side of TLS.
pub(crate) fn client(tls: &Tls, version: Version, refused: &Refused) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> =
        if tls.dangerously_accept_any_certificate_and_let_anyone_read_the_events {
            Arc::new(Anyone(Arc::clone(&provider)))
        } else {
            let roots = Arc::new(roots(tls)?);
            let inner = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            let inner = inner.map_err(|error| format!("tls: {error}"))?;
            Arc::new(Telling { inner, refused: refused.clone() })
        };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("tls: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match (&tls.client_certificate_file, &tls.client_key_file) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let chain = certificates("tls.client_certificate_file", certificate)?;
            let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                format!("tls.client_key_file: {}: {error}; give a key in PEM", key.display())
            })?;
            builder.with_client_auth_cert(chain, key_der).map_err(|error| {
                format!("tls.client_key_file: {}: {error}; give the certificate's own key", key.display())
            })?
        }
        _ => return Err("tls.client_certificate_file and tls.client_key_file: give both or none".to_owned()),
    };
    config.alpn_protocols = match version {
        Version::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Version::Http1 => vec![b"http/1.1".to_vec()],
        Version::Http2 => vec![b"h2".to_vec()],
    };
    Ok(config)
}

/// The CAs that are trusted.
fn roots(tls: &Tls) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if tls.ca_file_only && tls.ca_file.is_none() {
        return Err("tls.ca_file_only: give tls.ca_file as well".to_owned());
    }
    if !tls.ca_file_only {
        // Of the system, or where it has none (as in an image from scratch), those that browsers trust.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
    }
    if let Some(path) = &tls.ca_file {
        for certificate in certificates("tls.ca_file", path)? {
            roots.add(certificate).map_err(|error| format!("tls.ca_file: {}: {error}", path.display()))?;
        }
    }
    Ok(roots)
}

/// The same as PEM, for other implementations of TLS.
#[cfg(feature = "kafka")]
pub(crate) fn roots_pem(tls: &Tls) -> Result<String, String> {
    let mut all = if tls.ca_file_only { Vec::new() } else { rustls_native_certs::load_native_certs().certs };
    match &tls.ca_file {
        Some(path) => all.extend(certificates("tls.ca_file", path)?),
        None if tls.ca_file_only => return Err("tls.ca_file_only: give tls.ca_file as well".to_owned()),
        None => {}
    }
    if all.is_empty() {
        return Err(
            "tls: this machine has no CA certificates: install them (ca-certificates), or name tls.ca_file"
                .into(),
        );
    }
    let pem = |der: CertificateDer<'_>| pem::encode(&pem::Pem::new("CERTIFICATE", der.to_vec()));
    Ok(all.into_iter().map(pem).collect())
}

/// What is said each period where certificates are not verified.
pub(crate) fn unverified(host: &str, key: &str) -> String {
    format!(
        "CERTIFICATES ARE NOT VERIFIED: whoever is on the way to {host} can read and change all events and credentials; \
         name the receiver's CA in {key}.ca_file and take \
         {key}.dangerously_accept_any_certificate_and_let_anyone_read_the_events out"
    )
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong =
        |error: String| format!("{key}: {}: {error}; give a file with certificates in PEM", path.display());
    let all = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    if all.is_empty() { Err(wrong("no certificate in it".to_owned())) } else { Ok(all) }
}

/// Verifies as usual, and keeps in mind what the operator needs to know of a certificate that is refused.
#[derive(Debug)]
struct Telling {
    inner: Arc<WebPkiServerVerifier>,
    refused: Refused,
}

impl ServerCertVerifier for Telling {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let result =
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        result.inspect_err(|error| self.refused.put(explain(end_entity, server_name, error)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Reason, issuer and mend.
fn explain(certificate: &CertificateDer<'_>, name: &ServerName<'_>, error: &Error) -> String {
    let name = name.to_str();
    let (reason, mend) = match error {
        Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                ("it has expired".to_owned(), "renew it at the receiver, or set this machine's clock right")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
                "it is not valid yet".to_owned(),
                "set this machine's clock right, or the receiver's certificate",
            ),
            CertificateError::UnknownIssuer => (
                "no trusted CA has issued it".to_owned(),
                "name a file with that issuer's CA certificate in tls.ca_file, or have the receiver send the \
                 certificates between its own and a well-known CA",
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
                "it is for other names".to_owned(),
                "use one of its names in the address, or have it issued for this one",
            ),
            // As `openssl req -x509` makes them; the library's own error is behind a trait object.
            other if other.to_string().contains("CaUsedAsEndEntity") => (
                "it is that of a CA, and not of a server".to_owned(),
                "have one issued for the receiver: if it signs itself, by openssl req -x509 -addext \
                 basicConstraints=critical,CA:FALSE",
            ),
            other => (other.to_string(), "have the receiver's certificate issued anew"),
        },
        other => (other.to_string(), "have the receiver's certificate issued anew"),
    };
    let parsed = X509Certificate::from_der(certificate);
    let who = parsed.map_or_else(
        |_| "it cannot be read".to_owned(),
        |(_, certificate)| {
            let names = match certificate.subject_alternative_name() {
                Ok(Some(names)) => {
                    let names: Vec<_> = names.value.general_names.iter().map(ToString::to_string).collect();
                    names.join(", ")
                }
                _ => certificate.subject().to_string(),
            };
            format!(
                "issuer: {}; names: {names}; valid from {} to {}",
                certificate.issuer(),
                certificate.validity().not_before,
                certificate.validity().not_after
            )
        },
    );
    format!("the certificate of {name} is refused: {reason}; {who}; mend: {mend}")
}

/// Trusts everybody, as the settings say at length.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
