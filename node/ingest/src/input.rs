//! Opens a file as a stream of bytes: gunzipped, decoded, hashed, counted, and never further ahead of the reader than one row may be long.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    rc::Rc,
};

use encoding_rs::WINDOWS_1252;
use encoding_rs_io::DecodeReaderBytesBuilder;
use flate2::read::MultiGzDecoder;
use node_domain::digest::Digest;
use sha2::{Digest as _, Sha256};

/// The longest row that is read, bytes: beyond, the file is not CSV.
pub const MAX_ROW: usize = 64 * 1024;
const BUFFER: usize = 256 * 1024;

/// How the text of a file is encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum Encoding {
    /// UTF-8, with a byte order mark or without.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// ISO 8859-1 as computers write it (Windows-1252).
    #[serde(rename = "latin-1")]
    Latin1,
}

impl std::str::FromStr for Encoding {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "utf-8" => Ok(Self::Utf8),
            "latin-1" => Ok(Self::Latin1),
            _ => Err("utf-8 or latin-1".to_owned()),
        }
    }
}

/// What a stream has been through so far.
#[derive(Default)]
struct Counters {
    hasher: Cell<Option<Sha256>>,
    /// Bytes read from the disk.
    compressed: Cell<u64>,
    /// Bytes given to the reader.
    given: Cell<u64>,
    /// Up to where the reader has finished its rows.
    finished: Cell<u64>,
}

/// A file being read.
pub struct Input {
    counters: Rc<Counters>,
    /// Size of the file on disk, bytes; 0 where it has none, such as a pipe.
    pub size: u64,
    stream: Box<dyn BufRead>,
}

impl Input {
    /// Opens a file. Gzip is recognised by its first bytes, a byte order mark is left out.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: &Path, encoding: Encoding) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a folder, not a file"));
        }
        let size = file.metadata()?.len();
        let counters = Rc::new(Counters { hasher: Cell::new(Some(Sha256::new())), ..Counters::default() });
        let mut raw = BufReader::with_capacity(BUFFER, Hashed { inner: file, counters: Rc::clone(&counters) });
        let gzip = raw.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let plain: Box<dyn Read> = if gzip { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };
        let decoded: Box<dyn Read> = match encoding {
            Encoding::Utf8 => plain,
            Encoding::Latin1 => Box::new(DecodeReaderBytesBuilder::new().encoding(Some(WINDOWS_1252)).build(plain)),
        };
        let bounded = Bounded { inner: decoded, counters: Rc::clone(&counters) };
        let mut stream = BufReader::with_capacity(BUFFER, bounded);
        // what was read is judged by the reader, which says the line; an unreadable start is read again there
        if stream.fill_buf().is_ok_and(|start| start.starts_with(b"\xef\xbb\xbf")) {
            stream.consume(3);
        }
        Ok(Self { counters, size, stream: Box::new(stream) })
    }

    /// Takes the stream to be read. What is not told by [`Watch::row_ended`] is held to be one row still.
    pub fn stream(&mut self) -> (&mut dyn BufRead, Watch) {
        (&mut *self.stream, Watch(Rc::clone(&self.counters)))
    }

    /// Reads what is left and gives the hash of the whole file as it lies on the disk.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish(mut self) -> io::Result<Digest> {
        // a broken gzip stream or an overlong row has been reported by now: the rest is only hashed
        let mut rest = vec![0; BUFFER];
        loop {
            self.counters.finished.set(self.counters.given.get());
            match self.stream.read(&mut rest) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        let hasher = self.counters.hasher.take().unwrap_or_default();
        Ok(Digest::from_bytes(hasher.finalize().into()))
    }
}

/// Where a reader says how far it has come.
pub struct Watch(Rc<Counters>);

impl Watch {
    /// All rows up to this many bytes of the stream are finished.
    pub fn row_ended(&self, position: u64) {
        self.0.finished.set(position);
    }

    /// Bytes of the file read from the disk so far.
    #[must_use]
    pub fn compressed(&self) -> u64 {
        self.0.compressed.get()
    }
}

/// Hashes and counts what is read from the disk.
struct Hashed {
    inner: File,
    counters: Rc<Counters>,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if let Some(mut hasher) = self.counters.hasher.take() {
            hasher.update(&buffer[..read]);
            self.counters.hasher.set(Some(hasher));
        }
        self.counters.compressed.set(self.counters.compressed.get() + read as u64);
        Ok(read)
    }
}

/// Refuses to give more than a row may be long beyond what the reader has finished: an unclosed quotation mark or a file without
/// lines would otherwise be gathered in memory whole.
struct Bounded {
    inner: Box<dyn Read>,
    counters: Rc<Counters>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ahead = self.counters.given.get().saturating_sub(self.counters.finished.get());
        // the buffers between this and the reader hold rows that are whole but not told yet
        if ahead > (MAX_ROW + 2 * BUFFER) as u64 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a row is too long"));
        }
        let read = self.inner.read(buffer)?;
        self.counters.given.set(self.counters.given.get() + read as u64);
        Ok(read)
    }
}
