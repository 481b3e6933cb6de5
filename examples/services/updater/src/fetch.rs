//! One question in HTTP/1.1, whose answer may be only so long and take only so much time. A real one would use a library; it
//! knows nothing of lists.

use std::net::SocketAddr;

use mainstay::prelude::*;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

/// From the connection to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest head of an answer, and the longest body, in bytes.
const HEAD_LIMIT: u64 = 16 * 1024;
const BODY_LIMIT: usize = 1024 * 1024;

/// What the server has at this path, for this session.
pub async fn fetch(server: SocketAddr, path: &str, session: &str) -> Result<Vec<u8>> {
    if !path.starts_with('/') || !is_one_word(path) {
        fail!("`{path}` is no path: it begins with `/` and has no spaces");
    }
    if !is_one_word(session) {
        fail!("the session is not one line of visible letters");
    }
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {session}\r\nConnection: close\r\n\r\n"
    );
    let asked = async {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(request.as_bytes()).await?;
        answer(BufReader::new(stream)).await
    };
    match timeout(PATIENCE, asked).await {
        Ok(answered) => answered,
        Err(_) => fail!("it has not answered within {PATIENCE:?}"),
    }
}

/// Nothing that would end a line of the request, or a word of it.
fn is_one_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The body of an answer that went well. Its length must be known: one that was cut off is none.
async fn answer(mut reader: impl AsyncBufRead + Unpin) -> Result<Vec<u8>> {
    let mut head = (&mut reader).take(HEAD_LIMIT);
    let status = line(&mut head).await?;
    let mut words = status.splitn(3, ' ');
    match (words.next(), words.next()) {
        (Some("HTTP/1.1" | "HTTP/1.0"), Some("200")) => {}
        (Some("HTTP/1.1" | "HTTP/1.0"), Some(_)) => fail!("the server says `{status}`"),
        _ => fail!("the server does not speak HTTP/1.1"),
    }
    let mut length = None;
    loop {
        let field = line(&mut head).await?;
        if field.is_empty() {
            break;
        }
        let Some((name, value)) = field.split_once(':') else { fail!("`{field}` is no field of a head") };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<usize>()?);
        }
    }
    let Some(length) = length else { fail!("the server does not tell the length of its answer") };
    if length > BODY_LIMIT {
        fail!("the answer has {length} bytes; {BODY_LIMIT} are the most");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await?;
    Ok(body)
}

/// Without its end.
async fn line(head: &mut (impl AsyncBufRead + Unpin)) -> Result<String> {
    let mut line = String::new();
    head.read_line(&mut line).await?;
    match line.strip_suffix('\n') {
        Some(line) => Ok(line.trim_end_matches('\r').to_owned()),
        None => fail!("the head of the answer is cut off, or longer than {HEAD_LIMIT} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<u8>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(answer(text.as_bytes()))
    }

    #[test]
    fn a_whole_answer_is_read() {
        let body = read("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcd").unwrap();
        assert_eq!(body, b"abc");
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n", "x".repeat(20_000));
        for (text, words) in [
            ("", "cut off"),
            ("SSH-2.0-x\r\n", "does not speak"),
            ("HTTP/1.1 404 Not Found\r\n\r\n", "404 Not Found"),
            ("HTTP/1.1 200 OK\r\n\r\nabc", "does not tell the length"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", "are the most"),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "invalid digit"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", "eof"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", "cut off"),
            (&long, "longer than"),
        ] {
            let told = read(text).unwrap_err().to_string();
            assert!(told.contains(words), "{words}: {told}");
        }
    }

    #[test]
    fn a_session_cannot_add_lines() {
        assert!(!is_one_word("a\r\nHost: b") && is_one_word("eyJhbGciOi.J9-_"));
    }
}
