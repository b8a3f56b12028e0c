//! What a client of PostgreSQL sends before it is let in, and how one is turned away: the little of the protocol that a
//! pooler has to understand ("Message Formats" in PostgreSQL's documentation).

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSSAPI: u32 = 80_877_104;
const LONGEST: usize = 10_000; // PostgreSQL's own bound

/// What a client wants.
pub enum Opening {
    /// It closed the connection.
    Nothing,
    /// To cancel a query of another connection.
    Cancel(Vec<u8>),
    /// A session.
    Startup(Startup),
}

/// A startup message.
pub struct Startup {
    pub database: String,
    pub application_name: String,
    /// As it came, to be passed on.
    pub bytes: Vec<u8>,
}

impl Opening {
    /// Reads it, and declines encryption, which a pooler on this machine does not offer.
    pub async fn read(client: &mut TcpStream) -> io::Result<Self> {
        loop {
            let Ok(length) = client.read_u32().await else { return Ok(Self::Nothing) };
            let size = usize::try_from(length).unwrap_or(usize::MAX);
            if !(8..=LONGEST).contains(&size) {
                return Err(io::Error::other(format!("a first message of {length} bytes; expected a startup message")));
            }
            let mut bytes = length.to_be_bytes().to_vec();
            bytes.resize(size, 0);
            client.read_exact(&mut bytes[4..]).await?;
            match u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) {
                TLS | GSSAPI => client.write_all(b"N").await?,
                CANCEL => return Ok(Self::Cancel(bytes)),
                _ => return Ok(Self::Startup(Startup::parse(bytes))),
            }
        }
    }
}

impl Startup {
    fn parse(bytes: Vec<u8>) -> Self {
        let mut words = bytes[8..].split(|&byte| byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        let [mut user, mut database, mut application_name] = [const { String::new() }; 3];
        while let Some((key, value)) = words.next().zip(words.next()) {
            match key.as_str() {
                "user" => user = value,
                "database" => database = value,
                "application_name" => application_name = value,
                _ => {}
            }
        }
        let database = if database.is_empty() { user } else { database };
        Self { database, application_name, bytes }
    }
}

/// An error that ends a connection.
pub fn refusal(code: &str, sentence: &str) -> Vec<u8> {
    let mut fields = Vec::new();
    for (field, value) in [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', code), (b'M', sentence)] {
        fields.push(field);
        fields.extend(value.bytes().chain([0]));
    }
    fields.push(0);
    let length = u32::try_from(fields.len() + 4).expect("a short sentence");
    [b"E".as_slice(), &length.to_be_bytes(), &fields].concat()
}

/// Reads along what a client sends, and counts the statements that it prepares under a name. Those outlive their transaction,
/// which a pooler in transaction mode does not bear.
#[derive(Default)]
pub struct Along {
    head: Vec<u8>,
    left: usize,
}

impl Along {
    /// How many there are in these bytes, which go on where the last ended.
    pub fn named_statements(&mut self, mut bytes: &[u8]) -> usize {
        let mut found = 0;
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            (self.left, bytes) = (self.left - skipped, &bytes[skipped..]);
            let Some((&byte, rest)) = bytes.split_first() else { break };
            self.head.push(byte);
            bytes = rest;
            // Type and length; of a Parse also the first byte of the name.
            let wanted = if self.head[0] == b'P' { 6 } else { 5 };
            if self.head.len() == wanted {
                let length = u32::from_be_bytes([self.head[1], self.head[2], self.head[3], self.head[4]]);
                found += usize::from(wanted == 6 && byte != 0);
                self.left = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(wanted - 1);
                self.head.clear();
            }
        }
        found
    }
}
