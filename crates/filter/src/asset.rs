//! Classes of static assets, told by the content type or by the extension of the path.

use crate::view::View;
use serde::Deserialize;

/// A class of static assets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asset {
    Image,
    Script,
    Style,
    Font,
    Media,
    Document,
}

impl Asset {
    /// The name in files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Script => "script",
            Self::Style => "style",
            Self::Font => "font",
            Self::Media => "media",
            Self::Document => "document",
        }
    }

    /// The class as one bit of a set.
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The classes of an event, as bits: those of a GET or HEAD, by the response's content type or the path's
/// extension.
pub(crate) fn classes(view: &View<'_>) -> u8 {
    if !view.method.as_ref().is_none_or(|method| matches!(&*method.0, "GET" | "HEAD")) {
        return 0;
    }
    let by_type = view.content_types.last().and_then(Option::as_ref).and_then(|kind| by_type(&kind.0));
    let by_name = view.path.as_ref().and_then(|path| by_name(&path.0));
    by_type.map_or(0, Asset::bit) | by_name.map_or(0, Asset::bit)
}

fn by_type(content_type: &str) -> Option<Asset> {
    let lower = content_type.to_ascii_lowercase();
    let (kind, name) = lower.split_once('/')?;
    match (kind, name) {
        ("image", _) => Some(Asset::Image),
        ("font", _) => Some(Asset::Font),
        ("audio" | "video", _) => Some(Asset::Media),
        ("text", "css") => Some(Asset::Style),
        (_, "javascript" | "x-javascript" | "ecmascript") => Some(Asset::Script),
        ("application", "vnd.ms-fontobject" | "x-font-ttf" | "x-font-woff" | "font-woff" | "font-woff2") => {
            Some(Asset::Font)
        }
        ("application", "dash+xml" | "vnd.apple.mpegurl" | "x-mpegurl") => Some(Asset::Media),
        ("application", "pdf" | "msword" | "rtf" | "epub+zip") => Some(Asset::Document),
        ("application", name)
            if name.starts_with("vnd.openxmlformats-officedocument")
                || name.starts_with("vnd.oasis.opendocument")
                || name.starts_with("vnd.ms-excel")
                || name.starts_with("vnd.ms-powerpoint") =>
        {
            Some(Asset::Document)
        }
        _ => None,
    }
}

fn by_name(path: &str) -> Option<Asset> {
    let (_, name) = path.rsplit_once('/')?;
    let (stem, extension) = name.rsplit_once('.')?;
    if stem.is_empty() || extension.len() > 11 {
        return None;
    }
    match extension.to_ascii_lowercase().as_str() {
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "svg" | "ico" | "bmp" | "avif" | "tif" | "tiff" => {
            Some(Asset::Image)
        }
        "js" | "mjs" | "map" | "wasm" => Some(Asset::Script),
        "css" | "less" | "scss" => Some(Asset::Style),
        "woff" | "woff2" | "ttf" | "otf" | "eot" => Some(Asset::Font),
        "mp3" | "mp4" | "m4a" | "m4s" | "m4v" | "webm" | "ogg" | "ogv" | "oga" | "wav" | "flac" | "aac"
        | "mov" | "avi" | "mkv" | "mpg" | "mpeg" | "m3u8" | "mpd" => Some(Asset::Media),
        "pdf" | "doc" | "docx" | "xls" | "xlsx" | "ppt" | "pptx" | "odt" | "ods" | "odp" | "rtf" | "epub" => {
            Some(Asset::Document)
        }
        _ => None,
    }
}
