//! Certificates made for a test.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// Of this name.
    pub(crate) fn new(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(authority(name, &[]), KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate.
    pub(crate) fn root(&self) -> String {
        self.0.pem()
    }

    /// A server's certificate for these host names, and its key.
    pub(crate) fn server(&self, names: &[&str]) -> (String, String) {
        self.signed(&named("a server", names))
    }

    /// A role's certificate, and its key.
    pub(crate) fn client(&self, role: &str) -> (String, String) {
        self.signed(&named(role, &[]))
    }

    fn signed(&self, params: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

/// What `openssl req -x509` makes: the certificate of an authority, which a server shows as its own.
pub(crate) fn self_signed(name: &str) -> (String, String) {
    alone(&authority("alone", &[name]))
}

/// The same, and its time is over.
pub(crate) fn expired(name: &str) -> (String, String) {
    let mut params = authority("old", &[name]);
    params.not_after = date_time_ymd(2020, 1, 1);
    alone(&params)
}

fn alone(params: &CertificateParams) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn authority(name: &str, hosts: &[&str]) -> CertificateParams {
    let mut params = named(name, hosts);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
