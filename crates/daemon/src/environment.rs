//! What a service finds in its environment, and nothing beyond it. Pure: everything is handed in.

use std::collections::BTreeMap;

use mainstay_model::{Exit, RunId, Spec};

/// Where programs are looked for when nobody says.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is special about one start.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a> {
    /// The run's number.
    pub run: RunId,
    /// Restarts in a row before it.
    pub attempt: u32,
    /// How the run before ended.
    pub previous_exit: Option<Exit>,
    /// Distinguishes this project's runs from every other's on the machine.
    pub project_key: &'a str,
    /// The boot, so that an invocation id is never one of an earlier boot.
    pub boot_id: &'a str,
    /// The local socket.
    pub socket: &'a str,
}

/// What `passwd(5)` says of the user whom a service runs as.
#[derive(Clone, Debug)]
pub struct PersonalData {
    /// The login name.
    pub name: String,
    /// The home folder.
    pub home: String,
}

/// The whole environment of one start. Later ones win: what is inherited, what belongs to the service's user, what the file
/// declares, what Mainstay says.
pub fn environment(
    spec: &Spec,
    user: Option<&PersonalData>,
    invocation: Invocation<'_>,
) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([("PATH".to_owned(), DEFAULT_PATH.to_owned())]);
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    for (name, value) in &spec.inherited {
        set(name, value.clone());
    }
    if let Some(user) = user {
        set("HOME", user.home.clone());
        set("USER", user.name.clone());
        set("LOGNAME", user.name.clone());
    }
    for (name, value) in &spec.env {
        set(name, value.clone());
    }
    let run_id = format!("{}.{}.{}", invocation.project_key, spec.id, invocation.run);
    set("INVOCATION_ID", invocation_id(invocation.boot_id, &run_id));
    set("MAINSTAY_RUN_ID", run_id);
    set("MAINSTAY_SERVICE", spec.id.name.to_string());
    set("MAINSTAY_INSTANCE", spec.id.instance.map_or(1, u32::from).to_string());
    set("MAINSTAY_ATTEMPT", invocation.attempt.to_string());
    set("MAINSTAY_PREVIOUS_EXIT", invocation.previous_exit.map(|exit| exit.to_string()).unwrap_or_default());
    set("MAINSTAY_SOCKET", invocation.socket.to_owned());
    env
}

/// 128 bits in hex (`systemd.exec(5)`), different for each run of each project of each boot: FNV-1a of their names.
fn invocation_id(boot_id: &str, run_id: &str) -> String {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in boot_id.bytes().chain([0]).chain(run_id.bytes()) {
        hash ^= u128::from(byte);
        hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    format!("{hash:032x}")
}
