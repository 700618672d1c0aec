//! The resources of a file, one by one: the entries of a Bundle, or a resource a line (NDJSON).

use std::{
    cell::Cell,
    ffi::OsStr,
    fmt,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use serde::{
    Deserialize, Deserializer as _,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::element::{Meta, codes};
use crate::input::Watch;

/// The longest resource that is read, bytes.
pub(super) const MAX_RESOURCE: usize = 1024 * 1024;

/// Who takes the resources.
pub(super) trait Taker {
    /// A resource with its address in the Bundle; `false` ends the reading.
    fn resource(&mut self, resource: &Value, url: Option<String>, line: u64) -> bool;
    /// The legal basis that the Bundle gives for all its patients.
    fn legal_basis(&mut self, code: &str);
    /// A line, or entry, that is no resource; `line` is 0 where the whole file is meant.
    fn unreadable(&mut self, line: u64, fix: String);
    /// A line, or entry, has been read.
    fn progress(&mut self, watch: &Watch, line: u64);
}

/// Whether the resources of a file made it to the taker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// All, but for those that were reported.
    Whole,
    /// The reading broke off, which was reported.
    Broken,
}

/// Reads all resources.
///
/// # Errors
/// Those of the file system.
pub(super) fn read(
    path: &Path,
    stream: &mut dyn BufRead,
    watch: &Watch,
    taker: &mut dyn Taker,
) -> io::Result<(End, u64)> {
    if is_by_lines(path, stream) { lines(stream, watch, taker) } else { bundle(stream, watch, taker) }
}

/// By its name, or because the first line is a whole resource and no Bundle.
fn is_by_lines(path: &Path, stream: &mut dyn BufRead) -> bool {
    let without_gz = path.file_stem().filter(|_| path.extension() == Some(OsStr::new("gz"))).map(Path::new);
    let extension = without_gz.unwrap_or(path).extension().and_then(OsStr::to_str).unwrap_or_default();
    if matches!(extension, "ndjson" | "jsonl") {
        return true;
    }
    // a file that cannot be read is read again, and reported, below
    let Ok(start) = stream.fill_buf() else { return false };
    let first = start.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        resource_type: String,
    }
    serde_json::from_slice::<Typed>(first).is_ok_and(|typed| typed.resource_type != "Bundle")
}

/// Whether an error says that the content breaks off, not that the disk does.
fn is_of_content(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidInput | InvalidData | UnexpectedEof)
}

const BREAKS_OFF: &str = "the file ends or breaks off here: export it again";

fn too_long() -> String {
    format!("the resource is longer than {} kB: leave out attachments and narratives", MAX_RESOURCE / 1024)
}

/// A resource a line. A bad line is reported and the next one read.
fn lines(stream: &mut dyn BufRead, watch: &Watch, taker: &mut dyn Taker) -> io::Result<(End, u64)> {
    let (mut line, mut position, mut records) = (0, 0, 0);
    let mut text = Vec::new();
    loop {
        text.clear();
        line += 1;
        let (mut length, mut ended) = (0, false);
        while !ended {
            let chunk = match stream.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_of_content(&error) => {
                    taker.unreadable(line, BREAKS_OFF.to_owned());
                    return Ok((End::Broken, records));
                }
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            ended = end.is_some();
            let taken = end.map_or(chunk.len(), |end| end + 1);
            length += taken;
            if length <= MAX_RESOURCE {
                text.extend_from_slice(&chunk[..taken]);
            }
            stream.consume(taken);
            position += taken as u64;
            // the bound here is our own
            watch.row_ended(position);
        }
        if length > MAX_RESOURCE {
            taker.unreadable(line, too_long());
            records += 1;
        } else if !text.trim_ascii().is_empty() {
            records += 1;
            match serde_json::from_slice(text.trim_ascii()) {
                Ok(resource) => {
                    if !taker.resource(&resource, None, line) {
                        return Ok((End::Broken, records));
                    }
                }
                Err(error) => {
                    let fix =
                        format!("no JSON from column {} on: write one whole resource on each line", error.column());
                    taker.unreadable(line, fix);
                }
            }
        }
        if !ended {
            return Ok((End::Whole, records));
        }
        taker.progress(watch, line);
    }
}

