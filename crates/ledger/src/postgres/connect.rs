//! Connections: the address, encryption, and what every connection is set to before it is used. Must not know what is
//! asked on it.

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::Connect;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::trouble::told;
use super::{OpenError, PostgresOptions};

/// How long a silent connection may stay unproven, so that a server that went away without a word is noticed.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// How long what was sent may stay unconfirmed by the other machine.
const UNCONFIRMED: Duration = Duration::from_secs(20);

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Finding and writing rows by their keys.
    Keys,
    /// Lists and sums over many rows.
    Scans,
}

/// Makes connections to one schema of one database.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    setup: String,
    timeout: Duration,
    /// How many connections it made, with all of its clones.
    made: Arc<AtomicU64>,
}

impl Connector {
    /// Reads the URL; connects to nothing.
    pub(super) fn new(url: &str, options: &PostgresOptions, purpose: Purpose) -> Result<Self, OpenError> {
        // The reason may quote a part of the password. What libpq calls `verify-full` is what `require` does here.
        let url = url.replace("sslmode=verify-full", "sslmode=require");
        let mut config: Config = url.parse().map_err(|_| OpenError::Url)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(OpenError::Url);
        }
        let name = format!("giftcard/{}", options.schema);
        config.application_name(&name);
        // With several hosts, the one that takes writes.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.connect_timeout(options.connect_timeout);
        config.keepalives(true);
        config.keepalives_idle(KEEPALIVE);
        config.tcp_user_timeout(UNCONFIRMED);
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            mode => Some(MakeRustlsConnect::new(encryption(mode, options)?)),
        };
        let made = Arc::default();
        Ok(Self { config, tls, setup: setup(options, purpose), timeout: options.connect_timeout, made })
    }

    /// How many connections were made so far.
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Acquire)
    }

    /// The address, for the pool; the pool never connects by itself.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// A connection that is set up, and the task that serves it. It ends with the client.
    pub(super) async fn connect(&self) -> Result<Client, String> {
        match tokio::time::timeout(self.timeout, self.connect_in_time()).await {
            Ok(Ok((client, _))) => Ok(client),
            Ok(Err(error)) => Err(told(&error)),
            Err(_) => Err(format!("no connection after {} ms", self.timeout.as_millis())),
        }
    }

    async fn connect_in_time(&self) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, task) = match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
        };
        client.batch_execute(&self.setup).await?;
        self.made.fetch_add(1, Ordering::AcqRel);
        Ok((client, task))
    }
}

impl Connect for Connector {
    fn connect(
        &self,
        _config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(self.connect_in_time())
    }
}

/// What a connection is set to. Nothing is left to what a database or a role has by default and a commit relies on.
fn setup(options: &PostgresOptions, purpose: Purpose) -> String {
    let mut text = format!(
        "SET search_path = \"{}\", pg_temp; \
         SET default_transaction_isolation = 'read committed'; \
         SET client_min_messages = warning; \
         SET jit = off; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply');",
        options.schema
    );
    let timeout = match purpose {
        Purpose::Keys => options.statement_timeout,
        Purpose::Scans => options.scan_timeout,
    };
    let _ = write!(text, "SET statement_timeout = {};", timeout.as_millis());
    if purpose == Purpose::Keys {
        // Plans are made once, when tables may be empty, and kept: they must be those of large tables.
        text.push_str("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;");
    }
    text
}

/// `prefer` encrypts where the server can, and cannot tell who it is: anyone in between could have said that the server
/// cannot. `require` proves the server by its certificate.
fn encryption(mode: SslMode, options: &PostgresOptions) -> Result<ClientConfig, OpenError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Encryption(error.to_string()))?;
    if mode == SslMode::Prefer {
        let verifier = Arc::new(AnyServer { provider });
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let roots = Arc::new(roots(options)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(|error| OpenError::Encryption(format!("there are no certificates to trust: {error}")))?;
    Ok(builder.with_webpki_verifier(verifier).with_no_client_auth())
}

fn roots(options: &PostgresOptions) -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    match &options.root_certificates {
        None => {
            // One that cannot be read is one that is not trusted.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(file) => {
            let unreadable = |error: &dyn std::fmt::Display| {
                OpenError::Encryption(format!("`{}` has no certificates in PEM: {error}", file.display()))
            };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))? {
                let certificate = certificate.map_err(|error| unreadable(&error))?;
                roots.add(certificate).map_err(|error| unreadable(&error))?;
            }
        }
    }
    Ok(roots)
}

/// Takes any certificate, but proves that the server has its key.
#[derive(Debug)]
struct AnyServer {
    provider: Arc<rustls::crypto::CryptoProvider>,
}

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
