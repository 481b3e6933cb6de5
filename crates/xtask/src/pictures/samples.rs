//! The files of the sample projects. Starts nothing.

use std::fmt::Write as _;

/// A service with a name of sixty characters.
pub(super) const LONG: &str = "warehouse-inventory-synchronisation-with-the-northern-region";

/// How many services a crowd has.
const MANY: u32 = 1_000;

/// A project, and when it is worth a look.
#[derive(Debug)]
pub(super) struct Sample {
    /// Its name and its folder.
    pub(super) name: &'static str,
    /// What it shows.
    pub(super) about: &'static str,
    /// Its file.
    pub(super) file: fn() -> String,
    /// What is asked for once it runs.
    pub(super) acts: &'static [&'static [&'static str]],
    /// Services and the code of the reason for which they then are as they are.
    pub(super) awaited: &'static [(&'static str, &'static str)],
}

/// Each, in the order of the page.
pub(super) const SAMPLES: [Sample; 3] = [
    Sample {
        name: "shop",
        about: "A shop on a bad day: `mailer` crashes again and again, `search` cannot reach its cache and `web` waits for it, \
                `billing` has no program, `payments` fails its health check, `migrate` has done its work, and somebody stopped \
                `reports`.",
        file: || SHOP.to_owned(),
        acts: &[&["stop", "reports"]],
        awaited: &[
            ("mailer", "backoff"),
            ("search", "not-ready"),
            ("web", "waiting-for-dependency"),
            ("billing", "gave-up"),
            ("payments", "failing-health-check"),
            ("migrate", "completed"),
            ("reports", "stop-requested"),
            ("api@2", "ready"),
        ],
    },
    Sample {
        name: "crowd",
        about: "A thousand services; only the first forty lines are drawn.",
        file: crowd,
        acts: &[],
        awaited: &[("queue-0001", "running"), ("queue-1000", "ready")],
    },
    Sample {
        name: "names",
        about: "Names of sixty characters, and characters that take two columns.",
        file: || NAMES.to_owned(),
        acts: &[],
        awaited: &[(LONG, "running"), (NOWHERE, "gave-up"), (WAITS, "waiting-for-dependency")],
    },
];

/// The settings that the shop has when its file is newer than what runs.
pub(super) const NEWER: (&str, &str) = (
    "instances = 2\n",
    "instances = 3\nenv = { PAGE_SIZE = \"50\" }\n\n[service.thumbnails]\ncommand = [\"sleep\", \"86400\"]\n",
);

const SHOP: &str = r#"# Services as they are on a bad day.
[service.db]
command = ["sh", "-c", "echo recovering; sleep 0.3; echo 'ready for connections'; touch ready; exec sleep 86400"]
ready = { exec = ["test", "-e", "ready"] }

[service.migrate]
kind = "oneshot"
command = ["sh", "-c", "echo 'applying 14 migrations'; sleep 0.2; echo 'nothing left to do'"]
depends_on = { db = "ready" }

[service.api]
command = ["sh", "-c", "sleep 0.$((MAINSTAY_INSTANCE * 3)); echo \"listening on port 808$MAINSTAY_INSTANCE\"; exec sleep 86400"]
depends_on = { migrate = "completed" }
ready = { after = "500ms" }
instances = 2

[service.mailer]
command = ["sh", "-c", "sleep 1.2; echo 'connecting to mail.example.org'; echo 'connection lost' >&2; exit 1"]
depends_on = ["db"]
restart = { delay = "100ms", factor = 1000, max_delay = "1h" }

[service.search]
command = ["sh", "-c", "sleep 3.6; echo 'キャッシュに接続しています'; exec sleep 86400"]
ready = { tcp = "127.0.0.1:9", timeout = "1h" }

[service.web]
command = ["sleep", "86400"]
depends_on = { api = "ready", search = "ready" }

[service.billing]
command = ["./billing", "--currency", "CHF"]
restart = "never"

[service.payments]
command = ["sh", "-c", "sleep 4; echo 'the bank does not answer'; exec sleep 86400"]
health = { exec = ["test", "-e", "bank"], interval = "500ms", failures = 1000, start_period = "1ms" }

[service.reports]
command = ["sleep", "86400"]
"#;

/// One that cannot be started, because of a folder with wide characters.
const NOWHERE: &str = "warehouse-inventory-synchronisation-with-the-southern-region";

/// One that waits for it.
const WAITS: &str = "hall-of-the-mountain-king-and-the-rest-of-the-symphony-queue";

const NAMES: &str = r#"# Names of sixty characters.
[service.db]
command = ["sh", "-c", "echo 'データベースの準備ができました'; exec sleep 86400"]

[service.warehouse-inventory-synchronisation-with-the-northern-region]
command = ["sh", "-c", "sleep 0.2; echo '倉庫から 14 件の商品を読み込みました'; echo 'a line of the program that is itself too long for a terminal of eighty columns'; exec sleep 86400"]

[service.warehouse-inventory-synchronisation-with-the-southern-region]
command = ["sleep", "86400"]
working_dir = "倉庫/南"
restart = "never"

[service.hall-of-the-mountain-king-and-the-rest-of-the-symphony-queue]
command = ["sleep", "86400"]
depends_on = ["warehouse-inventory-synchronisation-with-the-southern-region"]

[service.worker-for-thumbnails]
command = ["sh", "-c", "sleep 1.{instance}; echo 'crème brûlée ✓ 🎉'; exec sleep 86400"]
instances = 2
"#;

fn crowd() -> String {
    let mut file = String::new();
    for number in 1..=MANY {
        // Each a little after the one before, once all have been started: so that lines come in the same order each time.
        let pause = 3.0 + 0.06 * f64::from(number.min(50));
        let command = format!(r#"["sh", "-c", "sleep {pause:.2}; echo waiting for work; exec sleep 86400"]"#);
        // Writing to a string cannot fail.
        let _ = writeln!(file, "[service.queue-{number:04}]\ncommand = {command}\n");
    }
    file + "ready = { after = \"8s\" }\n"
}