/// The entries of a Bundle, which is never held whole. Bad JSON ends the reading, for nothing behind it can be trusted.
fn bundle(stream: &mut dyn BufRead, watch: &Watch, taker: &mut dyn Taker) -> io::Result<(End, u64)> {
    let (position, finished) = (Cell::new(0), Cell::new(0));
    let counted = Counted { stream, watch, position: &position, finished: &finished };
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(counted));
    let mut reading = Reading { taker, watch, position: &position, finished: &finished, entry: 0, stopped: false };
    let read = (&mut json).deserialize_map(TopLevel(&mut reading)).and_then(|kind| json.end().map(|()| kind));
    let Reading { taker, entry, stopped, .. } = reading;
    if stopped {
        return Ok((End::Broken, entry));
    }
    let fix = match read {
        Ok(kind) if kind.as_deref() == Some("Bundle") => return Ok((End::Whole, entry)),
        Ok(_) => "the file is no Bundle: give one, or a resource on each line in a file named .ndjson".to_owned(),
        Err(error) if error.is_io() => {
            let error = io::Error::from(error);
            if error.kind() == io::ErrorKind::FileTooLarge {
                too_long()
            } else if is_of_content(&error) {
                BREAKS_OFF.to_owned()
            } else {
                return Err(error);
            }
        }
        Err(error) if error.is_eof() => BREAKS_OFF.to_owned(),
        Err(error) => {
            format!("no JSON of a Bundle from line {}, column {} on: export it again", error.line(), error.column())
        }
    };
    // the entry that was not finished
    taker.unreadable(entry + 1, fix);
    Ok((End::Broken, entry))
}

/// Counts what is read and keeps one entry from growing without bound.
struct Counted<'s> {
    stream: &'s mut dyn BufRead,
    watch: &'s Watch,
    position: &'s Cell<u64>,
    /// Up to where entries are finished.
    finished: &'s Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position.get().saturating_sub(self.finished.get()) > MAX_RESOURCE as u64 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a resource is too long"));
        }
        let read = self.stream.read(buffer)?;
        self.position.set(self.position.get() + read as u64);
        self.watch.row_ended(self.position.get());
        Ok(read)
    }
}

struct Reading<'r> {
    taker: &'r mut dyn Taker,
    watch: &'r Watch,
    position: &'r Cell<u64>,
    finished: &'r Cell<u64>,
    /// Entries read.
    entry: u64,
    stopped: bool,
}

/// The Bundle itself; gives its type.
struct TopLevel<'t, 'r>(&'t mut Reading<'r>);

impl<'de> Visitor<'de> for TopLevel<'_, '_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Bundle")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Option<String>, M::Error> {
        let mut kind = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "resourceType" => kind = map.next_value()?,
                "meta" => {
                    let meta: Meta = map.next_value()?;
                    if let Some(code) = codes(&meta.tag, super::code::LEGAL_BASIS).next() {
                        self.0.taker.legal_basis(code);
                    }
                }
                "entry" => map.next_value_seed(Entries(self.0))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(kind)
    }
}

/// The entries, each dropped before the next is read.
struct Entries<'t, 'r>(&'t mut Reading<'r>);

impl<'de> DeserializeSeed<'de> for Entries<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the entries of a Bundle")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut entries: S) -> Result<(), S::Error> {
        let reading = self.0;
        while let Some(entry) = entries.next_element::<Value>()? {
            reading.entry += 1;
            reading.finished.set(reading.position.get());
            let url = entry.get("fullUrl").and_then(Value::as_str).map(str::to_owned);
            match entry.get("resource") {
                Some(resource) => {
                    if !reading.taker.resource(resource, url, reading.entry) {
                        reading.stopped = true;
                        return Err(S::Error::custom("the reading was ended"));
                    }
                }
                None => reading.taker.unreadable(reading.entry, "the entry has no resource: leave it out".to_owned()),
            }
            reading.taker.progress(reading.watch, reading.entry);
        }
        Ok(())
    }
}
