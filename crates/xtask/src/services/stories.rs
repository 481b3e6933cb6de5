//! What a person does with each example, and what comes of it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    thread,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::running::{PATIENCE, Program};

/// What the server of the test has.
const LIST: &str = "amsterdam 192.0.2.1\nzurich 192.0.2.2\n";

/// Who may have it.
const SESSION: &str = "spring-tide";

/// The longest question that the server listens to, in lines.
const QUESTION_LIMIT: usize = 100;

/// Uses the programs in this folder.
pub(super) fn all(folder: &Path) -> Result<()> {
    hello_world(folder).context("hello_world")?;
    echo(folder).context("echo")?;
    updater(folder).context("updater")
}

fn hello_world(folder: &Path) -> Result<()> {
    let program = Program::new(&folder.join("hello_world"))?;
    let mut running = program.begin(&["--interval", "50ms"])?;
    for _ in 0..2 {
        running.until("Hello World!")?;
    }
    running.end()
}

fn echo(folder: &Path) -> Result<()> {
    let program = Program::new(&folder.join("echo"))?;
    let mut running = program.begin(&["--listen", "127.0.0.1:0", "--connections", "2"])?;
    let line = running.until("listening on ")?;
    let address = line.rsplit(' ').next().unwrap_or_default();
    let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to `{address}`"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    (&stream).write_all(b"is anybody there?\n")?;
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer)?;
    ensure!(answer == "is anybody there?\n", "it sent back {answer:?}");
    let open = call(&program.path("mainstay/calls/echo@1"), "connections")?;
    ensure!(open["ok"] == 1, "it tells of its connections: {open}");
    running.end()
}

fn updater(folder: &Path) -> Result<()> {
    let program = Program::new(&folder.join("updater"))?;
    let server = ListServer::begin()?;
    let address = server.address.to_string();
    let kept = || fs::read_to_string(program.path("servers.txt")).unwrap_or_default();
    let mut running = program.begin(&["run", "-", "--server", &address])?;
    running.until("no session: this update is skipped")?;
    ensure!(kept().is_empty(), "it has a list, and no session");

    fs::write(program.path("session"), SESSION)?;
    program.output(&["service", "update-now"])?;
    running.until("servers.txt has ")?;
    ensure!(kept() == LIST, "the list is not the server's: {:?}", kept());
    let shown = program.output(&["show"])?;
    ensure!(shown == LIST, "it shows {shown:?}");

    let told = program.output(&["service", "config", "--interval", "10m"])?;
    ensure!(told.contains("interval = \"10m\"  # a call"), "its settings are\n{told}");
    running.until("the next update comes in 600s")?;
    let told = program.output(&["service", "status"])?;
    ensure!(told.contains("updater runs by hand"), "it is\n{told}");

    fs::remove_file(program.path("servers.txt"))?;
    program.output(&["update", "--server", &address])?;
    ensure!(kept() == LIST, "the list is not the server's: {:?}", kept());
    running.end()
}

/// Calls a method without arguments, as any language would.
fn call(socket: &Path, method: &str) -> Result<Value> {
    let stream =
        UnixStream::connect(socket).with_context(|| format!("cannot connect to `{}`", socket.display()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    (&stream).write_all(format!("{{\"method\":\"{method}\"}}\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    serde_json::from_str(&answer).with_context(|| format!("`{answer}` is no answer"))
}

/// A server that has the list for whoever has the session; it ends when this is dropped.
struct ListServer {
    address: SocketAddr,
    thread: Option<thread::JoinHandle<()>>,
}

impl ListServer {
    fn begin() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        let address = listener.local_addr()?;
        let serve = move || {
            for stream in listener.incoming().flatten() {
                match answer(stream) {
                    Ok(true) => {}
                    // Nothing was asked: it is to end.
                    Ok(false) => return,
                    Err(error) => println!("the server of the list: {error:#}"),
                }
            }
        };
        Ok(Self { address, thread: Some(thread::spawn(serve)) })
    }
}

impl Drop for ListServer {
    fn drop(&mut self) {
        // A question without a word.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            // What it had to say is said.
            let _ = thread.join();
        }
    }
}

/// Whether anything was asked.
fn answer(mut stream: TcpStream) -> Result<bool> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let lines = BufReader::new(&stream).lines().take(QUESTION_LIMIT);
    let asked: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let Some(first) = asked.first() else { return Ok(false) };
    let may = asked.contains(&format!("Authorization: Bearer {SESSION}"));
    let (status, body) = match first.as_str() {
        _ if !may => ("401 Unauthorized", ""),
        "GET /servers.txt HTTP/1.1" => ("200 OK", LIST),
        _ => ("404 Not Found", ""),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")?;
    Ok(true)
}
