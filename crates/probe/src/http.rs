//! Asks by a GET over plain HTTP/1.1. Follows no redirect, and reads no body.

use std::time::{Duration, Instant};

use http_body_util::Empty;
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::{No, tcp::refused};

/// Whether a GET of `url` (`http://host[:port][/path]`) is answered within `limit` with `status`; `None`: with 200 to 399.
///
/// # Errors
/// The answer in a word or two: `answered 503`, `refused`, `timed out after 2000 ms`.
pub async fn http(url: &str, status: Option<u16>, limit: Duration) -> Result<(), No> {
    let since = Instant::now();
    match timeout(limit, get(url)).await {
        Ok(Ok(answer)) => judge(answer, status),
        Ok(Err(no)) => Err(no),
        Err(_) => Err(No::late(since, limit)),
    }
}

fn judge(answer: u16, wanted: Option<u16>) -> Result<(), No> {
    let good = wanted.map_or((200..400).contains(&answer), |wanted| answer == wanted);
    if good { Ok(()) } else { Err(format!("answered {answer}").into()) }
}

/// The status of the answer.
async fn get(url: &str) -> Result<u16, No> {
    let uri: hyper::Uri = url.parse().map_err(|_| "is no URL".to_owned())?;
    let authority = uri.authority().ok_or("names no host")?.as_str().to_owned();
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let stream =
        TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await.map_err(|error| refused(&error))?;
    let broken = |error: hyper::Error| match error.is_parse() {
        true => "does not speak HTTP".to_owned(),
        false => "closed the connection without an answer".to_owned(),
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(header::HOST, authority)
        .header(header::USER_AGENT, concat!("mainstay/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| "is no URL that can be asked".to_owned())?;
    // Both live as long as this future: nothing is left behind when its time is over.
    let answer = sender.send_request(request);
    tokio::pin!(answer, connection);
    let mut over = false;
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return Ok(answer.map_err(broken)?.status().as_u16()),
            // What came before its end is told by the answer.
            _ = &mut connection, if !over => over = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread::JoinHandle,
    };

    use super::*;

    /// A server that reads one request, answers with this, and hands over what it read.
    fn server(answer: &'static str) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/healthz?deep=1", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap() == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        (url, serving)
    }

    async fn ask(answer: &'static str, status: Option<u16>) -> Result<(), No> {
        let (url, serving) = server(answer);
        let said = http(&url, status, Duration::from_secs(10)).await;
        let request = serving.join().unwrap();
        assert!(request.starts_with("GET /healthz?deep=1 HTTP/1.1\r\n"), "{request}");
        assert!(request.to_lowercase().contains("\r\nhost: 127.0.0.1:"), "{request}");
        said
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_answer_decides() {
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        assert_eq!(ask(ok, None).await, Ok(()));
        assert_eq!(ask(ok, Some(204)).await, Err("answered 200".into()));
        assert_eq!(ask("HTTP/1.1 204 No Content\r\n\r\n", Some(204)).await, Ok(()));
        assert_eq!(ask("HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n", None).await, Ok(()));
        let down = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n";
        assert_eq!(ask(down, None).await, Err("answered 503".into()));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_no_server_is_told_apart() {
        let nothing = ask("", None).await;
        assert_eq!(nothing, Err("closed the connection without an answer".into()));
        let other = ask("220 mail.example ESMTP\r\n", None).await;
        assert_eq!(other, Err("does not speak HTTP".into()));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = http(&format!("http://{port}/"), None, Duration::from_secs(10)).await;
        assert_eq!(refused, Err("refused".into()));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_silent_server_is_given_up() {
        let listener = TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let said = http(&url, None, Duration::from_millis(50)).await;
        assert_eq!(said, Err("timed out after 50 ms".into()));
    }
}
