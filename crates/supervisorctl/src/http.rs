//! Requests in HTTP: which is a call, which follows a log, and which is nothing of ours. Bodies are bounded in size and time.

use std::{
    convert::Infallible,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Bytes, Frame, Incoming, SizeHint},
    header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue},
};
use mainstay_daemon::Answering;
use mainstay_logs::LogStream;
use tokio::time::timeout;

use crate::{
    call::Caller,
    names::choose_one,
    tail::{NoTail, Tail},
    xml,
};

/// The largest request, in bytes, without its head.
const BODY_LIMIT: usize = 1024 * 1024;

/// How long the sending of a request may take, after its head.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Where calls go.
const CALLS: &str = "/RPC2";

/// A reply.
pub(crate) type Reply = Response<Body>;

/// What a reply holds.
#[derive(Debug)]
pub(crate) struct Body {
    content: Content,
    /// The end of the daemon waits until this was sent.
    _answering: Option<Answering>,
}

#[derive(Debug)]
enum Content {
    Whole(Full<Bytes>),
    Tail(Tail),
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.content {
            Content::Whole(whole) => Pin::new(whole).poll_frame(context),
            Content::Tail(tail) => tail.poll_line(context).map(|line| line.map(|line| Ok(Frame::data(line)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(whole) => whole.is_end_stream(),
            Content::Tail(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(whole) => whole.size_hint(),
            Content::Tail(_) => SizeHint::default(),
        }
    }
}

/// Answers one request.
pub(crate) async fn answer(caller: &Caller, request: Request<Incoming>) -> Result<Reply, Infallible> {
    let path = request.uri().path();
    let is_call = path.starts_with(CALLS);
    let log = log_of(path);
    Ok(match (request.method(), log) {
        (&Method::POST, _) if is_call => answer_call(caller, request.into_body()).await,
        (_, _) if is_call => refuse(StatusCode::BAD_REQUEST, "calls are sent with POST"),
        (&Method::GET, Some(log)) => follow(caller, &log).await,
        (_, Some(_)) => refuse(StatusCode::BAD_REQUEST, "logs are read with GET"),
        (_, None) => {
            refuse(StatusCode::NOT_FOUND, "there are /RPC2, /logtail/NAME/stdout and /mainlogtail only")
        }
    })
}

async fn answer_call(caller: &Caller, body: Incoming) -> Reply {
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "a call has at most 1 MiB");
    }
    let bytes = match timeout(BODY_TIME, Limited::new(body, BODY_LIMIT).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return refuse(StatusCode::PAYLOAD_TOO_LARGE, "a call has at most 1 MiB, and an end"),
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, "the call did not come in time"),
    };
    let call = match xml::call(&bytes) {
        Ok(call) => call,
        Err(malformed) => {
            return refuse(StatusCode::BAD_REQUEST, &format!("this is no call: {}", malformed.0));
        }
    };
    let answering = caller.handle.answering();
    let text = match caller.call(call).await {
        Ok(value) => xml::response(&value),
        Err(fault) => xml::fault(&fault),
    };
    let content = Content::Whole(Full::new(text.into()));
    reply(StatusCode::OK, "text/xml", Body { content, _answering: Some(answering) })
}

/// Which log is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Log {
    Daemon,
    Output(String),
    Errors(String),
    /// There is none of that kind.
    Nothing,
}

/// `/mainlogtail`, `/logtail/NAME`, `/logtail/NAME/stdout`, `/logtail/NAME/stderr`.
fn log_of(path: &str) -> Option<Log> {
    if path == "/mainlogtail" {
        return Some(Log::Daemon);
    }
    let path = decode(path.strip_prefix("/logtail/")?);
    let (name, channel) = path.split_once('/').unwrap_or((&path, "stdout"));
    Some(match channel {
        "stdout" => Log::Output(name.to_owned()),
        "stderr" => Log::Errors(name.to_owned()),
        _ => Log::Nothing,
    })
}

/// Undoes `%3A` (RFC 3986, 2.1).
fn decode(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        match (code, part.get(2..)) {
            (Some(byte), Some(rest)) => {
                bytes.push(byte);
                bytes.extend_from_slice(rest.as_bytes());
            }
            _ => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn follow(caller: &Caller, log: &Log) -> Reply {
    let not_found = |text: &str| refuse(StatusCode::NOT_FOUND, text);
    let (dir, stream): (PathBuf, _) = match log {
        Log::Daemon => (caller.shared.daemon_log(), LogStream::Out),
        Log::Nothing => return not_found("there are /logtail/NAME/stdout and /logtail/NAME/stderr"),
        Log::Output(name) | Log::Errors(name) => {
            let services = match caller.services().await {
                Ok(services) => services,
                Err(fault) => return refuse(StatusCode::SERVICE_UNAVAILABLE, &fault.text()),
            };
            match choose_one(&services, name) {
                Ok(view) if matches!(log, Log::Output(_)) => (view.log_dir.into(), LogStream::Out),
                Ok(view) if view.err_log_dir.is_some() => (view.log_dir.into(), LogStream::Err),
                Ok(_) => return not_found("both outputs are in one log: /logtail/NAME/stdout"),
                Err(fault) => return not_found(&fault.text()),
            }
        }
    };
    match caller.shared.tails.open(&dir, stream) {
        Ok(tail) => {
            let body = Body { content: Content::Tail(tail), _answering: None };
            let mut reply = reply(StatusCode::OK, "text/plain;charset=utf-8", body);
            // A proxy in between is not to collect lines.
            let unbuffered = HeaderName::from_static("x-accel-buffering");
            reply.headers_mut().insert(unbuffered, HeaderValue::from_static("no"));
            reply
        }
        Err(NoTail::NoFile) => not_found("there is no such log"),
        Err(NoTail::NoRoom) => refuse(StatusCode::SERVICE_UNAVAILABLE, "too many logs are followed"),
        Err(NoTail::Log(error)) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(NoTail::Thread(error)) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Says why not. Nothing more is read of one who sent what is no request at all.
fn refuse(status: StatusCode, text: &str) -> Reply {
    let content = Content::Whole(Full::new(format!("{text}\n").into()));
    let mut reply = reply(status, "text/plain;charset=utf-8", Body { content, _answering: None });
    if !matches!(status, StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE) {
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}

fn reply(status: StatusCode, kind: &'static str, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_logs() {
        let output = |name: &str| Some(Log::Output(name.to_owned()));
        let rows = [
            ("/mainlogtail", Some(Log::Daemon)),
            ("/logtail/api", output("api")),
            ("/logtail/api:api@1/stdout", output("api:api@1")),
            ("/logtail/api%3Aapi%401/stdout", output("api:api@1")),
            ("/logtail/a%zz%4/stdout", output("a%zz%4")),
            ("/logtail/%c3%a4%ff", output("ä\u{fffd}")),
            ("/logtail/api/stderr", Some(Log::Errors("api".to_owned()))),
            ("/logtail/api/stdin", Some(Log::Nothing)),
            ("/logtail/../../etc/stdout", Some(Log::Nothing)),
            ("/logtail", None),
            ("/", None),
        ];
        for (path, log) in rows {
            assert_eq!(log_of(path), log, "{path}");
        }
    }
}
