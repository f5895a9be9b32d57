//! Whom we believe to be the server: what `sslmode` means to libpq, in the words of rustls, which by itself knows only the
//! strictest of its modes.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::{Error, Result};

/// Whom to believe.
#[derive(Debug)]
pub(super) enum Trust {
    /// Nobody: there is no such line.
    Nobody,
    /// Whoever answers.
    Anybody,
    /// Who has a certificate of one of these roots.
    Roots(Vec<CertificateDer<'static>>),
    /// The same, and it names the host that was asked for.
    Host(Vec<CertificateDer<'static>>),
}

/// Examines a server's certificate.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Trust,
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// Fails if a root is no certificate.
    pub(super) fn new(trust: Trust, algorithms: WebPkiSupportedAlgorithms) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        if let Trust::Roots(given) | Trust::Host(given) = &trust {
            // Of a store some may be of a kind that nobody reads any more; of one's own file one must be of use.
            let (useful, _) = roots.add_parsable_certificates(given.iter().cloned());
            if useful == 0 {
                return Err(Error::Stopped(
                    "none of the root certificates for PostgreSQL can be used: they must be X.509 version 3"
                        .into(),
                ));
            }
        }
        Ok(Self { trust, roots: Arc::new(roots), algorithms })
    }

    /// Whether it comes from one of the roots, or is one of them: a certificate that a server has signed for itself is a
    /// root and the server's own at once, which rustls takes for a mistake.
    fn comes_from_a_root(
        &self,
        given: &[CertificateDer<'static>],
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let verified =
            verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, chain, now, self.algorithms.all);
        let is_root = given.iter().any(|root| root.as_ref() == certificate.as_ref());
        match verified {
            // Its time is the first thing that is looked at.
            Err(rustls::Error::InvalidCertificate(why)) if is_root && !is_of_time(&why) => Ok(()),
            verified => verified,
        }
    }
}

fn is_of_time(why: &CertificateError) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(why, Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.trust {
            Trust::Nobody => return Err(CertificateError::ApplicationVerificationFailure.into()),
            Trust::Anybody => {}
            Trust::Roots(given) => self.comes_from_a_root(given, certificate, chain, now)?,
            Trust::Host(given) => {
                self.comes_from_a_root(given, certificate, chain, now)?;
                verify_server_name(&ParsedCertificate::try_from(certificate)?, host)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    // The signatures are always verified: without them a stranger could show the server's own certificate, and channel
    // binding, which goes by the certificate, would be worth nothing.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
